"""Family ``accuracy``: how often the label is among the five most probable classes, and how even accuracy is."""

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.measurement import Family, Measurement
from harness.metrics.undefined import Undefined


def accuracy(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> dict[str, float | Undefined]:
    """Return how often the label is among the first five classes, and how even accuracy is.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    per_class = class_accuracies(probs, labels)
    return {
        "acc_top5": top5_accuracy(probs, labels),
        "acc_worst_class": worst_class_accuracy(per_class),
        "acc_class_gap": class_accuracy_gap(per_class),
    }


def top5_accuracy(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> float | Undefined:
    """Return the share of samples whose label is among the five most probable classes, in [0, 1], higher is better.

    Of equal probabilities the first class comes first, as in the prediction. Undefined for five classes or fewer, where
    it could only be 1.

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).

    Example:
        >>> top5_accuracy(np.full((2, 6), 1 / 6), np.array([4, 5]))
        0.5
    """
    n_classes = probs.shape[1]
    if n_classes <= 5:
        return Undefined(f"with {n_classes} classes every label is among the first five")
    of_label = probs[np.arange(labels.size), labels, np.newaxis]
    ahead = (probs > of_label) | ((probs == of_label) & (np.arange(n_classes) < labels[:, np.newaxis]))
    return float(np.mean(ahead.sum(axis=1) < 5))


def class_accuracies(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> Float64[np.ndarray, " occurring"]:
    """Return for each class that occurs among the labels the share of its samples that are predicted, in [0, 1].

    Args:
        probs: Class probabilities, shape (n, classes).
        labels: Classes, shape (n,).

    Example:
        >>> class_accuracies(np.array([[0.75, 0.25, 0.0], [0.75, 0.25, 0.0]]), np.array([0, 2])).tolist()
        [1.0, 0.0]
    """
    right = probs.argmax(axis=1) == labels
    counts, n_right = np.bincount(labels), np.bincount(labels, weights=right)
    return n_right[counts > 0] / counts[counts > 0]


def worst_class_accuracy(per_class: Float64[np.ndarray, " occurring"]) -> float:
    """Return the lowest accuracy of a class that occurs, in [0, 1], higher is better.

    Args:
        per_class: Accuracies of `class_accuracies`.

    Example:
        >>> worst_class_accuracy(np.array([0.5, 0.75]))
        0.5
    """
    return float(per_class.min())


def class_accuracy_gap(per_class: Float64[np.ndarray, " occurring"]) -> float:
    """Return the highest less the lowest accuracy of a class that occurs, in [0, 1], lower is better.

    Args:
        per_class: Accuracies of `class_accuracies`.

    Example:
        >>> class_accuracy_gap(np.array([0.5, 0.75]))
        0.25
    """
    return float(np.ptp(per_class))


ACCURACY = Family(
    "accuracy",
    version=1,
    measurements=(
        Measurement(
            name="acc_top5",
            unit="fraction",
            higher_is_better=True,
            definition="share of the samples whose label is among the five most probable classes; null where K <= 5",
            formula="mean of [label among the five highest p_k], of equal ones the first",
            source="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015",
            function=top5_accuracy,
        ),
        Measurement(
            name="acc_worst_class",
            unit="fraction",
            higher_is_better=True,
            definition="accuracy of the class that is predicted worst",
            formula="min_k of the mean r where label = k, over the k that occur",
            source="Sagawa et al., Distributionally Robust Neural Networks, ICLR 2020, with classes as groups",
            function=worst_class_accuracy,
        ),
        Measurement(
            name="acc_class_gap",
            unit="fraction",
            definition="accuracy of the class that is predicted best less that of the worst",
            formula="max_k - min_k of the mean r where label = k, over the k that occur",
            source="Own definition, from acc_worst_class",
            function=class_accuracy_gap,
        ),
    ),
    function=accuracy,
)
