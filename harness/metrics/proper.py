"""Proper scoring rules: errors of the whole predicted distribution, minimal in expectation at the true one."""

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.undefined import Undefined

_BLOCK = 1 << 17

_CANCELS = 1e-3
"""Below it the sum of all p_k^2 and that of 1 - 2 p_label nearly cancel, and their sum loses digits."""


def negative_log_likelihood(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> float | Undefined:
    """Return the mean of -log p_label in nats, at least 0, lower is better.

    Undefined where a label has probability 0, whose loss is infinite; nothing is clipped.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).

    Example:
        >>> round(negative_log_likelihood(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 6)
        0.490415
    """
    of_label = probs[np.arange(labels.size), labels]
    if n_zero := int((of_label == 0).sum()):
        return Undefined(f"infinite: {n_zero} of {labels.size} labels have probability 0")
    return float(np.abs(np.log(of_label)).mean())


def brier_loss_sum(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> float:
    """Return the multiclass Brier score, in [0, 2], lower is better.

    ``1 / N sum_i sum_k (p_ik - [label_i = k])^2``.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).

    Example:
        >>> brier_loss_sum(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1]))
        0.3125

    Reference:
        Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review, 1950.
    """
    of_label = probs[np.arange(labels.size), labels]
    values = probs.ravel(order="K")  # no copy where they are contiguous
    total = values @ values + np.sum(1 - 2 * of_label)
    if total > _CANCELS * labels.size:
        return float(total / labels.size)
    return _brier_loss_sum_of_near_certain(probs, labels)


def _brier_loss_sum_of_near_certain(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> float:
    """Return the score without a difference of large sums; slower, since it copies the probabilities."""
    total, n_rows = 0.0, max(1, _BLOCK // probs.shape[1])
    for start in range(0, labels.size, n_rows):  # a block at a time, which bounds the memory
        error, of_block = probs[start : start + n_rows].copy(), labels[start : start + n_rows]
        error[np.arange(of_block.size), of_block] -= 1
        total += float(np.einsum("ik,ik->", error, error))
    return total / labels.size


def brier_loss(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> float:
    """Return the Brier score per class, in [0, 2 / K], lower is better: `brier_loss_sum` divided by K.

    The convention of the published tables.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).

    Example:
        >>> brier_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1]))
        0.15625
    """
    return brier_loss_sum(probs, labels) / probs.shape[1]
