"""Calibrator ``temperature``: divides the logits by the one temperature that minimises NLL on the fit part.

In the inverse temperature beta = 1 / T the loss is convex, so its slope is monotone: either it changes sign within the
bounds, and the sign change is the optimum, or the optimum lies at or beyond a bound.

Reference:
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy.optimize import root_scalar

from harness.calibrators.abstract import AbstractCalibrator, AbstractFitted
from harness.metrics.checks import require_labels, require_logits
from harness.metrics.predictions import softmax

LOWEST_TEMPERATURE = 0.01
"""Lower bound of the fitted temperature, reached by separable logits."""

HIGHEST_TEMPERATURE = 100.0
"""Upper bound of the fitted temperature, reached by logits that know nothing of the labels."""

INVERSE_TOLERANCE = 1e-12
"""How exactly 1 / T is found: as dT = T^2 d(1 / T), T is exact to 1e-8 at its upper bound and better below."""


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

        Args:
            logits: Finite class scores, shape (n, classes).

        Raises:
            TypeError: If the dtype is not floating point.
            ValueError: If the shape is wrong or a value is NaN or infinite.

        Example:
            >>> FittedTemperature(2.0).apply(np.array([[np.log(9.0), 0.0]])).round(12).tolist()
            [[0.75, 0.25]]
        """
        require_logits(logits)
        return softmax(logits.astype(np.float64) / self.temperature)


@dataclass(frozen=True, slots=True)
class TemperatureCalibrator(AbstractCalibrator):
    """Temperature scaling, T in [0.01, 100] at the minimum of NLL."""

    @property
    def name(self) -> str:
        """Name in the table of calibrators."""
        return "temperature"

    @property
    def version(self) -> int:
        """Version of the probabilities."""
        return 1

    def fit(self, logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedTemperature:
        """Return temperature scaling at ``argmin_T mean -log softmax(logits / T)_label``, T in [0.01, 100].

        T is a bound, with a reason, where the optimum is there or beyond; and 1, with a reason, where NLL does not
        depend on T because every row of logits is constant.

        Args:
            logits: Finite class scores, shape (n, classes), n >= 1, classes >= 2.
            labels: Classes, shape (n,), in 0 .. classes - 1.

        Raises:
            TypeError: If a dtype is wrong.
            ValueError: If a shape or a value is wrong.

        Example:
            >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
            >>> round(TemperatureCalibrator().fit(logits, np.array([0, 0, 0, 1])).temperature, 9)
            2.0
        """
        require_logits(logits)
        require_labels(labels, n_samples=logits.shape[0], n_classes=logits.shape[1])
        margins = _margins(logits.astype(np.float64), labels)
        lowest_inverse, highest_inverse = 1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE
        if not margins.any():
            return FittedTemperature(1.0, "NLL does not depend on T: every row of logits is constant")
        if _slope(highest_inverse, margins) <= 0:
            return FittedTemperature(
                LOWEST_TEMPERATURE, f"at the lower bound {LOWEST_TEMPERATURE:g}: NLL still falls with falling T"
            )
        if _slope(lowest_inverse, margins) >= 0:
            return FittedTemperature(
                HIGHEST_TEMPERATURE, f"at the upper bound {HIGHEST_TEMPERATURE:g}: NLL still falls with rising T"
            )
        bracket = (lowest_inverse, highest_inverse)
        optimum = root_scalar(_slope, args=(margins,), method="brentq", bracket=bracket, xtol=INVERSE_TOLERANCE)
        return FittedTemperature(1 / optimum.root)


def _margins(
    logits: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> Float64[np.ndarray, "n classes"]:
    """Return how far each logit lies above that of the label."""
    return logits - logits[np.arange(labels.size), labels][:, np.newaxis]


def _slope(inverse_temperature: float, margins: Float64[np.ndarray, "n classes"]) -> float:
    """Return dNLL / dbeta, which rises with beta: the mean over samples of ``sum_k softmax(beta m)_k m_k``."""
    return float(np.sum(softmax(inverse_temperature * margins) * margins) / len(margins))
