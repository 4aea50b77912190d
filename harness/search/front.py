"""The front of two objectives, both to be maximised: the area that it dominates."""

import numpy as np
from jaxtyping import Float64


def hypervolume(points: Float64[np.ndarray, "networks 2"], reference: Float64[np.ndarray, " 2"]) -> float:
    """Return the area of what lies above the reference point and below at least one of some points.

    Args:
        points: Two values each, higher is better.
        reference: Point from which the area is counted; what does not exceed it in both values adds nothing.

    Example:
        >>> hypervolume(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [1.0, 1.0]]), np.zeros(2))
        6.0
    """
    above = np.maximum(points - reference, 0.0)
    first, second = above[np.argsort(-above[:, 0], kind="stable")].T
    risen = np.diff(np.maximum.accumulate(second), prepend=0.0)  # by how much each point lifts those to its right
    return float(np.sum(first * risen))


def hypervolumes(
    points: Float64[np.ndarray, "evaluations 2"], reference: Float64[np.ndarray, " 2"]
) -> Float64[np.ndarray, " evaluations"]:
    """Return the area after each of some points in turn; it never falls. Arguments as of :func:`hypervolume`."""
    front, area = reference[None], 0.0
    areas = np.empty(len(points))
    for i, point in enumerate(points):
        if not (front >= point).all(axis=1).any():
            front = np.vstack([front[~(front <= point).all(axis=1)], point])
            area = max(area, hypervolume(front, reference))  # a sum of other terms may round to less
        areas[i] = area
    return areas
