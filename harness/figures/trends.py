"""How a measurement goes with a feature of architectures: medians along it, and tau at like accuracy."""

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes

from harness.figures.wording import tau_text
from harness.statistics import kendall_tau, rank_agreement
from harness.statistics.population import PRE, Population

_PLACES = 12
_FEWEST = 5
_TENTHS = 10


def draw_medians(axes: Axes, x: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"]) -> None:
    """Draw the median of y over groups of like x, of five networks at least; nothing where that is one group."""
    known = ~(np.isnan(x) | np.isnan(y))
    groups = _groups(x[known], _PLACES)
    if len(groups) > 1:
        centre = [float(np.median(x[known][group])) for group in groups]
        axes.plot(centre, [float(np.median(y[known][group])) for group in groups], color="black", linewidth=1.8)


def _groups(x: Float64[np.ndarray, " n"], at_most: int) -> list[np.ndarray]:
    """Return the places of groups of like x, in its order."""
    n_groups = min(at_most, len(x) // _FEWEST)
    return [group for group in np.array_split(np.argsort(x, kind="stable"), max(n_groups, 1)) if len(group)]


def tau_line(
    population: Population, feature: str, values: Float64[np.ndarray, " networks"], column: str
) -> dict[str, object]:
    """Return a line of a table: tau-b of a feature and a measurement, over all networks and at like accuracy.

    Args:
        population: The networks.
        feature: What the feature is called.
        values: The feature of each network.
        column: The measurement, before calibration.
    """
    noise = population.of_resamples(column)
    exact = np.repeat(values[:, None], noise.shape[1], axis=1)
    measured = population.values(column)
    found = rank_agreement(np.stack([values, measured], axis=1), np.stack([exact, noise], axis=1))
    line: dict[str, object] = {"networks": population.name, "feature": feature, "measurement": column}
    line |= {"n": len(population), "tau": found.tau[0, 1]}
    line |= {"low (images)": found.images.low[0, 1], "high (images)": found.images.high[0, 1]}
    return line | {"tau at like accuracy": tau_at_like_accuracy(population, values, measured)}


def trend_sentences(lines: pd.DataFrame) -> list[str]:
    """Return what each line of :func:`tau_line` says, in words."""
    return [
        f"{line['networks']}: {line['feature']} and {line['measurement']} tau "
        f"{tau_text(line['tau'], line['low (images)'], line['high (images)'])}; among networks of like accuracy "
        f"{tau_text(line['tau at like accuracy'])}"
        for line in lines.to_dict("records")
    ]


def tau_at_like_accuracy(
    population: Population, first: Float64[np.ndarray, " networks"], second: Float64[np.ndarray, " networks"]
) -> float:
    """Return the mean tau-b of two values within tenths of the networks by accuracy; NaN where a tenth is too few.

    Args:
        population: The networks.
        first: One value of each.
        second: The other.
    """
    accuracy = population.values("acc", PRE)
    known = np.flatnonzero(~np.isnan(accuracy))
    if len(known) < _TENTHS * _FEWEST:
        return np.nan
    tenths = _groups(accuracy[known], _TENTHS)
    taus = [kendall_tau(first[known[tenth]], second[known[tenth]]) for tenth in tenths]
    return float(np.nanmean(taus)) if not np.isnan(taus).all() else np.nan
