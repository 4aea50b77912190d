"""Calibrator ``vector``: scales and shifts the logit of each class, with weights and biases that minimise NLL.

The loss is convex. It is minimised over the standardised logits ``x_k = (z_k - m_k) / s_k``, m and s the mean and the
standard deviation over the fit part, which are the same models better conditioned: ``w_k z_k + b_k = u_k x_k + c_k``.
Bounds on u and c hold the solution where the loss has no minimum; they do not depend on the scale of the logits. NLL
does not change with a constant added to all c; half the square of their mean is added to it, which makes that mean 0
and leaves the minimum where it is.

Reference:
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2. The bounds are ours.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy.optimize import minimize
from scipy.special import logsumexp

from harness.calibrators.abstract import AbstractFitted
from harness.calibrators.checks import require_fit_part, require_logits_of
from harness.metrics.predictions import softmax

WEIGHT_BOUND = 20.0
"""Bound of the size of u_k, the standard deviation over the fit part of what the logit of a class becomes."""

BIAS_BOUND = 10.0
"""Bound of the size of c_k, the mean over the fit part of what it becomes, the mean over all classes being 0."""

SLOPE_TOLERANCE = 1e-9
"""Slope of NLL, off the bounds, at which the search ends."""

SLOPE_LIMIT = 1e-6
"""Slope of NLL, off the bounds, above which the search counts as having failed."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedVector(AbstractFitted):
    """Vector scaling with known weights and biases.

    Attributes:
        weights: What the logits of each class are multiplied by, shape (classes,).
        biases: What is then added to them, shape (classes,), of mean 0.
        notes: Why a parameter is not an ordinary optimum, by its name.
    """

    weights: Float64[np.ndarray, " classes"]
    biases: Float64[np.ndarray, " classes"]
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def parameters(self) -> dict[str, float]:
        """``weight_0``, ... and ``bias_0``, ... of the classes."""
        weights = {f"weight_{k}": float(weight) for k, weight in enumerate(self.weights)}
        return weights | {f"bias_{k}": float(bias) for k, bias in enumerate(self.biases)}

    @property
    def reasons(self) -> dict[str, str]:
        """The reasons, where there are any."""
        return dict(self.notes)

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return ``softmax(w * logits + b)``, in which the order of the classes may change.

        Example:
            >>> fitted = FittedVector(np.array([0.5, 1.0]), np.array([0.0, 0.0]))
            >>> fitted.apply(np.array([[np.log(9.0), 0.0]])).round(12).tolist()
            [[0.75, 0.25]]
        """
        require_logits_of(len(self.weights), logits)
        return softmax(self.weights * logits.astype(np.float64) + self.biases)


def fit_vector(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedVector:
    """Return vector scaling at ``argmin_{w, b} mean -log softmax(w * logits + b)_label``.

    The search starts from w = 1, b = 0, so where NLL does not depend on a weight, because the logits of its class
    are constant, it stays 1. With u and c of the module, ``|u_k| <= 20`` and ``|c_k| <= 10``. Parameters have a
    reason where

    - they are at a bound,
    - every sample is right, by which NLL falls without end with rising weights,
    - no sample is of the class, by which NLL falls without end with its falling bias,
    - or the search ended away from a minimum.

    Raises:
        ValueError: Also if a logit is too large for a standard deviation in float64.

    Example:
        >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
        >>> fit_vector(logits, np.array([0, 0, 0, 1])).apply(logits[:1]).round(6).tolist()
        [[0.75, 0.25]]
    """
    require_fit_part(logits, labels)
    order = np.lexsort((labels, *logits.T))  # sums do not depend on the order of the samples
    scores, labels = logits[order].astype(np.float64), labels[order]
    mean, deviation = _moments(scores)
    standardised = (scores - mean) / deviation
    n_classes = logits.shape[1]
    bounds = np.repeat([WEIGHT_BOUND, BIAS_BOUND], n_classes)
    found = minimize(
        _loss,
        np.clip(np.append(deviation, mean - mean.mean()), -bounds, bounds),  # w = 1, b = 0
        args=(standardised, labels),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([-bounds, bounds], axis=1),
        options={"ftol": 0.0, "gtol": SLOPE_TOLERANCE, "maxiter": 10_000, "maxfun": 20_000, "maxcor": 20},
    )
    weights = found.x[:n_classes] / deviation
    biases = found.x[n_classes:] - weights * mean
    notes = _notes(found.x, bounds, standardised, labels)
    return FittedVector(weights, biases - biases.mean(), tuple(notes.items()))


def _moments(
    scores: Float64[np.ndarray, "n classes"],
) -> tuple[Float64[np.ndarray, " classes"], Float64[np.ndarray, " classes"]]:
    """Return mean and standard deviation of each class, 1 where its logits are constant."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = scores.mean(axis=0), scores.std(axis=0)
    if not np.isfinite(deviation).all():
        raise ValueError("logits: expected finite values, got some whose squares float64 cannot hold")
    return mean, np.where((scores == scores[0]).all(axis=0) | (deviation == 0), 1.0, deviation)


def _loss(
    solution: Float64[np.ndarray, " parameters"],
    standardised: Float64[np.ndarray, "n classes"],
    labels: Integer[np.ndarray, " n"],
) -> tuple[float, Float64[np.ndarray, " parameters"]]:
    """Return mean NLL of ``u x + c`` plus half the square of the mean of c, and its gradient in u and then c."""
    row, n_classes = np.arange(labels.size), standardised.shape[1]
    scores = solution[:n_classes] * standardised + solution[n_classes:]
    mean_bias = solution[n_classes:].mean()
    loss = np.mean(logsumexp(scores, axis=1) - scores[row, labels]) + mean_bias**2 / 2
    excess = softmax(scores)
    excess[row, labels] -= 1
    return float(loss), np.append((excess * standardised).mean(axis=0), excess.mean(axis=0) + mean_bias / n_classes)


def _notes(
    solution: Float64[np.ndarray, " parameters"],
    bounds: Float64[np.ndarray, " parameters"],
    standardised: Float64[np.ndarray, "n classes"],
    labels: Integer[np.ndarray, " n"],
) -> dict[str, str]:
    """Return why the parameters are no ordinary optimum; of several reasons the most telling."""
    row, n_classes = np.arange(labels.size), standardised.shape[1]
    scores = solution[:n_classes] * standardised + solution[n_classes:]
    of_labels = scores[row, labels]
    scores[row, labels] = -np.inf
    is_separated = bool((of_labels > scores.max(axis=1)).all())
    slope = _loss(solution, standardised, labels)[1]
    is_free = (np.abs(solution) < bounds) | (slope * solution > 0)  # slopes that point inwards count as well
    names = [f"{kind}_{k}" for kind in ("weight", "bias") for k in range(n_classes)]
    notes = {}
    if np.abs(slope[is_free]).max(initial=0.0) > SLOPE_LIMIT:
        notes |= dict.fromkeys(names, "the search ended away from a minimum of NLL")
    for name, size, bound in zip(names, np.abs(solution), bounds, strict=True):
        if size >= bound:
            notes[name] = f"at the bound {bound:g} of a standardised logit"
    if is_separated:
        notes |= dict.fromkeys(names[:n_classes], "NLL falls without end with rising weights: every sample is right")
    for k in np.flatnonzero(np.bincount(labels, minlength=n_classes) == 0):
        notes[f"bias_{k}"] = "NLL falls without end with falling bias: no sample is of the class"
    return notes
