"""How a measurement goes with a feature of architectures: medians along it, and tau at like accuracy."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes

from harness.figures.tables import number_text, with_ends
from harness.statistics import kendall_tau, with_intervals
from harness.statistics.population import PRE, Population

ALL, ALIKE = "all", "of like accuracy"
"""Among which networks a tau is taken."""

_PLACES = 12
_FEWEST = 5
_TENTHS = 10
FEWEST_ALIKE = _TENTHS * _FEWEST
"""Of fewer networks there is no tau at like accuracy."""


def draw_medians(axes: Axes, x: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"]) -> None:
    """Draw the median of y over groups of like x, of five networks at least; nothing where that is one group."""
    known = ~(np.isnan(x) | np.isnan(y))
    groups = _groups(x[known], _PLACES)
    if len(groups) > 1:
        centre = [float(np.median(x[known][group])) for group in groups]
        axes.plot(centre, [float(np.median(y[known][group])) for group in groups], color="black", linewidth=1.8)


def line_sentences(populations: Sequence[Population], what: str) -> list[str]:
    """Return what the line of :func:`draw_medians` is, in words, or why no population has one."""
    if max(map(len, populations)) < 2 * _FEWEST:
        return ["Of fewer than ten networks no median is drawn: the points are all that there is to see."]
    return [f"The black line, of ten networks or more, is the median {what}."]


def _groups(x: Float64[np.ndarray, " n"], at_most: int) -> list[np.ndarray]:
    """Return the places of groups of like x, in its order."""
    n_groups = min(at_most, len(x) // _FEWEST)
    return [group for group in np.array_split(np.argsort(x, kind="stable"), max(n_groups, 1)) if len(group)]


def tau_lines(
    population: Population, feature: str, values: Float64[np.ndarray, " networks"], column: str
) -> Iterator[dict[str, object]]:
    """Yield two lines of a table: tau-b of a feature and a measurement over all networks, and at like accuracy.

    Args:
        population: The networks.
        feature: What the feature is called.
        values: The feature of each network.
        column: The measurement, before calibration.
    """
    beside = population.beside(values, [(PRE, "acc"), (PRE, column)])
    found = with_intervals(_both_taus, *beside, is_sample=population.is_sample)
    for place, among in enumerate((ALL, ALIKE)):
        line: dict[str, object] = {"networks": population.name, "feature": feature, "measurement": column}
        yield line | {"among": among, "n": len(population), **with_ends("tau", found, (place,))}


def trend_sentences(table: pd.DataFrame) -> list[str]:
    """Return what the lines of :func:`tau_lines` say, in words."""
    texts = []
    for _, pair in table.groupby(["networks", "feature", "measurement"], sort=False):
        name, feature, column = pair.iloc[0][["networks", "feature", "measurement"]]
        over_all, alike = map(number_text, pair.to_dict("records"))
        texts.append(f"{name}: {feature} and {column} tau {over_all}; among networks of like accuracy {alike}")
    return texts


def _both_taus(values: Float64[np.ndarray, "networks 3"]) -> Float64[np.ndarray, " 2"]:
    """Return tau-b of the first and the last column, and that at like accuracy, which is the second."""
    feature, accuracy, measured = values.T
    return np.array([kendall_tau(feature, measured), tau_at_like_accuracy(accuracy, feature, measured)])


def tau_at_like_accuracy(
    accuracy: Float64[np.ndarray, " networks"],
    first: Float64[np.ndarray, " networks"],
    second: Float64[np.ndarray, " networks"],
) -> float:
    """Return the mean tau-b of two values within tenths of the networks by accuracy; NaN where a tenth is too few.

    Args:
        accuracy: Accuracy of each network.
        first: One value of each.
        second: The other.
    """
    known = np.flatnonzero(~np.isnan(accuracy))
    if len(known) < FEWEST_ALIKE:
        return np.nan
    tenths = _groups(accuracy[known], _TENTHS)
    taus = [kendall_tau(first[known[tenth]], second[known[tenth]]) for tenth in tenths]
    return float(np.nanmean(taus)) if not np.isnan(taus).all() else np.nan
