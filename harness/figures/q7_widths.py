"""Question 7, which sizes help: calibration error against total width, and of networks of one width throughout.

Published: ECE against the sum of the widths, and ECE of uniform widths before and after calibration.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import panel_grid, population_title
from harness.figures.quantity import quantity
from harness.figures.style import PHASE_COLOURS, PHASE_LABELS, house_style
from harness.figures.tables import table_of
from harness.figures.trends import FEWEST_ALIKE, draw_medians, line_sentences, tau_lines, trend_sentences
from harness.figures.wording import described, few_networks, finding
from harness.statistics import few_resamples_interval
from harness.statistics.population import POST, PRE, Population

_MANY = 500


def error_and_width(populations: Sequence[Population], column: str = "ECE_15") -> Answer:
    """Return how a calibration error goes with the total width of a network.

    Args:
        populations: Networks of the size space.
        column: The error.
    """
    usable = [each for each in populations if each.space == "sss" and each.has(column) and len(each) > 1]
    if not usable:
        return missing(
            f"No networks of the size space with {column}: `harness run study.spaces=[sss]` makes their rows."
        )
    table = table_of(
        line
        for each in usable
        for name in (column, "acc")
        for line in tau_lines(each, "total width", total_width(each), name)
    )
    return Answer(_width_figure(usable, column), _width_finding(usable, table, column), table)


def total_width(population: Population) -> Float64[np.ndarray, " networks"]:
    """Return the sum of the widths of each network, in channels."""
    return np.array([sum(widths) for widths in population.networks["widths"]], dtype=np.float64)


def _width_figure(usable: Sequence[Population], column: str) -> Figure:
    with house_style():
        figure, axes = panel_grid(len(usable), (5.4, 4.0))
        for panel, population in zip(axes, usable, strict=True):
            x, y = total_width(population), quantity(column).scale * population.values(column)
            many = len(population) > _MANY
            drawn = panel.scatter(
                x, y, c=100 * population.values("acc"), cmap="viridis", s=3 if many else 30, rasterized=many
            )
            draw_medians(panel, x, y)
            panel.set(xlabel="total width (channels)", ylabel=quantity(column).label(f"{column} before calibration"))
            panel.set_title(population_title(population))
            figure.colorbar(drawn, ax=panel, label="accuracy (%)")
    plt.close(figure)
    return figure


def _width_finding(usable: Sequence[Population], table: pd.DataFrame, column: str) -> Note:
    lines = [*map(described, usable), *trend_sentences(table)]
    does_not = [
        "Where total width goes with accuracy too, a tau with the error may be that of accuracy: the second number "
        f"compares networks of one tenth of the accuracies alone, and takes {FEWEST_ALIKE} networks.",
        *few_networks(usable),
    ]
    return finding(lines, line_sentences(usable, f"{column} of networks of like width"), does_not)


def uniform_widths(populations: Sequence[Population], column: str = "ECE_15") -> Answer:
    """Return the error of networks that are equally wide throughout, before and after temperature scaling.

    Args:
        populations: Networks of the size space, with resamples of the error where these were measured.
        column: The error.
    """
    of_space = [each for each in populations if each.space == "sss"]
    usable = [each.chosen(_is_uniform(each)) for each in of_space if each.has(column) and _is_uniform(each).any()]
    if not usable:
        return missing(
            "No networks of the size space that are equally wide throughout: `harness run study.spaces=[sss] "
            "study.archs=0,4681,9362,14043,18724,23405,28086,32767` measures the eight of an archive."
        )
    table = pd.DataFrame(line for each in usable for line in _uniform_lines(each, column))
    lines = [described(each) for each in of_space]
    for population in usable:
        before, after = population.values(column), population.values(column, POST)
        lines.append(
            f"{population.name}, {len(population)} uniform widths: {column} from {_points(before, column)} before to "
            f"{_points(after, column)} after temperature scaling"
        )
    text = finding(
        lines,
        ["Bars are 95 % intervals over images: a step between two widths that is smaller says nothing."],
        ["Each width is one network, trained once: another seed may change the order of neighbours."],
    )
    return Answer(_uniform_figure(usable, column), text, table)


def _points(values: Float64[np.ndarray, " n"], column: str) -> str:
    if np.isnan(values).all():
        return "unknown"
    shown = quantity(column)
    return shown.label(f"{shown.scale * np.nanmin(values):.2f} to {shown.scale * np.nanmax(values):.2f}")


def _is_uniform(population: Population) -> Bool[np.ndarray, " networks"]:
    return np.array([len(set(widths)) == 1 for widths in population.networks["widths"]], dtype=bool)


def _uniform_lines(population: Population, column: str) -> list[dict[str, object]]:
    lines = []
    for phase in (PRE, POST):
        values = population.values(column, phase)
        interval = few_resamples_interval(values, population.of_resamples(column, phase))
        for i, widths in enumerate(population.networks["widths"]):
            line = {"networks": population.name, "phase": PHASE_LABELS[phase], "width": int(widths[0])}
            line |= {"accuracy": population.values("acc")[i], column: values[i]}
            lines.append(line | {"low (images)": interval.low[i], "high (images)": interval.high[i]})
    return lines


def _uniform_figure(usable: Sequence[Population], column: str) -> Figure:
    shown = quantity(column)
    with house_style():
        figure, axes = panel_grid(len(usable), (4.8, 3.8))
        for panel, population in zip(axes, usable, strict=True):
            widths = total_width(population) / len(population.networks["widths"].iloc[0])
            for phase in (PRE, POST):
                values = population.values(column, phase)
                low, high, _ = few_resamples_interval(values, population.of_resamples(column, phase))
                middle = np.where(np.isnan(low), values, (low + high) / 2)
                reach = np.nan_to_num((high - low) / 2)
                panel.plot(
                    widths, shown.scale * values, color=PHASE_COLOURS[phase], marker="o", label=PHASE_LABELS[phase]
                )
                panel.errorbar(
                    widths,
                    shown.scale * middle,
                    shown.scale * reach,
                    fmt="none",
                    ecolor=PHASE_COLOURS[phase],
                    capsize=3,
                )
            panel.set(xlabel="width of all five blocks (channels)", ylabel=shown.label(column))
            panel.set_title(population_title(population))
            panel.legend()
    plt.close(figure)
    return figure
