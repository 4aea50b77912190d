"""Family ``signed``: the two parts of ECE, from bins that are over-confident and from bins that are under-confident."""

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.binning import equal_width_cuts
from harness.metrics.measurement import Family, Measurement
from harness.metrics.predictions import Ranked, rank_top_label
from harness.metrics.wording import EQUAL_WIDTH, GUO


def signed(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> dict[str, float]:
    """Return the two parts of ECE, from over-confident and from under-confident bins.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    top = rank_top_label(probs, labels)
    return {"over_confidence_15": over_confidence(top, 15), "under_confidence_15": under_confidence(top, 15)}


def over_confidence(top: Ranked, n_bins: int) -> float:
    """Return the part of ECE from over-confident bins, in [0, 1], lower is better.

    ``sum_b n_b / N * max(mean c - mean r, 0)`` over the bins (b / n_bins, (b + 1) / n_bins]. With `under_confidence` it
    adds up to the ECE of the same bins; less `under_confidence` it is mean c - mean r.

    Args:
        top: Ranked confidences.
        n_bins: Number of bins, at least 1.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> over_confidence(rank(np.array([0.25, 0.75, 0.75, 0.75]), np.array([True, True, False, False])), 2)
        0.3125

    Reference:
        The sign taken apart, Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 2. The
        over-confidence error of Thulasidasan et al., NeurIPS 2019, also multiplies each bin by its confidence.
    """
    return float(np.maximum(_excess(top, n_bins), 0).sum() / top.probability.size)


def under_confidence(top: Ranked, n_bins: int) -> float:
    """Return the part of ECE from under-confident bins, in [0, 1], lower is better.

    ``sum_b n_b / N * max(mean r - mean c, 0)`` over the bins (b / n_bins, (b + 1) / n_bins].

    Args:
        top: Ranked confidences.
        n_bins: Number of bins, at least 1.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> under_confidence(rank(np.array([0.25, 0.75, 0.75, 0.75]), np.array([True, True, False, False])), 2)
        0.1875

    Reference:
        As in `over_confidence`.
    """
    return float(np.maximum(-_excess(top, n_bins), 0).sum() / top.probability.size)


def _excess(top: Ranked, n_bins: int) -> Float64[np.ndarray, " bins"]:
    return np.diff(top.excess[equal_width_cuts(top, n_bins)])


SIGNED = Family(
    "signed",
    version=1,
    measurements=(
        Measurement(
            name="over_confidence_15",
            n_bins=15,
            definition="the part of ECE_15 from bins whose confidence is above their accuracy",
            formula=f"sum_b n_b/N max(mean c - mean r, 0) {EQUAL_WIDTH}",
            source=GUO,
            function=over_confidence,
        ),
        Measurement(
            name="under_confidence_15",
            n_bins=15,
            definition="the part of ECE_15 from bins whose confidence is below their accuracy",
            formula=f"sum_b n_b/N max(mean r - mean c, 0) {EQUAL_WIDTH}",
            source=GUO,
            function=under_confidence,
        ),
    ),
    function=signed,
)
