"""Calibrator ``histogram``: replaces the probability of a class by how often the class is right in its bin.

Each class is binned by itself, against the rest, and the results of all classes are normalised.

Reference:
    Zadrozny and Elkan, "Obtaining calibrated probability estimates from decision trees and naive Bayesian
    classifiers", ICML 2001. Equal-width bins, one class against the rest and the normalisation are those of Guo et
    al., "On Calibration of Modern Neural Networks", ICML 2017, section 4; that an empty bin keeps its midpoint is
    ours, as neither says what becomes of it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Integer

from harness.calibrators.abstract import AbstractNonparametric
from harness.calibrators.checks import require_fit_part, require_logits_of
from harness.calibrators.one_vs_rest import normalised
from harness.metrics.predictions import softmax

N_BINS = 15
"""Bins of each class, of equal width over [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedHistogram(AbstractNonparametric):
    """Histogram binning with known values of the bins.

    Attributes:
        values: What a probability of class k in bin b becomes before normalisation, shape (classes, bins), in [0, 1].
    """

    values: Float64[np.ndarray, "classes bins"]

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return the values of the bins in which ``softmax(logits)`` falls, each row divided by its sum.

        A row all of whose values are 0 becomes uniform. The order of the classes may change.

        Example:
            >>> fitted = FittedHistogram(np.array([[0.25, 0.5], [0.5, 0.75]]))  # two bins: up to 0.5, and above
            >>> fitted.apply(np.array([[np.log(9.0), 0.0]])).tolist()
            [[0.5, 0.5]]
        """
        require_logits_of(len(self.values), logits)
        bins = _bins(softmax(logits), self.values.shape[1])
        return normalised(self.values[np.arange(len(self.values)), bins])


def fit_histogram(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedHistogram:
    """Return histogram binning with the value of a bin the share of its samples whose label is the class.

    ``v_kb = |{i : p_ik in B_b, y_i = k}| / |{i : p_ik in B_b}|``, p the softmax; the bins are (b/15, (b+1)/15],
    the first with 0. A bin without samples keeps its midpoint, so that it neither forbids nor favours the class.

    Example:
        >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
        >>> fit_histogram(logits, np.array([0, 0, 0, 1])).apply(logits[:1]).tolist()
        [[0.75, 0.25]]
    """
    require_fit_part(logits, labels)
    bins = _bins(softmax(logits), N_BINS)
    n_samples = np.array([np.bincount(of_class, minlength=N_BINS) for of_class in bins.T])
    n_right = np.array([np.bincount(bins[labels == k, k], minlength=N_BINS) for k in range(logits.shape[1])])
    midpoints = np.broadcast_to((np.arange(N_BINS) + 0.5) / N_BINS, n_samples.shape)
    return FittedHistogram(np.where(n_samples > 0, n_right / np.maximum(n_samples, 1), midpoints))


def _bins(probs: Float64[np.ndarray, "n classes"], n_bins: int) -> Int[np.ndarray, "n classes"]:
    """Return the bin of each probability; an inner edge belongs to the bin below."""
    return np.searchsorted(np.arange(1, n_bins) / n_bins, probs, side="left")
