"""Question 5, how does calibration go with accuracy, and with telling other images from those that are known?

Published: ECE against accuracy with the area under the ROC curve as colour, of all networks and of those above 90 %.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.quantity import quantity
from harness.figures.style import GREY, house_style, networks
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, few_networks, finding
from harness.statistics import rank_agreement
from harness.statistics.population import PRE, Population

_PUBLISHED = ("svhn", "gaussian_noise:5")
_MANY = 500


class _Panel(NamedTuple):
    """Networks of one panel: all of a population, or the accurate ones."""

    population: Population
    accurate: Population
    least: float


def error_and_accuracy(
    populations: Sequence[Population], column: str = "ECE_15", *, least: float = 0.9, detected: str | None = None
) -> Answer:
    """Return how a calibration error goes with accuracy, of all networks and of the accurate ones.

    Args:
        populations: The networks.
        column: The error.
        least: Accuracy of the accurate ones, in [0, 1]; where few reach it, the more accurate half is taken.
        detected: Condition whose detection is the colour, such as ``svhn``; None for the first that there is.
    """
    usable = [each for each in populations if each.has(column) and each.has("acc")]
    if not usable:
        return missing(f"No networks with accuracy and {column}: `harness run` makes their rows.")
    panels = [_split(each, least) for each in usable]
    table = table_of(line for panel in panels for line in _lines(panel, column))
    return Answer(_figure(panels, column, detected), _finding(panels, column, table), table)


def _split(population: Population, least: float) -> _Panel:
    accuracy = population.values("acc")
    enough = np.count_nonzero(accuracy >= least) >= 2
    chosen = least if enough else float(np.nanmedian(accuracy))
    return _Panel(population, population.chosen(accuracy >= chosen), chosen)


def _lines(panel: _Panel, column: str) -> Iterator[dict[str, object]]:
    """Yield a line of the table for all networks, and one for the accurate ones."""
    is_sample = panel.population.is_sample
    yield _line(panel.population, "all", column, is_sample=is_sample)
    yield _line(panel.accurate, f"at least {100 * panel.least:.1f} %", column, is_sample=is_sample)


def _line(population: Population, which: str, column: str, *, is_sample: bool) -> dict[str, object]:
    columns = [(PRE, "acc"), (PRE, column)]
    values, resamples = population.matrix(columns), population.resample_tensor(columns)
    found = rank_agreement(values, resamples, is_sample=is_sample)
    line: dict[str, object] = {"networks": population.name, "accuracy": which, "n": found.n[0, 1]}
    line |= with_ends("tau", found.tau, (0, 1))
    return line | {"ceiling of accuracy": found.ceiling[0], f"ceiling of {column}": found.ceiling[1]}


def _figure(panels: Sequence[_Panel], column: str, detected: str | None) -> Figure:
    with house_style():
        figure, axes = plt.subplots(len(panels), 2, figsize=(10.4, 4.3 * len(panels)), squeeze=False)
        for row, panel in zip(axes, panels, strict=True):
            condition = _condition(panel.population, detected)
            drawn = [
                _draw(one, of, column, condition)
                for one, of in zip(row, (panel.population, panel.accurate), strict=True)
            ]
            row[0].set_title(population_title(panel.population))
            row[1].set_title(f"{networks(len(panel.accurate))} of at least\n{100 * panel.least:.1f} % accuracy")
            if condition is not None:
                figure.colorbar(drawn[0], ax=list(row), label=f"AUROC (%) of {condition}")
    plt.close(figure)
    return figure


def _condition(population: Population, detected: str | None) -> str | None:
    """Return the condition whose detection is shown: a published one, else one of other images; None if none is."""
    held = list(population.detection.columns)
    others = [name for name in held if name not in population.robust]
    ranked = [name for name in (detected, *_PUBLISHED, *others, *held) if name in held]
    return next(iter(ranked), None)


def _draw(axes: Axes, population: Population, column: str, condition: str | None) -> PathCollection:
    many = len(population) > _MANY
    x, y = (quantity(name).scale * population.values(name) for name in ("acc", column))
    colour: Float64[np.ndarray, " networks"] | str = GREY
    if condition is not None:
        colour = 100 * population.detection[condition].to_numpy(dtype=np.float64)
    axes.set(xlabel=quantity("acc").label("accuracy"), ylabel=quantity(column).label(column))
    return axes.scatter(x, y, c=colour, cmap="viridis", s=5 if many else 30, rasterized=many, plotnonfinite=False)


def _finding(panels: Sequence[_Panel], column: str, table: pd.DataFrame) -> Note:
    lines = [described(panel.population) for panel in panels]
    lines += [
        f"{line['networks']}, accuracy {line['accuracy']} (n = {line['n']:,}): tau of accuracy and {column} "
        f"{number_text(line)}"
        for line in table.to_dict("records")
    ]
    follows = [
        "A positive tau says that more accurate networks have larger errors, a negative one that accuracy and "
        "calibration go together. Among the accurate networks the sign may be another than among all."
    ]
    does_not = [
        "Neither says that accuracy makes a network well or badly calibrated: both follow from how it was trained, "
        "which was the same for all of these.",
        *few_networks([panel.population for panel in panels]),
    ]
    return finding(lines, follows, does_not)
