"""Bootstrap intervals: from a measurement and its values on resamples of the images to the range of its true value."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64


class Interval(NamedTuple):
    """A basic (pivot) bootstrap interval of one measurement.

    Attributes:
        low: Lower end; may lie outside the range of the measurement.
        high: Upper end; may lie outside it too.
        bias: Mean of the replicates less the estimate: by as much is the estimate itself likely to be too high.
        is_reliable: Whether the estimate is at least three times its bias; below that the interval covers the true
            value less often than it says.
    """

    low: float
    high: float
    bias: float
    is_reliable: bool


def pivot_interval(estimate: float, replicates: Float64[np.ndarray, " resamples"], level: float = 0.95) -> Interval:
    """Return the basic bootstrap interval ``[2 e - q_high, 2 e - q_low]`` of an estimate e.

    The quantiles q are those of the replicates at (1 + level) / 2 and (1 - level) / 2. Replicates of a calibration
    error lie above the estimate as the estimate lies above the truth; mirroring them about it takes the bias off, where
    the percentile interval ``[q_low, q_high]`` would count it twice.

    Args:
        estimate: The measurement of all samples.
        replicates: The measurement of each resample, none NaN.
        level: Share of samples of images whose interval should cover the true value, in (0, 1).

    Raises:
        ValueError: If the estimate is undefined, the level no such share, a replicate NaN, or there is none.

    Example:
        >>> pivot_interval(0.5, np.array([0.5, 0.5625, 0.625]), level=0.5)
        Interval(low=0.40625, high=0.46875, bias=0.0625, is_reliable=True)

    Reference:
        Davison, Hinkley, Bootstrap Methods and their Application, Cambridge University Press 1997, section 2.4 and
        5.2.1.
    """
    if not isinstance(estimate, float) or not np.isfinite(estimate):
        raise ValueError(f"estimate: expected a finite float, got {estimate!r}; what is undefined has no interval")
    if not isinstance(replicates, np.ndarray) or replicates.ndim != 1 or replicates.size == 0:
        raise ValueError(f"replicates: expected an array (resamples,) with at least one value, got {replicates!r}")
    if not 0 < level < 1:
        raise ValueError(f"level: expected a share between 0 and 1, such as 0.95, got {level}")
    if n_undefined := int(np.isnan(replicates).sum()):
        raise ValueError(f"replicates: expected no NaN, got {n_undefined} of {replicates.size}")
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    bias = float(replicates.mean() - estimate)
    return Interval(float(2 * estimate - high), float(2 * estimate - low), bias, estimate >= 3 * abs(bias))
