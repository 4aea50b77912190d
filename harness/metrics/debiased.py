"""Family ``debiased``: root-mean-square calibration errors, and two that counter what the choice of bins does to ECE.

A binned error of few samples is too large, since noise in the accuracy of a bin counts as error; one of few bins is too
small. Every function takes the ranked confidences; c is the confidence, r = 1 where the prediction is right.
"""

import numpy as np
from jaxtyping import Float64, Int64, Integer

from harness.metrics.binning import binned_error, equal_mass_cuts, equal_mass_positions, equal_width_cuts
from harness.metrics.measurement import Family, Measurement
from harness.metrics.predictions import Ranked, rank_top_label
from harness.metrics.wording import EQUAL_WIDTH, KUMAR


def debiased(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> dict[str, float]:
    """Return root-mean-square errors, and two that counter what the choice of bins does.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    top = rank_top_label(probs, labels)
    return {
        "ECE_l2_15": root_mean_square_calibration_error(top, 15),
        "ECE_em_l2_debiased_15": debiased_calibration_error(top, 15),
        "ECE_em_sweep": sweep_calibration_error(top),
    }


def root_mean_square_calibration_error(top: Ranked, n_bins: int) -> float:
    """Return the root-mean-square calibration error with bins of equal width, in [0, 1], lower is better.

    ``sqrt(sum_b n_b / N * (mean c - mean r)^2)`` over the bins (b / n_bins, (b + 1) / n_bins]; at least the ECE of the
    same bins, at most their maximum calibration error.

    Args:
        top: Ranked confidences.
        n_bins: Number of bins, at least 1.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> root_mean_square_calibration_error(rank(np.array([0.25, 0.75]), np.array([True, True])), 2)
        0.5590169943749475

    Reference:
        Kumar, Liang, Ma, "Verified Uncertainty Calibration", NeurIPS 2019, definition 2.1 with p = 2.
    """
    cuts = equal_width_cuts(top, n_bins)
    counts, excess = np.diff(cuts), np.diff(top.excess[cuts])
    filled = counts > 0
    return float(np.sqrt(np.sum(excess[filled] ** 2 / counts[filled]) / top.probability.size))


def debiased_calibration_error(top: Ranked, n_bins: int) -> float:
    """Return the debiased root-mean-square calibration error with bins of equal mass, in [0, 1], lower is better.

    ``sqrt(max(0, sum_b n_b / N * ((mean c - mean r)^2 - v_b)))`` with ``v_b = mean r (1 - mean r) / (n_b - 1)``, the
    expected share of noise, over the bins of `equal_mass_cuts`. A bin of one sample has no v_b and adds 0.

    Args:
        top: Ranked confidences.
        n_bins: Number of bins, at least 1; no more bins than samples are made.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> debiased_calibration_error(rank(np.array([0.875, 0.875, 0.875]), np.array([True, False, False])), 1)
        0.42695628191498325

    Reference:
        Kumar, Liang, Ma, "Verified Uncertainty Calibration", NeurIPS 2019, definition 4.1; ``unbiased_l2_ce`` of the
        authors' package ``uncertainty-calibration``, which also lets bins of one sample add 0.
    """
    cuts = equal_mass_cuts(top, n_bins)
    counts = np.diff(cuts)
    several = counts > 1
    n, excess, n_right = counts[several], np.diff(top.excess[cuts])[several], _n_right(top, cuts)[several]
    squares = (excess / n) ** 2 - n_right * (n - n_right) / (n**2 * (n - 1))
    return float(np.sqrt(max(0.0, np.sum(n * squares) / top.probability.size)))


def sweep_calibration_error(top: Ranked) -> float:
    """Return ECE with as many bins of equal mass as keep the accuracies in order, in [0, 1], lower is better.

    ``sum_b n_b / N * |mean c - mean r|`` over the bins of `equal_mass_cuts`, their number raised from 1 until the next
    would make the accuracy of a bin lower than that of the bin before, at most to N. Time grows with the square of the
    number of bins that this ends at, some tens for trained networks.

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> sweep_calibration_error(rank(np.array([0.5, 0.625, 0.75, 0.875]), np.array([False, True, False, True])))
        0.1875

    Reference:
        Roelofs et al., "Mitigating Bias in Calibration Error Estimation", AISTATS 2022, algorithm 1, with bins of equal
        mass and the L1 norm; there equal confidences may be parted, here they are not.
    """
    n_samples = top.probability.size
    finest = equal_mass_cuts(top, n_samples)  # every cut there is: those of fewer bins are some of these
    n_right = np.append(0, np.cumsum(top.outcome))[finest]
    if _is_monotone(finest, n_right):  # then so is every coarser binning, whose bins are unions of these
        return binned_error(top, finest)
    kept = equal_mass_positions(n_samples, 1)
    for n_bins in range(2, n_samples):
        chosen = equal_mass_positions(n_samples, n_bins)
        if not _is_monotone(finest[chosen], n_right[chosen]):
            break
        kept = chosen
    return binned_error(top, finest[kept])


def _is_monotone(cuts: Int64[np.ndarray, " cuts"], n_right: Int64[np.ndarray, " cuts"]) -> bool:
    """Return whether accuracy never falls from a bin to the next, given how many are right before each cut."""
    counts = np.diff(cuts)
    accuracy = np.diff(n_right)[counts > 0] / counts[counts > 0]
    return bool(np.all(accuracy[1:] >= accuracy[:-1]))


def _n_right(top: Ranked, cuts: Int64[np.ndarray, " cuts"]) -> Int64[np.ndarray, " bins"]:
    return np.diff(np.append(0, np.cumsum(top.outcome))[cuts])


DEBIASED = Family(
    "debiased",
    version=1,
    measurements=(
        Measurement(
            name="ECE_l2_15",
            n_bins=15,
            definition="root of the squared gaps between confidence and accuracy, averaged over bins of equal width",
            formula=f"sqrt(sum_b n_b/N (mean c - mean r)^2) {EQUAL_WIDTH}",
            source=KUMAR,
            function=root_mean_square_calibration_error,
        ),
        Measurement(
            name="ECE_em_l2_debiased_15",
            n_bins=15,
            definition="the same over bins of about equally many samples, less what the noise of the labels adds",
            formula="sqrt(max(0, sum_b n_b/N ((mean c - mean r)^2 - mean r (1 - mean r)/(n_b - 1)))) over the bins of "
            "ECE_em_15; bins of one sample add 0",
            source=KUMAR,
            function=debiased_calibration_error,
        ),
        Measurement(
            name="ECE_em_sweep",
            definition="ECE_em with the largest number of bins that keeps accuracy rising with confidence",
            formula="ECE_em_M with the M before the first, counting from 2, where the accuracy of a bin is below that "
            "of the bin before; M = N if there is none; time grows with the square of M",
            source="Roelofs et al., Mitigating Bias in Calibration Error Estimation, AISTATS 2022",
            function=sweep_calibration_error,
        ),
    ),
    function=debiased,
)
