"""Refuses logits of another model than the one a calibrator with parameters of each class was fitted to."""

import numpy as np
from jaxtyping import Float

from harness.metrics.checks import require_logits


def require_logits_of(n_classes: int, logits: Float[np.ndarray, "n classes"]) -> None:
    """Raises unless ``logits`` is a floating-point array (n, n_classes) of finite values.

    Raises:
        TypeError: If the dtype is not floating point.
        ValueError: If the shape is wrong or a value is NaN or infinite.
    """
    require_logits(logits)
    if logits.shape[1] != n_classes:
        raise ValueError(f"logits: expected {n_classes} classes as in the fit part, got shape {logits.shape}")
