"""Calibrator ``none``: the softmax of the model as it is, the *pre* side of every comparison."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer

from harness.calibrators.abstract import AbstractCalibrator, AbstractFitted
from harness.metrics.checks import require_labels, require_logits
from harness.metrics.predictions import softmax


@dataclass(frozen=True, slots=True)
class FittedNone(AbstractFitted):
    """The softmax; nothing was learned."""

    @property
    def parameters(self) -> dict[str, float]:
        """Empty."""
        return {}

    @property
    def reasons(self) -> dict[str, str]:
        """Empty."""
        return {}

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return ``softmax(logits)``."""
        return softmax(logits)


@dataclass(frozen=True, slots=True)
class NoCalibrator(AbstractCalibrator):
    """No calibration."""

    @property
    def name(self) -> str:
        """Name in the table of calibrators."""
        return "none"

    @property
    def version(self) -> int:
        """Version of the probabilities."""
        return 1

    def fit(self, logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedNone:
        """Return the softmax, having checked the arguments as every calibrator does."""
        require_logits(logits)
        require_labels(labels, n_samples=logits.shape[0], n_classes=logits.shape[1])
        return FittedNone()
