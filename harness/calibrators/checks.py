"""Refuses what no calibrator can be fitted to, and logits of another model than the one that it was fitted to."""

import numpy as np
from jaxtyping import Float, Integer

from harness.metrics.checks import require_labels, require_logits


def require_fit_part(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> None:
    """Raises unless ``logits`` and ``labels`` are of the same samples and a calibrator can be fitted to them.

    Args:
        logits: Expected: floating point, shape (n, classes), n >= 1, classes >= 2, finite.
        labels: Expected: integer, shape (n,), in 0 .. classes - 1.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong.
    """
    require_logits(logits)
    require_labels(labels, n_samples=logits.shape[0], n_classes=logits.shape[1])


def require_logits_of(n_classes: int, logits: Float[np.ndarray, "n classes"]) -> None:
    """Raises unless ``logits`` is a floating-point array (n, n_classes) of finite values.

    Raises:
        TypeError: If the dtype is not floating point.
        ValueError: If the shape is wrong or a value is NaN or infinite.
    """
    require_logits(logits)
    if logits.shape[1] != n_classes:
        raise ValueError(f"logits: expected {n_classes} classes as in the fit part, got shape {logits.shape}")
