"""Calibrator ``spline``: replaces the confidence by the slope of a spline through the cumulative accuracy.

The samples of the fit part are sorted by confidence; that of rank i is at the fractile ``t = i / n``. The cumulative
excess ``h(t)`` is the sum of confidence - outcome up to there, over n; to it a natural cubic spline S is fitted by
least squares. As the slope of the cumulative outcome is P(right | confidence), a confidence is calibrated by taking the
slope of S from it.

The method says what the highest probability of a row becomes and nothing of the others. Here they follow from a
temperature of each row, the one that gives its highest probability that value: the order of the classes is kept.

Reference:
    Gupta et al., "Calibration of Neural Networks using Splines", ICLR 2021, sections 3 and 4. Six knots equally far
    from one another, and that the spline is fitted to the difference from the confidences, are those of the code
    published with it. There a sample has the slope at its fractile, ``(i - 1) / (n - 1)``; here it has the mean slope
    from ``(i - 1) / n`` to ``i / n``, and samples of equal confidence have one slope, the mean over them all. The
    temperatures of the rows are ours.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy.interpolate import CubicSpline

from harness.calibrators.abstract import AbstractNonparametric
from harness.calibrators.checks import require_fit_part
from harness.metrics.checks import require_logits
from harness.metrics.predictions import softmax

N_KNOTS = 6
"""Knots of the spline, equally far from one another over [0, 1]."""

FLATTEST, STEEPEST = 1e-6, 1e12
"""Bounds of what the widest gap between two logits of a row is scaled to.

At the lower one the highest probability is above 1 / K by at most one part in a million, which shows which class it is
of in float64 unless a second logit is nearer to the first than 1e-9 of the widest gap. At the upper one it rounds to 1
unless a second logit is nearer than 4e-11 of it.
"""

LOG_ODDS_TOLERANCE = 1e-12
"""How exactly the odds of the highest probability of a row are met, as a logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedSpline(AbstractNonparametric):
    """Spline calibration with known values.

    Attributes:
        confidences: Those of the fit part, ascending, each once, shape (distinct,).
        calibrated: What each becomes, shape (distinct,); where the spline is steep it may be outside of [0, 1].
    """

    confidences: Float64[np.ndarray, " distinct"]
    calibrated: Float64[np.ndarray, " distinct"]

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return ``softmax(beta_i z_i)``, beta_i such that the highest probability of row i is the calibrated one.

        The calibrated confidence c is linear between the confidences of the fit part, beyond them its first or last
        value, and brought into [0, 1]. The highest logit stays the highest, so a row cannot reach every c:

        - c of 1 / K or below gives a highest probability that is above 1 / K by a part in a million or less,
        - c = 1 gives the limit of rising beta, a probability that float64 rounds to 1,
        - c above 1 / m, where m logits share the highest value, gives 1 / m, and so a constant row stays uniform.

        Example:
            >>> fitted = FittedSpline(np.array([0.5, 0.9]), np.array([0.5, 0.75]))
            >>> fitted.apply(np.array([[np.log(9.0), 0.0]])).round(12).tolist()
            [[0.75, 0.25]]
        """
        confidence = softmax(logits).max(axis=1)
        calibrated = np.interp(confidence, self.confidences, self.calibrated).clip(0.0, 1.0)
        return _with_highest(calibrated, logits.astype(np.float64))


def fit_spline(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedSpline:
    """Return spline calibration with S the natural cubic spline ``argmin_S sum_i (S(i / n) - h(i / n))^2``.

    ``h(i / n) = sum_{j <= i} (c_j - r_j) / n`` for i from 0 to n, c the confidences, ascending, r whether the
    prediction is right. Samples of equal confidence have the mean of their r, so their order does not matter.
    The spline meets fewer than six samples exactly; a confidence of one of them then becomes 0 or 1.

    Example:
        >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
        >>> fit_spline(logits, np.array([0, 0, 0, 1])).apply(logits[:1]).round(12).tolist()
        [[0.75, 0.25]]
    """
    require_fit_part(logits, labels)
    probs = softmax(logits)
    confidences, group, sizes = np.unique(probs.max(axis=1), return_inverse=True, return_counts=True)
    excess = confidences - np.bincount(group, weights=logits.argmax(axis=1) == labels) / sizes
    cumulative = np.append(0.0, np.cumsum(np.repeat(excess, sizes))) / labels.size
    ends = np.append(0, np.cumsum(sizes))
    slope = np.diff(_smooth(cumulative)[ends]) * labels.size / sizes
    return FittedSpline(confidences, confidences - slope)


def _smooth(cumulative: Float64[np.ndarray, " points"]) -> Float64[np.ndarray, " points"]:
    """Return at equally distant points of [0, 1] the natural cubic spline that is nearest to the values there."""
    cardinal = CubicSpline(np.linspace(0, 1, N_KNOTS), np.eye(N_KNOTS), bc_type="natural")  # 1 at a knot, 0 at others
    basis = cardinal(np.linspace(0, 1, cumulative.size))
    return basis @ np.linalg.lstsq(basis, cumulative)[0]


def _with_highest(
    probability: Float64[np.ndarray, " n"], logits: Float64[np.ndarray, "n classes"]
) -> Float64[np.ndarray, "n classes"]:
    """Return the softmax of each row times the factor at which its highest probability is nearest to the given one."""
    gaps = logits.max(axis=1, keepdims=True) - logits
    require_logits(gaps)  # the difference of finite values need not be finite
    widest = gaps.max(axis=1, keepdims=True)
    gaps /= np.where(widest > 0, widest, 1.0)
    others = gaps.copy()
    others[np.arange(len(logits)), logits.argmax(axis=1)] = gaps[:, 0]
    with np.errstate(divide="ignore"):
        log_odds = np.log1p(-probability) - np.log(probability)
    start = np.clip(widest[:, 0], FLATTEST, STEEPEST)
    return softmax(-_factors(others[:, 1:], log_odds, start)[:, np.newaxis] * gaps)


def _factors(
    gaps: Float64[np.ndarray, "n others"], log_odds: Float64[np.ndarray, " n"], start: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Return the factors beta in the bounds at which ``log sum_k exp(-beta gaps_k)`` is nearest to ``log_odds``.

    It is convex and falls with beta, so Newton's method comes to the solution from below, from its second step on at
    the latest, and ends at a bound where the solution lies beyond.

    Args:
        gaps: How far the other logits of a row lie below its highest, in parts of the widest gap.
        log_odds: Logarithm of the odds against the highest.
        start: Factors with which the search starts.
    """
    factors = start.copy()
    active = np.flatnonzero(gaps.any(axis=1))  # where all logits are equal every factor does
    nearest = gaps.min(axis=1)
    while active.size:
        weights = np.exp(-factors[active, np.newaxis] * (gaps[active] - nearest[active, np.newaxis]))
        total = weights.sum(axis=1)
        missing = np.log(total) - factors[active] * nearest[active] - log_odds[active]
        slope = np.einsum("nk,nk->n", weights, gaps[active]) / total
        with np.errstate(over="ignore"):
            step = missing / np.maximum(slope, np.finfo(np.float64).tiny)
        following = np.clip(factors[active] + step, FLATTEST, STEEPEST)
        moving = (np.abs(missing) > LOG_ODDS_TOLERANCE) & (following != factors[active])
        factors[active] = following
        active = active[moving]
    return factors
