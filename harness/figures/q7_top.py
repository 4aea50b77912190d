"""Question 7, which designs help: the networks of highest harmonic calibration score, their cells drawn as graphs.

Published: a list of 20, taken from rows that repeat isomorphic networks; 19 of them are distinct.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.cells import draw_cell, operation_keys
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.style import house_style
from harness.figures.wording import described, finding
from harness.statistics import few_resamples_interval, noise_ceiling
from harness.statistics.population import PRE, Population

_ACROSS = 5


def top_networks(
    populations: Sequence[Population], n: int = 20, *, column: str = "HCS", as_published: Sequence[Population] = ()
) -> Answer:
    """Return the networks with the highest score, of topologies with their cells as graphs.

    Args:
        populations: The networks, with resamples of the score where these were measured.
        n: How many.
        column: The score; higher is better.
        as_published: The same networks with isomorphic ones repeated, to count how many of a list of rows are distinct.
    """
    usable = [each for each in populations if each.has(column)]
    if not usable:
        return missing(f"No networks with {column}: `harness run` makes their rows.")
    best = [each.chosen(_best(each, column, n)) for each in usable]
    table = pd.DataFrame(line for each in best for line in _lines(each, column))
    drawn = [each for each in best if each.space == "tss"]
    figure = _figure(drawn, column) if drawn else Note("Cells are drawn of topologies; here there are none.")
    return Answer(figure, _finding(usable, best, as_published, column), table)


def _best(population: Population, column: str, n: int) -> np.ndarray:
    """Return the places of the n highest values, of equals the smallest index first."""
    values = population.values(column)
    order = np.lexsort((population.networks.index.to_numpy(), -values))
    return order[~np.isnan(values[order])][:n]


def _lines(population: Population, column: str) -> list[dict[str, object]]:
    values = population.values(column)
    interval = few_resamples_interval(values, population.of_resamples(column))
    columns = {name: population.values(name) for name in ("acc", "ECE_15", "NLL")}
    return [
        {"networks": population.name, "rank": i + 1, "index": index, column: values[i]}
        | {"low (images)": interval.low[i], "high (images)": interval.high[i]}
        | {name: of_column[i] for name, of_column in columns.items()}
        | {"architecture": arch_str}
        for i, (index, arch_str) in enumerate(population.networks["arch_str"].items())
    ]


def _figure(drawn: Sequence[Population], column: str) -> Figure:
    n_down = [-(-len(each) // _ACROSS) for each in drawn]
    with house_style():
        figure, axes = plt.subplots(sum(n_down), _ACROSS, figsize=(13.0, 2.3 * sum(n_down) + 0.6), squeeze=False)
        first = 0
        for population, rows in zip(drawn, n_down, strict=True):
            panels = list(axes[first : first + rows].flat)
            first += rows
            for i, (panel, arch_str) in enumerate(zip(panels, population.networks["arch_str"], strict=False)):
                draw_cell(panel, arch_str)
                score, accuracy = (population.values(name, PRE)[i] for name in (column, "acc"))
                panel.set_title(
                    f"{population.dataset}, {i + 1}: tss {population.networks.index[i]}\n"
                    f"{column} {score:.4f}, accuracy {100 * accuracy:.1f} %",
                    fontsize=8,
                )
            for panel in panels[len(population) :]:
                panel.axis("off")
        figure.legend(handles=operation_keys(), loc="outside lower center", ncols=4)
    plt.close(figure)
    return figure


def _finding(
    usable: Sequence[Population], best: Sequence[Population], as_published: Sequence[Population], column: str
) -> Note:
    lines = []
    for population, top in zip(usable, best, strict=True):
        lines.append(described(population))
        ceiling = noise_ceiling(top.of_resamples(column))
        values = top.values(column)
        line = f"The {len(top)} highest {column} of {population_title(population).splitlines()[-1]} lie from "
        line += f"{values[-1]:.4f} to {values[0]:.4f}"
        if not np.isnan(ceiling):
            line += f"; on other images their order repeats with tau {ceiling:.2f}"
        lines.append(line)
    does_not = [
        "The order within the list is noise as far as that tau is below 1, and a list of the best is drawn to networks "
        "that were lucky on these images."
    ]
    for rows in as_published:
        if rows.space == "tss" and rows.has(column):
            listed = rows.chosen(_best(rows, column, 20))
            n_distinct = listed.networks["representative"].nunique()
            does_not.append(
                f"A list of the first {len(listed)} rows of {rows.name} in which isomorphic networks are repeated, as "
                f"the published one, holds {n_distinct} distinct networks."
            )
    return finding(lines, ["The table has each network with its interval over images."], does_not)
