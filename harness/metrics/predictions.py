"""From logits to probabilities, and from probabilities to the binary events whose calibration is measured.

Every calibration error here compares predicted probabilities of an event with whether it happened. `Ranked` holds such
pairs in ascending order of probability, sorted once and shared by all the measurements: the event is "the prediction is
right" for the top-label ones and "the label is k" for the classwise ones.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer, UInt8

from harness.metrics.checks import ROW_SUM_TOLERANCE, require_logits


class Ranked(NamedTuple):
    """Predicted probabilities of one binary event per sample, ascending; equal ones keep the order of the samples.

    Attributes:
        probability: Predicted probabilities in [0, 1], ascending.
        outcome: Whether the event happened, in the same order.
        excess: Running sums of (probability - outcome): ``excess[i]`` is that of the i lowest, so the samples from
            i up to j - 1 together are over-confident by ``excess[j] - excess[i]``.
    """

    probability: Float64[np.ndarray, " n"]
    outcome: Bool[np.ndarray, " n"]
    excess: Float64[np.ndarray, " n+1"]


def softmax(logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
    """Return the class probabilities in float64, each row in [0, 1] and summing to 1.

    ``p_k = exp(z_k - max z) / sum_j exp(z_j - max z)``; computed in float64 whatever the dtype of the logits.

    Args:
        logits: Finite class scores, shape (n, classes).

    Returns:
        Probabilities, shape (n, classes).

    Raises:
        TypeError: If the dtype is not floating point.
        ValueError: If the shape is wrong or a value is NaN or infinite.

    Example:
        >>> softmax(np.array([[0.0, 1000.0], [2.0, 2.0]])).tolist()
        [[0.0, 1.0], [0.5, 0.5]]
    """
    require_logits(logits)
    scores = logits.astype(np.float64)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def sort_events(
    block: Float64[np.ndarray, "rows running"], events: Integer[np.ndarray, " happened"]
) -> UInt8[np.ndarray, "rows n"]:
    """Sort rows of probabilities, in place, and return whether the event of each happened, as 0 or 1.

    Probabilities in [0, 1] are ordered as the bits of their float64, so ``bits << 1 | outcome`` is an integer that
    carries both and sorts as the probability: values are sorted, which is much faster than an argsort and the gathers
    after it. Equal probabilities come in the order of their outcomes, not of the samples.

    Args:
        block: 0, then the n probabilities of each row, in [0, 1]; contiguous, shape (rows, n + 1).
        events: Places in the flattened block of the probabilities whose event happened, each once.

    Returns:
        The outcomes in the order of the sorted probabilities, shape (rows, n).

    Example:
        >>> block = np.array([[0.0, 0.75, 0.5]])
        >>> sort_events(block, np.array([1])), block
        (array([[0, 1]], dtype=uint8), array([[0.  , 0.5 , 0.75]]))
    """
    keys = block.view(np.uint64)
    keys <<= np.uint64(1)  # drops the sign of -0.0
    keys.reshape(-1)[events] |= np.uint64(1)
    keys[:, 1:].sort(axis=-1)
    happened = keys[:, 1:].astype(np.uint8) & np.uint8(1)
    keys >>= np.uint64(1)
    return happened


def rank(probability: Float64[np.ndarray, " n"], outcome: Bool[np.ndarray, " n"]) -> Ranked:
    """Return the pairs in ascending order of probability, with their running excess.

    Args:
        probability: Predicted probabilities of the event, shape (n,), in [0, 1].
        outcome: Whether it happened, shape (n,).

    Example:
        >>> rank(np.array([0.75, 0.5]), np.array([True, False])).excess.tolist()
        [0.0, 0.5, 0.25]
    """
    order = np.argsort(probability, kind="stable")
    probability, outcome = probability[order], outcome[order]
    return Ranked(probability, outcome, excess=np.append(0.0, np.cumsum(probability - outcome)))


def rank_top_label(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> Ranked:
    """Return the confidences ``max_k p_k``, ranked, with whether the predicted class was right.

    The predicted class is the first of the classes with the highest probability. Equal confidences come in the order
    of their outcomes: no top-label measurement parts them.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).
    """
    confidence = probs.max(axis=1)
    return rank_in_any_order(confidence, is_right(probs, labels, confidence))


def rank_in_any_order(probability: Float64[np.ndarray, " n"], outcome: Bool[np.ndarray, " n"]) -> Ranked:
    """Return what `rank` returns, faster, but with equal probabilities in the order of their outcomes.

    Args:
        probability: Predicted probabilities of the event, shape (n,), in [0, 1].
        outcome: Whether it happened, shape (n,).
    """
    block = np.append(0.0, probability)[np.newaxis]
    happened = sort_events(block, np.flatnonzero(outcome) + 1)[0]
    probability = block[0, 1:]
    return Ranked(probability, happened.astype(bool), excess=np.append(0.0, np.cumsum(probability - happened)))


def is_right(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], confidence: Float64[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Return whether ``argmax_k p_k``, the first of equals, is the label.

    An argmax of every row costs more than asking where it could be another class than that of the confidence.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).
        confidence: ``max_k p_k``, shape (n,).

    Example:
        >>> is_right(np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([0, 1]), np.array([0.5, 0.5])).tolist()
        [True, False]
    """
    right = probs[np.arange(labels.size), labels] == confidence
    several = confidence <= (1 + ROW_SUM_TOLERANCE) / 2  # above it no other class can have as much
    candidates = np.flatnonzero(right & several & (labels > 0))
    right[candidates] = probs[candidates].argmax(axis=1) == labels[candidates]
    return right


def rank_classes(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> list[Ranked]:
    """Return for each class k the probabilities ``p_k`` of all samples, ranked, with whether the label was k.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).
    """
    return [rank(probability, labels == k) for k, probability in enumerate(np.ascontiguousarray(probs.T))]
