"""Three ways to cut ranked probabilities into bins, and the one error that every binned measurement takes over them.

A binning is an array of cuts: positions in the ranked order, bin b holding those from ``cuts[b]`` up to
``cuts[b + 1] - 1``. Cuts may coincide (an empty bin); what lies before the first cut is in no bin.
"""

import numpy as np
from jaxtyping import Float64, Int64

from harness.metrics.predictions import Ranked

BIN_COUNTS = (5, 10, 15, 20, 25, 50, 100, 200, 500)
"""Numbers of bins at which the study takes every binned measurement."""


def equal_width_edges(n_bins: int) -> Float64[np.ndarray, " edges"]:
    """Return the n_bins + 1 edges b / n_bins, each correctly rounded (``linspace`` is off by one ulp in places).

    Example:
        >>> equal_width_edges(5).tolist()
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    return np.arange(n_bins + 1) / n_bins


def equal_width_cuts(ranked: Ranked, n_bins: int) -> Int64[np.ndarray, " cuts"]:
    """Return the cuts of the bins (b / n_bins, (b + 1) / n_bins]: left open, right closed, so 0 is in no bin.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> equal_width_cuts(rank(np.array([0.0, 0.5, 0.6]), np.array([False, True, True])), 2).tolist()
        [1, 2, 3]
    """
    return np.searchsorted(ranked.probability, equal_width_edges(n_bins), side="right")


def equal_mass_cuts(ranked: Ranked, n_bins: int) -> Int64[np.ndarray, " cuts"]:
    """Return the cuts of bins that hold about equally many samples and never part equal probabilities.

    The ranked probabilities are cut into n_bins chunks as `numpy.array_split` does (one sample each if there are fewer
    samples than bins); the bins are right closed at the midpoints between neighbouring chunks. Coinciding midpoints
    leave an empty bin between them, which adds nothing.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> equal_mass_cuts(rank(np.array([0.5, 0.6, 0.6, 0.9]), np.ones(4, dtype=bool)), 2).tolist()
        [0, 3, 4]

    Reference:
        Kumar, Liang, Ma, "Verified Uncertainty Calibration", NeurIPS 2019; ``get_equal_bins`` of the authors' package
        ``uncertainty-calibration``.
    """
    n_samples = ranked.probability.size
    first = equal_mass_positions(n_samples, n_bins)[1:-1]
    midpoints = (ranked.probability[first - 1] + ranked.probability[first]) / 2
    return np.concatenate(([0], np.searchsorted(ranked.probability, midpoints, side="right"), [n_samples]))


def equal_mass_positions(n_samples: int, n_bins: int) -> Int64[np.ndarray, " cuts"]:
    """Return where `numpy.array_split` cuts n_samples into n_bins chunks, 0 and the end included; no chunk is empty.

    Example:
        >>> equal_mass_positions(5, 2).tolist(), equal_mass_positions(2, 5).tolist()
        ([0, 3, 5], [0, 1, 2])
    """
    n_chunks = min(n_bins, n_samples)
    chunk_size, n_larger = divmod(n_samples, n_chunks)
    chunk = np.arange(n_chunks + 1)
    return chunk * chunk_size + np.minimum(chunk, n_larger)  # the first n_larger chunks hold one sample more


def equal_count_cuts(ranked: Ranked, n_bins: int) -> Int64[np.ndarray, " cuts"]:
    """Return the cuts of n_bins bins of floor(n / n_bins) samples, the last also taking the rest.

    n counts the positive probabilities; zeros are in no bin. Equal probabilities may be parted, in the order of the
    samples. With fewer positive probabilities than bins, all of them are in the last.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> equal_count_cuts(rank(np.array([0.0, 0.5, 0.6, 0.6, 0.9]), np.ones(5, dtype=bool)), 3).tolist()
        [1, 2, 3, 5]

    Reference:
        Adaptive calibration error: Nixon et al., "Measuring Calibration in Deep Learning", CVPR workshops 2019; chunks
        as in Ashukha et al., "Pitfalls of In-Domain Uncertainty Estimation", ICLR 2020.
    """
    n_zeros = np.searchsorted(ranked.probability, [0.0], side="right")
    return equal_count_positions(ranked.probability.size, n_zeros, n_bins)


def equal_count_positions(
    n_samples: int, n_zeros: Int64[np.ndarray, "*rows 1"], n_bins: int
) -> Int64[np.ndarray, "*rows cuts"]:
    """Return the cuts of n_bins bins of floor(n / n_bins) of the n samples above the zeros, the last with the rest.

    Example:
        >>> equal_count_positions(6, np.array([1]), 2).tolist()
        [1, 3, 6]
    """
    positions = n_zeros + np.arange(n_bins + 1) * ((n_samples - n_zeros) // n_bins)
    positions[..., -1] = n_samples
    return positions


def binned_error(ranked: Ranked, cuts: Int64[np.ndarray, " cuts"]) -> float:
    """Return the calibration error over the bins, in [0, 1], lower is better; empty bins add 0.

    ``sum_b n_b / N * |mean p - mean y| = sum_b |sum (p - y)| / N``, N counting all samples, y the outcome.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> binned_error(rank(np.array([0.5, 0.75]), np.array([False, True])), np.array([0, 1, 2]))
        0.375
    """
    return float(np.abs(np.diff(ranked.excess[cuts])).sum() / ranked.probability.size)
