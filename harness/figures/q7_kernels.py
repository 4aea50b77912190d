"""Question 7, which topologies help: error, accuracy and both together against the kernel parameters of the cell.

A 3x3 convolution counts 9, a 1x1 convolution 1. Published: the same, but an axis that is 100 times too large and counts
convolutions on edges that do not reach the output.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.quantity import quantity
from harness.figures.style import SPACE_COLOURS, house_style
from harness.figures.tables import table_of
from harness.figures.trends import FEWEST_ALIKE, draw_medians, line_sentences, tau_lines, trend_sentences
from harness.figures.wording import described, few_networks, finding
from harness.spaces.cell import KERNEL_SIZES
from harness.statistics.population import Population

COLUMNS = ("ECE_15", "acc", "HCS")
_PUBLISHED_SCALE = 100
_MANY = 500


def kernels(populations: Sequence[Population], *, as_published: bool = False) -> Answer:
    """Return how error, accuracy and the harmonic calibration score go with the kernel parameters of the cell.

    Args:
        populations: Networks of the topology space.
        as_published: Whether to draw the published axis below: all edges, times 100.
    """
    usable = [each for each in populations if each.space == "tss" and all(map(each.has, COLUMNS)) and len(each) > 1]
    if not usable:
        return missing("No networks of the topology space: `harness run study.spaces=[tss]` makes their rows.")
    table = table_of(
        line for each in usable for name in COLUMNS for line in tau_lines(each, "kernel parameters", _live(each), name)
    )
    return Answer(_figure(usable, as_published=as_published), _finding(usable, table, as_published=as_published), table)


def _live(population: Population) -> Float64[np.ndarray, " networks"]:
    return population.networks["kernel_parameters"].to_numpy(dtype=np.float64)


def _published(population: Population) -> Float64[np.ndarray, " networks"]:
    """Return what was published as the number of kernel parameters."""
    counts = [
        sum(KERNEL_SIZES.get(name, 0) ** 2 for name in operations) for operations in population.networks["operations"]
    ]
    return _PUBLISHED_SCALE * np.array(counts, dtype=np.float64)


def _figure(usable: Sequence[Population], *, as_published: bool) -> Figure:
    axis_of = {"kernel parameters of live edges": _live}
    if as_published:
        axis_of["faulty, as published: all edges, times 100"] = _published
    rows = [(population, label, values) for population in usable for label, values in axis_of.items()]
    with house_style():
        figure, axes = plt.subplots(len(rows), len(COLUMNS), figsize=(13.0, 3.7 * len(rows)), squeeze=False)
        for panels, (population, label, values) in zip(axes, rows, strict=True):
            for panel, column in zip(panels, COLUMNS, strict=True):
                _draw(panel, values(population), population, column)
                panel.set_xlabel(label)
            panels[0].set_title(population_title(population))
    plt.close(figure)
    return figure


def _draw(axes: Axes, x: Float64[np.ndarray, " networks"], population: Population, column: str) -> None:
    shown, many = quantity(column), len(population) > _MANY
    y = shown.scale * population.values(column)
    colour = SPACE_COLOURS[population.space]
    axes.scatter(x, y, s=4 if many else 30, alpha=0.25 if many else 0.8, color=colour, linewidth=0, rasterized=many)
    draw_medians(axes, x, y)
    axes.set_ylabel(shown.label(column))


def _finding(usable: Sequence[Population], table: pd.DataFrame, *, as_published: bool) -> Note:
    lines = [*map(described, usable), *trend_sentences(table)]
    does_not = [
        "Where kernel parameters go with accuracy too, a tau with the error may be that of accuracy: the second number "
        f"compares networks of like accuracy, and takes {FEWEST_ALIKE} networks."
    ]
    if as_published:
        does_not.append(
            "The lower panels have the published axis. Convolutions on dead edges are counted there, though their "
            "output is thrown away, and so networks that compute the same stand at different places."
        )
    follows = line_sentences(usable, "of networks of like kernel parameters")
    return finding(lines, follows, [*does_not, *few_networks(usable)])
