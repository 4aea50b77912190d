"""Calibrator ``none``: the softmax of the model as it is, the *pre* side of every comparison."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer

from harness.calibrators.abstract import AbstractNonparametric
from harness.calibrators.checks import require_fit_part
from harness.metrics.predictions import softmax


@dataclass(frozen=True, slots=True)
class FittedNone(AbstractNonparametric):
    """The softmax; nothing was learned."""

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return ``softmax(logits)``."""
        return softmax(logits)


def fit_none(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedNone:
    """Return the softmax, which does not depend on the fit part."""
    require_fit_part(logits, labels)
    return FittedNone()
