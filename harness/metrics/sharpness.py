"""Family ``sharpness``: how decided the predictions are, which the labels have no part in, and net over-confidence."""

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.measurement import Family, Measurement
from harness.metrics.ood import predictive_entropy
from harness.metrics.wording import GUO


def sharpness(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> dict[str, float]:
    """Return how decided the predictions are, and their net over-confidence.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    return {
        "mean_entropy": mean_entropy(probs),
        "mean_margin": mean_margin(probs),
        "mean_confidence": mean_confidence(probs),
        "net_over_confidence": net_over_confidence(probs, labels),
    }


def mean_entropy(probs: Float64[np.ndarray, "n classes"]) -> float:
    """Return the mean entropy of the predictions in nats, in [0, log classes]; sharp predictions have little.

    ``1 / N sum_i -sum_k p_ik log p_ik`` with ``0 log 0 = 0``.

    Args:
        probs: Class probabilities, shape (n, classes).

    Example:
        >>> round(mean_entropy(np.array([[0.5, 0.5], [0.0, 1.0]])), 6)
        0.346574
    """
    return float(predictive_entropy(probs).mean())


def mean_margin(probs: Float64[np.ndarray, "n classes"]) -> float:
    """Return the mean lead of the highest probability over the second, in [0, 1].

    Args:
        probs: Class probabilities, shape (n, classes).

    Example:
        >>> mean_margin(np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]))
        0.125
    """
    highest = np.partition(probs, -2, axis=1)[:, -2:]
    return float(np.mean(highest[:, 1] - highest[:, 0]))


def mean_confidence(probs: Float64[np.ndarray, "n classes"]) -> float:
    """Return the mean of the highest probabilities, in [1 / classes, 1].

    Args:
        probs: Class probabilities, shape (n, classes).

    Example:
        >>> mean_confidence(np.array([[0.5, 0.5], [0.25, 0.75]]))
        0.625
    """
    return float(probs.max(axis=1).mean())


def net_over_confidence(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> float:
    """Return mean confidence less accuracy, in [-1, 1]; 0 is best, above 0 is over-confident.

    Errors of opposite sign cancel, so its size is at most any ECE.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).

    Example:
        >>> net_over_confidence(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([1, 1]))
        0.125
    """
    return float(mean_confidence(probs) - np.mean(probs.argmax(axis=1) == labels))


SHARPNESS = Family(
    "sharpness",
    version=1,
    measurements=(
        Measurement(
            name="mean_entropy",
            unit="nat",
            upper=None,
            higher_is_better=None,
            definition="mean entropy of the predictions; sharp ones have little",
            formula="mean of -sum_k p_k log p_k",
            source="Shannon, A Mathematical Theory of Communication, Bell System Technical Journal, 1948",
            function=mean_entropy,
        ),
        Measurement(
            name="mean_margin",
            higher_is_better=None,
            definition="mean lead of the highest probability over the second",
            formula="mean of the highest less the second highest p_k",
            source="Scheffer, Decomain, Wrobel, Active Hidden Markov Models for Information Extraction, IDA 2001",
            function=mean_margin,
        ),
        Measurement(
            name="mean_confidence",
            higher_is_better=None,
            definition="mean confidence of the predictions",
            formula="mean c",
            source=GUO,
            function=mean_confidence,
        ),
        Measurement(
            name="net_over_confidence",
            lower=-1.0,
            higher_is_better=None,
            definition="mean confidence less accuracy; 0 is best, above it is over-confident",
            formula="mean c - mean r = over_confidence_15 - under_confidence_15",
            source=GUO,
            function=net_over_confidence,
        ),
    ),
    function=sharpness,
)
