"""Classwise calibration: is every class probability, not only the highest, the frequency of its class?

Every function takes the ranked probabilities of each class (`harness.metrics.predictions.rank_classes`), measures each
class over all N samples with y = 1 where the label is that class, and returns the mean over the K classes.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int64

from harness.metrics.binning import binned_error, equal_count_cuts, equal_mass_cuts, equal_width_cuts
from harness.metrics.predictions import Ranked
from harness.metrics.undefined import Undefined


def classwise_calibration_error(classes: Sequence[Ranked], n_bins: int) -> float:
    """Return the classwise calibration error with bins of equal width, in [0, 2 / K], lower is better.

    ``1 / K sum_k sum_b n_kb / N * |mean p_k - mean y_k|`` over the bins (b / n_bins, (b + 1) / n_bins] of each class;
    a probability of 0 is in no bin.

    Args:
        classes: Ranked probabilities of each class.
        n_bins: Number of bins, at least 1.

    Example:
        >>> from harness.metrics.predictions import rank_classes
        >>> classes = rank_classes(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))
        >>> classwise_calibration_error(classes, 2)
        0.25

    Reference:
        Kull et al., "Beyond temperature scaling", NeurIPS 2019; there the sum is also divided by K.
    """
    return _mean_over_classes(classes, equal_width_cuts, n_bins)


def classwise_equal_mass_calibration_error(classes: Sequence[Ranked], n_bins: int) -> float:
    """Return the classwise calibration error with bins of equal mass, in [0, 2 / K], lower is better.

    ``1 / K sum_k sum_b n_kb / N * |mean p_k - mean y_k|`` over the bins of `equal_mass_cuts` of each class.

    Args:
        classes: Ranked probabilities of each class.
        n_bins: Number of bins, at least 1; no more bins than samples are made.

    Example:
        >>> from harness.metrics.predictions import rank_classes
        >>> classes = rank_classes(np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([0, 1]))
        >>> classwise_equal_mass_calibration_error(classes, 2)
        0.375

    Reference:
        Kumar, Liang, Ma, "Verified Uncertainty Calibration", NeurIPS 2019 (marginal calibration error, here L1).
    """
    return _mean_over_classes(classes, equal_mass_cuts, n_bins)


def classwise_adaptive_calibration_error(classes: Sequence[Ranked], n_bins: int) -> float | Undefined:
    """Return the classwise calibration error with bins of equal count, in [0, 2 / K], lower is better.

    ``1 / K sum_k sum_b n_kb / N * |mean p_k - mean y_k|`` over the bins of `equal_count_cuts` of each class: equal
    probabilities may be parted, in the order of the samples. Undefined with fewer samples than bins.

    Args:
        classes: Ranked probabilities of each class.
        n_bins: Number of bins, at least 1.

    Example:
        >>> from harness.metrics.predictions import rank_classes
        >>> classes = rank_classes(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))
        >>> classwise_adaptive_calibration_error(classes, 2)
        0.5
        >>> classwise_adaptive_calibration_error(classes, 3)
        Undefined(reason='N = 2 is less than M = 3')

    Reference:
        Nixon et al., "Measuring Calibration in Deep Learning", CVPR workshops 2019; ``TACE`` with threshold
        0 of Ashukha et al., "Pitfalls of In-Domain Uncertainty Estimation", ICLR 2020.
    """
    n_samples = classes[0].probability.size
    if n_samples < n_bins:
        return Undefined(f"N = {n_samples} is less than M = {n_bins}")
    return _mean_over_classes(classes, equal_count_cuts, n_bins)


def _mean_over_classes(
    classes: Sequence[Ranked], cuts_of: Callable[[Ranked, int], Int64[np.ndarray, " cuts"]], n_bins: int
) -> float:
    return float(np.mean([binned_error(ranked, cuts_of(ranked, n_bins)) for ranked in classes]))
