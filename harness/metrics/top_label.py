"""Top-label calibration: is the confidence the probability of being right?

Every function takes the ranked confidences of `harness.metrics.predictions.rank_top_label`; c is the confidence, and
r = 1 where the prediction is right. The kernel measures of the same pairs are in `harness.metrics.kernel`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.binning import binned_error, equal_mass_cuts, equal_width_cuts
from harness.metrics.checks import require_predictions
from harness.metrics.predictions import Ranked, rank_top_label
from harness.metrics.undefined import Undefined


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """The equal-width bins of a reliability diagram, lowest confidence first.

    Attributes:
        count: Samples in each bin.
        confidence: Mean confidence of each bin, None where it is empty.
        accuracy: Share of right predictions in each bin, None where it is empty.
    """

    count: list[int]
    confidence: list[float | None]
    accuracy: list[float | None]


def expected_calibration_error(top: Ranked, n_bins: int) -> float:
    """Return ECE with bins of equal width, in [0, 1], lower is better.

    ``sum_b n_b / N * |mean c - mean r|`` over the bins (b / n_bins, (b + 1) / n_bins].

    Args:
        top: Ranked confidences.
        n_bins: Number of bins, at least 1.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> expected_calibration_error(rank(np.array([0.5, 0.75, 0.75]), np.array([True, True, False])), 2)
        0.3333333333333333

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 2; right-closed bins as there.
    """
    return binned_error(top, equal_width_cuts(top, n_bins))


def equal_mass_calibration_error(top: Ranked, n_bins: int) -> float:
    """Return ECE with bins of equal mass, in [0, 1], lower is better.

    ``sum_b n_b / N * |mean c - mean r|``, L1 and not debiased, over the bins of `equal_mass_cuts`.

    Args:
        top: Ranked confidences.
        n_bins: Number of bins, at least 1; no more bins than samples are made.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> equal_mass_calibration_error(rank(np.array([0.5, 0.75, 0.75]), np.array([True, True, False])), 2)
        0.0

    Reference:
        Kumar, Liang, Ma, "Verified Uncertainty Calibration", NeurIPS 2019.
    """
    return binned_error(top, equal_mass_cuts(top, n_bins))


def max_calibration_error(top: Ranked, n_bins: int) -> float:
    """Return the error of the worst equal-width bin, in [0, 1], lower is better.

    ``max_b |mean c - mean r|`` over the non-empty bins (b / n_bins, (b + 1) / n_bins].

    Args:
        top: Ranked confidences.
        n_bins: Number of bins, at least 1.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> max_calibration_error(rank(np.array([0.5, 0.75, 0.75]), np.array([True, True, False])), 2)
        0.5

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 2.
    """
    cuts = equal_width_cuts(top, n_bins)
    counts, excess = np.diff(cuts), np.diff(top.excess[cuts])
    filled = counts > 0
    return float(np.max(np.abs(excess[filled]) / counts[filled]))


def kolmogorov_smirnov_calibration_error(top: Ranked) -> float:
    """Return the largest gap between cumulative confidence and cumulative accuracy, in [0, 1], lower is better.

    ``max_i |sum_{j <= i} (c_j - r_j)| / N`` with ascending c, i running over the last sample of each group of equal c.

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> kolmogorov_smirnov_calibration_error(rank(np.array([0.5, 0.75, 0.75]), np.array([True, True, False])))
        0.16666666666666666

    Reference:
        Gupta et al., "Calibration of Neural Networks using Splines", ICLR 2021. Their code takes every i,
        so that the order of samples with equal confidence matters; here it cannot.
    """
    ends_group = np.append(top.probability[1:] != top.probability[:-1], True)
    return float(np.abs(top.excess[1:][ends_group]).max() / top.probability.size)


def accuracy(top: Ranked) -> float:
    """Return the share of right predictions, in [0, 1], higher is better."""
    return float(top.outcome.mean())


def correct_confidence(top: Ranked) -> float | Undefined:
    """Return the mean confidence of the right predictions, in (0, 1]; undefined if there are none."""
    if not top.outcome.any():
        return Undefined("no prediction is right")
    return float(top.probability[top.outcome].mean())


def incorrect_confidence(top: Ranked) -> float | Undefined:
    """Return the mean confidence of the wrong predictions, in (0, 1]; undefined if there are none."""
    if top.outcome.all():
        return Undefined("no prediction is wrong")
    return float(top.probability[~top.outcome].mean())


def harmonic_calibration_score(top: Ranked, *, weight: float = 1.0) -> float | Undefined:
    """Return the weighted harmonic mean of accuracy and 1 - ECE_15, in [0, 1], higher is better.

    ``(1 + weight) a e / (weight a + e)`` with a = accuracy, e = 1 - ECE_15; undefined (0 / 0) where both are 0.

    Args:
        top: Ranked confidences.
        weight: The paper's beta, positive; above 1 favours calibration, below 1 accuracy.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> harmonic_calibration_score(rank(np.array([0.5, 0.5]), np.array([True, False])))
        0.6666666666666666

    Reference:
        Tao et al., "A Benchmark Study on Calibration", ICLR 2024.
    """
    right, calibrated = accuracy(top), 1 - expected_calibration_error(top, 15)
    if weight * right + calibrated == 0:
        return Undefined("accuracy and 1 - ECE_15 are both 0")
    return (1 + weight) * right * calibrated / (weight * right + calibrated)


def reliability_bins(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], n_bins: int = 15
) -> ReliabilityBins:
    """Return count, mean confidence and accuracy of each bin (b / n_bins, (b + 1) / n_bins].

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).
        n_bins: Number of bins, at least 1.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong.

    Example:
        >>> reliability_bins(np.array([[0.75, 0.25], [0.125, 0.875]]), np.array([0, 0]), n_bins=2)
        ReliabilityBins(count=[0, 2], confidence=[None, 0.8125], accuracy=[None, 0.5])
    """
    require_predictions(probs, labels)
    if not isinstance(n_bins, int) or n_bins < 1:
        raise ValueError(f"n_bins: expected a whole number of at least 1, got {n_bins!r}")
    top = rank_top_label(probs, labels)
    cuts = equal_width_cuts(top, n_bins)
    bins = [slice(start, stop) for start, stop in pairwise(cuts)]
    return ReliabilityBins(
        count=np.diff(cuts).tolist(),
        confidence=[_mean(top.probability[members]) for members in bins],
        accuracy=[_mean(top.outcome[members]) for members in bins],
    )


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
