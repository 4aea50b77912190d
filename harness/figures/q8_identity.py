"""Question 8, why do measurements agree, and which one to prefer?

Many calibration errors are, for a network that is over-confident throughout, one number: mean confidence - accuracy.
How much of each ranking is that number, and what agreement is left without it? And which measurement agrees with the
part of a proper score that is calibration, and repeats on other images?
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.matrices import draw_bar, draw_cells
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.q3_agreement import METRICS
from harness.figures.style import house_style
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, few_networks, finding
from harness.statistics import (
    Estimates,
    Interval,
    confidence_gap,
    kendall_matrix,
    noise_ceiling,
    partial_taus,
    spearman_rho,
    with_intervals,
)
from harness.statistics.population import PRE, Population

IDENTITY_COLUMNS = (
    *METRICS, "acc", "correct_confidence", "incorrect_confidence", "NLL", "Brier", "Brier_top",
    "Brier_top_miscalibration",
)  # fmt: skip
"""Measurements that the question looks at; those of ``Brier_top`` are of the family ``decomposition``."""

_GAP = "|confidence - accuracy|"
_STANDS_FOR = (_GAP, "NLL", "Brier", "miscalibration", "refinement")
"""What a measurement may stand for."""

_BESIDE = ("acc", "correct_confidence", "incorrect_confidence", "NLL", "Brier", "Brier_top", "Brier_top_miscalibration")
"""Measurements from which that is made."""

_EXPLAINED = "explained by the gap (%)"
_OF_EACH = (_EXPLAINED, *(f"tau with {name}" for name in _STANDS_FOR), "median tau with the others", "without the gap")
"""Numbers of each measurement; the last is the median tau with the others at equal gap."""

_MEDIANS = (len(_OF_EACH) - 2, len(_OF_EACH) - 1)
"""Places of the medians, of tau and of tau at equal gap."""

_LEFT_FROM = len(_OF_EACH)
"""Place of the agreement with each measurement that is left at equal gap, behind the numbers of each."""


class _Looked(NamedTuple):
    """A population, its measurements, and how these agree with one another and with what they may stand for.

    Attributes:
        population: The networks.
        n: Of how many of them all measurements and the gap are known.
        metrics: The measurements.
        found: A row per measurement: the numbers of :data:`_OF_EACH`, then the tau with each measurement at equal gap;
            and a last row with the two medians over all pairs of measurements, in the columns of those of each.
        ceiling: Noise ceiling of each measurement.
    """

    population: Population
    n: int
    metrics: tuple[str, ...]
    found: Estimates
    ceiling: Float64[np.ndarray, " metrics"]

    def lines(self) -> Iterator[dict[str, object]]:
        """Yield the lines of the table: each number of each measurement, and its noise ceiling."""
        for i, metric in enumerate(self.metrics):
            line: dict[str, object] = {"networks": self.population.name, "measurement": metric}
            line |= {"n": self.n}
            for j, name in enumerate(_OF_EACH):
                yield line | {"number": name} | with_ends("value", self.found, (i, j))
            yield line | {"number": "noise ceiling", "value": self.ceiling[i]}


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
    table = table_of(line for each in looked for line in each.lines())
    return Answer(_figure(looked), _finding(looked), table)


def _look(population: Population, calibrator: str) -> _Looked | None:
    metrics = tuple(name for name in METRICS if population.has(name, calibrator))
    columns = [(calibrator, name) for name in (*metrics, *_BESIDE)]
    values, resamples = population.matrix(columns), population.resample_tensor(columns)
    n = len(metrics)
    n_known = len(_with_what_it_stands_for(values, n))
    if n < 2 or n_known < 3:
        return None
    found = with_intervals(lambda some: _numbers(some, n), values, resamples, is_sample=population.is_sample)
    ceiling = [noise_ceiling(population.of_resamples(name, calibrator)) for name in metrics]
    return _Looked(population, n_known, metrics, found, np.array(ceiling))


def _numbers(values: Float64[np.ndarray, "networks columns"], n_metrics: int) -> Float64[np.ndarray, "rows n_numbers"]:
    """Return the numbers of :class:`_Looked`, of columns that are the measurements and :data:`_BESIDE`."""
    beside = _with_what_it_stands_for(values, n_metrics)
    taus = kendall_matrix(beside)
    between, left = taus[:n_metrics, :n_metrics], partial_taus(taus, n_metrics)[:n_metrics, :n_metrics]
    explained = [100 * spearman_rho(column, beside[:, n_metrics]) ** 2 for column in beside.T[:n_metrics]]
    medians = np.array([[_median_of_others(of, i) for of in (between, left)] for i in range(n_metrics)])
    of_each = np.column_stack([explained, taus[:n_metrics, n_metrics:], medians, left])
    of_all, pairs = np.full(of_each.shape[1], np.nan), np.triu_indices(n_metrics, 1)
    of_all[list(_MEDIANS)] = _median(between[pairs]), _median(left[pairs])
    return np.vstack([of_each, of_all])


def _with_what_it_stands_for(
    values: Float64[np.ndarray, "networks columns"], n_metrics: int
) -> Float64[np.ndarray, "known columns_beside"]:
    """Return the measurements and :data:`_STANDS_FOR`, of networks of which all measurements and the gap are known."""
    metrics, (right, sure, unsure, likelihood, brier, whole, gained) = values[:, :n_metrics], values.T[n_metrics:]
    gap = confidence_gap(right, sure, unsure)
    measured = metrics[:, ~np.isnan(metrics).all(axis=0)]  # on resamples a measurement may be missing altogether
    known = ~np.isnan(np.column_stack([measured, gap])).any(axis=1)  # as partial tau wants it
    return np.column_stack([metrics, gap, likelihood, brier, gained, whole - gained])[known]


def _median_of_others(taus: Float64[np.ndarray, "metrics metrics"], i: int) -> float:
    return _median(np.delete(taus[i], i))


def _median(values: Float64[np.ndarray, " n"]) -> float:
    return float(np.nanmedian(values)) if not np.isnan(values).all() else np.nan


def _figure(looked: Sequence[_Looked]) -> Figure:
    with house_style():
        figure, axes = plt.subplots(len(looked), 2, figsize=(11.5, 4.9 * len(looked)), squeeze=False)
        for row, each in zip(axes, looked, strict=True):
            taus = np.s_[:-1, 1 : 1 + len(_STANDS_FOR)]
            draw_cells(row[0], each.found.value[taus], each.metrics, _STANDS_FOR, _cut(each.found.images, taus))
            row[0].set_title(f"{population_title(each.population)}\nwhat each measurement ranks as")
            at_equal_gap = np.s_[:-1, _LEFT_FROM:]
            left = each.found.value[at_equal_gap].copy()
            np.fill_diagonal(left, np.nan)
            draw_cells(row[1], left, each.metrics, each.metrics, _cut(each.found.images, at_equal_gap))
            row[1].set_title(f"agreement that is left\nat equal {_GAP}")
        draw_bar(figure, axes.flat, diagonal="left out")
    plt.close(figure)
    return figure


def _cut(interval: Interval, cells: tuple[slice, slice]) -> Interval:
    return Interval(*(part[cells] for part in interval))


def _finding(looked: Sequence[_Looked]) -> Note:
    lines = []
    for each in looked:
        lines.append(described(each.population))
        shares = each.found.value[:, _OF_EACH.index(_EXPLAINED)]
        if not np.isnan(shares).all():
            most, least = int(np.nanargmax(shares)), int(np.nanargmin(shares))
            lines.append(
                f"Of the ranking by {each.metrics[most]} {shares[most]:.0f} % is {_GAP} (squared rank correlation), of "
                f"that by {each.metrics[least]} {shares[least]:.0f} %"
            )
        over_all, left = (number_text(with_ends("tau", each.found, (-1, place))) for place in _MEDIANS)
        lines.append(f"Median tau of two measurements: {over_all}; at equal {_GAP}: {left}")
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


def _preferred(looked: _Looked) -> str:
    """Say which measurement agrees best with the calibration part of the Brier score, and which repeats best."""
    place = _OF_EACH.index("tau with miscalibration")
    parts = looked.found.value[:, place]
    text = []
    if not np.isnan(parts).all():
        best = int(np.nanargmax(parts))
        tau = number_text(with_ends("tau", looked.found, (best, place)))
        text.append(f"{looked.metrics[best]} agrees best with the miscalibration of the Brier score, tau {tau}")
    if not np.isnan(looked.ceiling).all():
        best = int(np.nanargmax(looked.ceiling))
        text.append(f"{looked.metrics[best]} repeats best on other images ({looked.ceiling[best]:.2f})")
    return "; ".join(text)
