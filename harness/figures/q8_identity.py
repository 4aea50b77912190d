"""Question 8, why do measurements agree, and which one to prefer?

Many calibration errors are, for a network that is over-confident throughout, one number: mean confidence - accuracy.
How much of each ranking is that number, and what agreement is left without it? And which measurement agrees with the
part of a proper score that is calibration, and repeats on other images?
"""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.matrices import draw_bar, draw_cells
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.q3_agreement import METRICS
from harness.figures.style import house_style
from harness.figures.wording import described, few_networks, finding
from harness.statistics import kendall_matrix, noise_ceiling, partial_taus, spearman_rho
from harness.statistics.population import PRE, Population

IDENTITY_COLUMNS = (
    *METRICS, "acc", "correct_confidence", "incorrect_confidence", "NLL", "Brier", "Brier_top",
    "Brier_top_miscalibration",
)  # fmt: skip
"""Measurements that the question looks at; those of ``Brier_top`` are of the family ``decomposition``."""

_GAP = "|confidence - accuracy|"
_PARTS = ("NLL", "Brier", "miscalibration", "refinement")


class _Looked(NamedTuple):
    """A population, its measurements, and how these agree with one another and with what they may stand for."""

    population: Population
    metrics: tuple[str, ...]
    explained: Float64[np.ndarray, " metrics"]
    between: Float64[np.ndarray, "metrics metrics"]
    partial: Float64[np.ndarray, "metrics metrics"]
    with_parts: Float64[np.ndarray, "metrics parts"]
    ceiling: Float64[np.ndarray, " metrics"]


def why_metrics_agree(populations: Sequence[Population], calibrator: str = PRE) -> Answer:
    """Return how much of each ranking is mean confidence - accuracy, what is left, and what agrees with proper scores.

    Args:
        populations: The networks, with :data:`IDENTITY_COLUMNS` as far as these were measured.
        calibrator: Calibrator of the predictions.
    """
    looked = [found for each in populations if (found := _look(each, calibrator)) is not None]
    if not looked:
        return missing(
            f"No three networks with two of {', '.join(METRICS)}, accuracy and mean confidences, calibrator "
            f"{calibrator}: `harness run study.calibrators=[{calibrator}]` makes their rows."
        )
    table = pd.DataFrame(line for each in looked for line in _lines(each))
    return Answer(_figure(looked), _finding(looked), table)


def confidence_gap(population: Population, calibrator: str = PRE) -> Float64[np.ndarray, " networks"]:
    """Return |mean confidence - accuracy| of each network, in [0, 1]."""
    names = ("acc", "correct_confidence", "incorrect_confidence")
    right, sure, unsure = (population.values(name, calibrator) for name in names)
    # Of a network that is always right, or never, one of the two confidences is undefined and weighs nothing.
    return np.abs(np.where(right > 0, right * sure, 0) + np.where(right < 1, (1 - right) * unsure, 0) - right)


def _look(population: Population, calibrator: str) -> _Looked | None:
    metrics = tuple(name for name in METRICS if population.has(name, calibrator))
    gap = confidence_gap(population, calibrator)
    if len(metrics) < 2 or np.count_nonzero(~np.isnan(gap)) < 3:
        return None
    values = population.matrix([(calibrator, name) for name in metrics])
    known = ~np.isnan(np.column_stack([values, gap])).any(axis=1)  # partial tau wants the same networks throughout
    beside = np.column_stack([values, gap, _proper_parts(population, calibrator)])[known]
    taus, n = kendall_matrix(beside), len(metrics)
    return _Looked(
        population,
        metrics,
        np.array([spearman_rho(beside[:, i], beside[:, n]) ** 2 for i in range(n)]),
        taus[:n, :n],
        partial_taus(taus, n)[:n, :n],
        taus[:n, n:],
        np.array([noise_ceiling(population.of_resamples(name, calibrator)) for name in metrics]),
    )


def _proper_parts(population: Population, calibrator: str) -> Float64[np.ndarray, "networks parts"]:
    """Return proper scores of each network, and of the Brier score of its confidence the two parts."""
    whole, gained = (population.values(name, calibrator) for name in ("Brier_top", "Brier_top_miscalibration"))
    scores = [population.values(name, calibrator) for name in ("NLL", "Brier")]
    return np.column_stack([*scores, gained, whole - gained])


def _lines(looked: _Looked) -> list[dict[str, object]]:
    lines = []
    for i, metric in enumerate(looked.metrics):
        line: dict[str, object] = {"networks": looked.population.name, "measurement": metric}
        line |= {"n": len(looked.population), "explained by the gap (%)": 100 * looked.explained[i]}
        line |= {f"tau with {name}": looked.with_parts[i, j] for j, name in enumerate((_GAP, *_PARTS))}
        line |= {"median tau with the others": _median_of_others(looked.between, i)}
        line |= {"without the gap": _median_of_others(looked.partial, i), "ceiling": looked.ceiling[i]}
        lines.append(line)
    return lines


def _median_of_others(taus: Float64[np.ndarray, "metrics metrics"], i: int) -> float:
    others = np.delete(taus[i], i)
    return float(np.nanmedian(others)) if not np.isnan(others).all() else np.nan


def _figure(looked: Sequence[_Looked]) -> Figure:
    with house_style():
        figure, axes = plt.subplots(len(looked), 2, figsize=(11.5, 4.9 * len(looked)), squeeze=False)
        for row, each in zip(axes, looked, strict=True):
            draw_cells(row[0], each.with_parts, each.metrics, (_GAP, *_PARTS))
            row[0].set_title(f"{population_title(each.population)}\nwhat each measurement ranks as")
            partial = each.partial.copy()
            np.fill_diagonal(partial, np.nan)
            draw_cells(row[1], partial, each.metrics, each.metrics)
            row[1].set_title(f"agreement that is left\nat equal {_GAP}")
        draw_bar(figure, axes.flat)
    plt.close(figure)
    return figure


def _finding(looked: Sequence[_Looked]) -> Note:
    lines = []
    for each in looked:
        lines.append(described(each.population))
        shares = 100 * each.explained
        if not np.isnan(shares).all():
            most, least = int(np.nanargmax(shares)), int(np.nanargmin(shares))
            lines.append(
                f"Of the ranking by {each.metrics[most]} {shares[most]:.0f} % is {_GAP} (squared rank correlation), of "
                f"that by {each.metrics[least]} {shares[least]:.0f} %"
            )
        pairs = np.triu_indices(len(each.metrics), 1)
        both = [
            np.nanmedian(taus[pairs]) if not np.isnan(taus[pairs]).all() else np.nan
            for taus in (each.between, each.partial)
        ]
        lines.append(f"Median tau of two measurements: {_known(both[0])}; at equal {_GAP}: {_known(both[1])}")
        lines += [text for text in [_preferred(each)] if text]
    unmeasured = [each.population.name for each in looked if not each.population.has("Brier_top_miscalibration")]
    follows = [
        "What two measurements have in common beyond the gap is what they say that mean confidence and accuracy do "
        "not. To compare over-confident networks the gap itself is enough, and simpler; a measurement earns its place "
        "by agreeing with the calibration part of a proper score and by repeating on other images."
    ]
    does_not = ["A high tau with NLL or Brier is no merit: both also measure how accurate a network is."]
    if unmeasured:
        does_not.append(
            f"Miscalibration and refinement are unknown of {', '.join(unmeasured)}: "
            "`harness run study.families=[study,replicates,decomposition]` measures them."
        )
    return finding(lines, follows, [*does_not, *few_networks([each.population for each in looked])])


def _known(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.2f}"


def _preferred(looked: _Looked) -> str:
    """Say which measurement agrees best with the calibration part of the Brier score, and which repeats best."""
    parts = looked.with_parts[:, 1 + _PARTS.index("miscalibration")]
    text = []
    if not np.isnan(parts).all():
        best = int(np.nanargmax(parts))
        text.append(
            f"{looked.metrics[best]} agrees best with the miscalibration of the Brier score ({parts[best]:.2f})"
        )
    if not np.isnan(looked.ceiling).all():
        best = int(np.nanargmax(looked.ceiling))
        text.append(f"{looked.metrics[best]} repeats best on other images ({looked.ceiling[best]:.2f})")
    return "; ".join(text)
