"""What a post-hoc calibrator is: fitted on held-out logits and labels, then applied to any logits of the same model."""

from abc import ABC, abstractmethod

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
            logits: Finite class scores, shape (n, classes).

        Raises:
            TypeError: If the dtype is not floating point.
            ValueError: If the shape is wrong or a value is NaN or infinite.
        """


class AbstractCalibrator(ABC):
    """A way of calibrating."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name by which a study asks for the calibrator."""

    @property
    @abstractmethod
    def version(self) -> int:
        """Raised whenever the calibrated probabilities change; part of a row's fingerprint."""

    @abstractmethod
    def fit(self, logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> AbstractFitted:
        """Return the calibrator fitted to the logits and labels of held-out samples.

        Args:
            logits: Finite class scores, shape (n, classes), n >= 1, classes >= 2.
            labels: Classes, shape (n,), in 0 .. classes - 1.

        Raises:
            TypeError: If a dtype is wrong.
            ValueError: If a shape or a value is wrong.
        """
