"""Calibrator ``temperature``: divides the logits by the one temperature that minimises NLL on the fit part.

In the inverse temperature beta = 1 / T the loss is convex, so its slope is monotone: either it changes sign within the
bounds, and the sign change is the optimum, or the optimum lies at or beyond a bound. Newton's method finds the sign
change in a few passes over the logits, within a bracket that each pass narrows.

Reference:
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Integer

from harness.calibrators.abstract import AbstractFitted
from harness.calibrators.checks import require_fit_part
from harness.metrics.checks import require_logits
from harness.metrics.predictions import softmax

LOWEST_TEMPERATURE = 0.01
"""Lower bound of the fitted temperature, reached by separable logits."""

HIGHEST_TEMPERATURE = 100.0
"""Upper bound of the fitted temperature, reached by logits that know nothing of the labels."""

TOLERANCE = 1e-8
"""Relative step of Newton's method that is the last: it leaves an error of the order of its square."""


class _Slope(NamedTuple):
    """dNLL / dbeta, and its own derivative, which is at least 0."""

    value: float
    derivative: float


@dataclass(frozen=True, slots=True)
class FittedTemperature(AbstractFitted):
    """Temperature scaling with a known temperature.

    Attributes:
        temperature: What the logits are divided by, positive; above 1 lowers the confidences.
        reason: Why the temperature is not an ordinary optimum, None if it is.
    """

    temperature: float
    reason: str | None = None

    @property
    def parameters(self) -> dict[str, float]:
        """The temperature."""
        return {"temperature": self.temperature}

    @property
    def reasons(self) -> dict[str, str]:
        """The reason, where there is one."""
        return {} if self.reason is None else {"temperature": self.reason}

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return ``softmax(logits / T)``, which keeps the order of the classes: the highest logit stays the highest.

        Example:
            >>> FittedTemperature(2.0).apply(np.array([[np.log(9.0), 0.0]])).round(12).tolist()
            [[0.75, 0.25]]
        """
        require_logits(logits)
        return softmax(logits.astype(np.float64) / self.temperature)


def fit_temperature(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedTemperature:
    """Return temperature scaling at ``argmin_T mean -log softmax(logits / T)_label``, T in [0.01, 100].

    T is a bound, with a reason, where the optimum is there or beyond; and 1, with a reason, where NLL does not
    depend on T because every row of logits is constant.

    Example:
        >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
        >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])).temperature, 9)
        2.0
    """
    require_fit_part(logits, labels)
    scores = _below_highest(logits)
    if not scores.any():
        return FittedTemperature(1.0, "NLL does not depend on T: every row of logits is constant")
    slope = partial(_slope, scores, float(scores[np.arange(labels.size), labels].mean()), np.empty_like(scores))
    lowest_inverse, highest_inverse = 1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE
    if slope(1.0).value > 0:
        if slope(lowest_inverse).value >= 0:
            return FittedTemperature(
                HIGHEST_TEMPERATURE, f"at the upper bound {HIGHEST_TEMPERATURE:g}: NLL still falls with rising T"
            )
        return FittedTemperature(1 / _sign_change(slope, lowest_inverse, 1.0))
    if slope(highest_inverse).value <= 0:
        return FittedTemperature(
            LOWEST_TEMPERATURE, f"at the lower bound {LOWEST_TEMPERATURE:g}: NLL still falls with falling T"
        )
    return FittedTemperature(1 / _sign_change(slope, 1.0, highest_inverse))


def _below_highest(logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
    """Return how far each logit lies from the highest of its row, at most 0."""
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    require_logits(scores)  # the difference of finite values need not be finite
    return scores


def _sign_change(slope: Callable[[float], _Slope], low: float, high: float) -> float:
    """Return where a rising slope is 0 that is at most 0 at ``low`` and above 0 at ``high``.

    Where a step of Newton's method would leave the bracket, or the last one has not halved the slope, the bracket is
    halved instead, on a logarithmic scale.
    """
    at, last = math.sqrt(low * high), math.inf
    while True:
        value, derivative = slope(at)
        low, high = (low, at) if value > 0 else (at, high)
        following = at - value / max(derivative, np.finfo(np.float64).tiny)
        if not low <= following <= high or abs(value) > last / 2:
            following = math.sqrt(low * high)
        if abs(following - at) <= TOLERANCE * at:
            return following
        at, last = following, abs(value)


def _slope(
    scores: Float64[np.ndarray, "n classes"], target: float, workspace: Float64[np.ndarray, "n classes"], inverse: float
) -> _Slope:
    """Return dNLL / dbeta, ``mean_i E_i z - target``, and its derivative, ``mean_i Var_i z``.

    E_i and Var_i are the mean and the variance over the classes of row i, weighted with ``softmax(beta z_i)``.

    Args:
        scores: Logits z, shape (n, classes), the highest of each row 0.
        target: Mean of those of the labels.
        workspace: Overwritten, shape (n, classes): fresh memory costs more than the arithmetic on it.
        inverse: Inverse temperature beta.
    """
    with np.errstate(over="ignore"):  # what float64 cannot hold has weight 0
        weights = np.multiply(scores, inverse, out=workspace)
    np.exp(weights, out=weights)
    total = weights.sum(axis=1)
    weights *= scores
    mean = weights.sum(axis=1) / total
    mean_square = np.einsum("nk,nk->n", weights, scores) / total
    return _Slope(float(mean.mean()) - target, float((mean_square - mean**2).mean()))
