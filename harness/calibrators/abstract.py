"""What a post-hoc calibrator is: fitted on held-out logits and labels, then applied to any logits of the same model.

What every calibrator expects and refuses is said here once, at `AbstractFitted.apply` and `Calibrator`. The file of
each says what is its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer


class AbstractFitted(ABC):
    """A map from logits to calibrated probabilities, with what was learned."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, float]:
        """Each learned parameter by its name."""

    @property
    @abstractmethod
    def reasons(self) -> dict[str, str]:
        """Why a parameter is not an ordinary optimum, by its name; empty if all are."""

    @abstractmethod
    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return calibrated class probabilities, each row in [0, 1] and summing to 1.

        Args:
            logits: Finite class scores, shape (n, classes), of the classes of the fit part.

        Raises:
            TypeError: If the dtype is not floating point.
            ValueError: If the shape is wrong or a value is NaN or infinite.
        """


class AbstractNonparametric(AbstractFitted):
    """A calibrator without parameters: what was learned, if anything, is a function or a table."""

    @property
    def parameters(self) -> dict[str, float]:
        """Empty."""
        return {}

    @property
    def reasons(self) -> dict[str, str]:
        """Empty."""
        return {}


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A way of calibrating.

    Attributes:
        name: Name by which a study asks for the calibrator.
        version: Raised whenever the calibrated probabilities change; part of a row's fingerprint.
        fit: Returns the calibrator fitted to held-out samples: to finite logits, shape (n, classes), n >= 1,
            classes >= 2, and labels in 0 .. classes - 1, shape (n,). Raises TypeError if a dtype is wrong, ValueError
            if a shape or a value is.
    """

    name: str
    version: int
    fit: Callable[[Float[np.ndarray, "n classes"], Integer[np.ndarray, " n"]], AbstractFitted]
