"""The calibrators of protocol ``paper``: as the code of the published study had them, in float32.

Their probabilities are float64 arrays, as those of every calibrator, of values that float32 holds exactly.

Reference:
    Tao et al., "A Benchmark Study on Calibration", ICLR 2024; the grid is that of Mukhoti et al., "Calibrating
    Deep Neural Networks using Focal Loss", NeurIPS 2020, and of the code published with it.
"""

from dataclasses import dataclass
from itertools import accumulate, repeat

import numpy as np
from jaxtyping import Float, Float32, Float64, Integer

from harness.calibrators.abstract import AbstractFitted, AbstractNonparametric
from harness.calibrators.checks import require_fit_part
from harness.metrics import softmax_float32
from harness.metrics.checks import require_logits
from harness.metrics.predictions import rank
from harness.metrics.top_label import expected_calibration_error

GRID_STEP, GRID_SIZE = 0.1, 100
"""The grid of temperatures: the step, 99 times added to itself."""

N_BINS = 15
"""Bins of the ECE by which a temperature is chosen."""


@dataclass(frozen=True, slots=True)
class FittedPublishedNone(AbstractNonparametric):
    """The float32 softmax; nothing was learned."""

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return ``softmax_float32(logits)``."""
        return softmax_float32(logits).astype(np.float64)


def fit_published_none(
    logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> FittedPublishedNone:
    """Return the float32 softmax, which does not depend on the fit part."""
    require_fit_part(logits, labels)
    return FittedPublishedNone()


@dataclass(frozen=True, slots=True)
class FittedPublishedTemperature(AbstractFitted):
    """Temperature scaling in float32 with a temperature of the grid.

    Attributes:
        temperature: What the logits are divided by, positive.
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
        """Return ``softmax_float32(logits / T)``, the logits and the quotient in float32.

        Raises:
            ValueError: Also if a logit or a quotient is too large for float32.
        """
        require_logits(logits)
        return softmax_float32(_divided(logits, self.temperature)).astype(np.float64)


def fit_published_temperature(
    logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> FittedPublishedTemperature:
    """Return temperature scaling at ``argmin_T ECE_15(softmax_float32(logits / T))`` over `temperature_grid`.

    Of temperatures with equal ECE the lowest is kept. T has a reason where it is the lowest or highest of the grid.

    Raises:
        ValueError: Also if a logit, or a logit divided by 0.1, is too large for float32.

    Example:
        >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
        >>> fit_published_temperature(logits, np.array([0, 0, 0, 1])).temperature
        2.0000000000000004
    """
    require_fit_part(logits, labels)
    grid = temperature_grid()
    best = int(np.argmin([_error(logits, labels, temperature) for temperature in grid]))  # the first of equals
    ends = {0: "lowest", len(grid) - 1: "highest"}
    return FittedPublishedTemperature(grid[best], f"the {ends[best]} of the grid" if best in ends else None)


def temperature_grid() -> tuple[float, ...]:
    """Return the 100 temperatures 0.1, 0.2, ... 10, each the sum of the one before and 0.1 with its rounding error.

    Example:
        >>> temperature_grid()[1:4], temperature_grid()[-1]
        ((0.2, 0.30000000000000004, 0.4), 9.99999999999998)
    """
    return tuple(accumulate(repeat(GRID_STEP, GRID_SIZE)))


def _error(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], temperature: float) -> float:
    probs = softmax_float32(_divided(logits, temperature))
    top = rank(probs.max(axis=1).astype(np.float64), probs.argmax(axis=1) == labels)
    return expected_calibration_error(top, N_BINS)


def _divided(logits: Float[np.ndarray, "n classes"], temperature: float) -> Float32[np.ndarray, "n classes"]:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which softmax_float32 refuses
        return logits.astype(np.float32) / np.float32(temperature)
