"""What follows for a network from its stored numbers about confidence."""

import numpy as np
from jaxtyping import Float64


def confidence_gap(
    right: Float64[np.ndarray, " networks"],
    sure: Float64[np.ndarray, " networks"],
    unsure: Float64[np.ndarray, " networks"],
) -> Float64[np.ndarray, " networks"]:
    """Return |mean confidence - accuracy| of each network, in [0, 1].

    Args:
        right: Accuracies.
        sure: Mean confidences where right.
        unsure: Mean confidences where wrong.
    """
    # Of a network that is always right, or never, one of the two confidences is undefined and weighs nothing.
    return np.abs(np.where(right > 0, right * sure, 0) + np.where(right < 1, (1 - right) * unsure, 0) - right)
