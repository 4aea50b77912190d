"""The measurements as the code of the published study computed them, so that its numbers can be matched.

Protocol ``paper``: probabilities are a float32 softmax, KSCE depends on the order of equal confidences, NLL is clipped.
Everything else is as it is defined, of the float32 probabilities. Not to be used for anything but comparison.

Reference:
    Tao et al., "A Benchmark Study on Calibration", ICLR 2024, and the scripts published with it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Integer

from harness.metrics.checks import require_float32, require_logits
from harness.metrics.families import Measured, measure_with_reasons


def softmax_float32(logits: Float[np.ndarray, "n classes"]) -> Float32[np.ndarray, "n classes"]:
    """Return the class probabilities, every step computed in float32.

    ``p_k = exp(z_k - max z) / sum_j exp(z_j - max z)``. Between two classes a lead of 17 already gives exactly 1.

    Args:
        logits: Class scores, finite in float32, shape (n, classes).

    Raises:
        TypeError: If the dtype is not floating point.
        ValueError: If the shape is wrong or a value is NaN, infinite, or too large for float32.

    Example:
        >>> softmax_float32(np.array([[0.0, 20.0], [2.0, 2.0]])).max(axis=1).tolist()
        [1.0, 0.5]
    """
    require_logits(logits)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        scores = logits.astype(np.float32)
    require_logits(scores)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def measure_as_published(
    probs: Float32[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], families: Sequence[str] = ("study",)
) -> Measured:
    """Return what `measure_with_reasons` returns of the probabilities, but KSCE and NLL as published.

    Args:
        probs: Class probabilities, float32, shape (n, classes), n >= 1, classes >= 2, rows summing to 1 within 1e-5.
        labels: Classes, integer, shape (n,), in 0 .. classes - 1.
        families: Names of the families, at least one.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong, or a family unknown.

    Example:
        >>> probs, labels = np.array([[0.75, 0.25], [0.75, 0.25]], dtype=np.float32), np.array([0, 1])
        >>> measure_as_published(probs, labels).values["KSCE"]
        0.25
    """
    require_float32(probs)
    measured = measure_with_reasons(probs.astype(np.float64), labels, families)
    if "study" not in families:
        return measured
    own = {"KSCE": _kolmogorov_smirnov_error(probs, labels), "NLL": _clipped_negative_log_likelihood(probs, labels)}
    return Measured(
        values={**measured.values, **own},
        reasons={name: reason for name, reason in measured.reasons.items() if name not in own},
    )


def _kolmogorov_smirnov_error(probs: Float32[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> float:
    """Return ``max_i |sum_{j <= i} c_j / N - sum_{j <= i} r_j / N|`` over every i, the sum of c running in float32.

    Equal confidences keep the order of the samples, on which the maximum depends; the authors' sort is not stable.
    """
    confidence = probs.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    right = probs.argmax(axis=1)[order] == labels[order]
    running_confidence = np.cumsum(confidence[order], dtype=np.float32) / labels.size
    return float(np.abs(running_confidence - np.cumsum(right) / labels.size).max())


def _clipped_negative_log_likelihood(
    probs: Float32[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> float:
    """Return the mean of -log p_label, p_label clipped to [eps, 1 - eps] with the eps of float32, so at most 15.95."""
    eps = np.finfo(np.float32).eps
    of_label = np.clip(probs[np.arange(labels.size), labels], eps, 1 - eps)
    return float(-np.log(of_label.astype(np.float64)).mean())
