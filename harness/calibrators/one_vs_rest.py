"""From probabilities calibrated class by class, each against the rest, to distributions over the classes."""

import numpy as np
from jaxtyping import Float64


def normalised(probs: Float64[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
    """Return each row divided by its sum; a row of zeros, which says nothing, becomes uniform.

    Args:
        probs: Probabilities of each class against the rest, shape (n, classes), in [0, 1].

    Example:
        >>> normalised(np.array([[0.25, 0.75, 0.25, 0.0], [0.0, 0.0, 0.0, 0.0]])).tolist()
        [[0.2, 0.6, 0.2, 0.0], [0.25, 0.25, 0.25, 0.25]]
    """
    silent = ~probs.any(axis=1, keepdims=True)
    scaled = np.where(silent, 1.0, probs)
    return scaled / scaled.sum(axis=1, keepdims=True)
