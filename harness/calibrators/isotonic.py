"""Calibrator ``isotonic``: replaces the probability of a class by a rising function of it, the best in least squares.

Each class is fitted by itself, against the rest, and the results of all classes are normalised.

Reference:
    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002,
    sections 3 and 4. Between the samples of the fit part the function is linear, as scikit-learn has it; theirs is a
    step function.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer
from scipy.optimize import isotonic_regression

from harness.calibrators.abstract import AbstractNonparametric
from harness.calibrators.checks import require_fit_part, require_logits_of
from harness.calibrators.one_vs_rest import normalised
from harness.metrics.predictions import softmax


class Rising(NamedTuple):
    """A rising function: linear between its knots, constant beyond them.

    Attributes:
        knots: Places, rising.
        values: Its values there.
    """

    knots: Float64[np.ndarray, " n_knots"]
    values: Float64[np.ndarray, " n_knots"]

    def __call__(self, places: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the values at some places."""
        return np.interp(places, self.knots, self.values)


@dataclass(frozen=True, slots=True)
class FittedIsotonic(AbstractNonparametric):
    """Isotonic regression with known functions.

    Attributes:
        functions: Of each class, fitted to its softmax probabilities.
    """

    functions: tuple[Rising, ...]

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return the functions of ``softmax(logits)``, each row divided by its sum.

        Beyond the probabilities of the fit part a function keeps its first or last value. A row all of whose values
        are 0 becomes uniform. The order of the classes may change.
        """
        require_logits_of(len(self.functions), logits)
        probs = softmax(logits)
        values = [function(probs[:, k]) for k, function in enumerate(self.functions)]
        return normalised(np.stack(values, axis=1))


def fit_isotonic(logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> FittedIsotonic:
    """Return isotonic regression with the function of class k ``argmin_f sum_i (f(p_ik) - [y_i = k])^2``, f rising.

    p is the softmax. Samples of equal probability count as one of their weight and mean. The function of a class
    without samples is 0.

    Example:
        >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
        >>> fit_isotonic(logits, np.array([0, 0, 0, 1])).apply(logits[:1]).tolist()
        [[0.75, 0.25]]
    """
    require_fit_part(logits, labels)
    probs = softmax(logits)
    return FittedIsotonic(tuple(_function(probs[:, k], labels == k) for k in range(logits.shape[1])))


def _function(probability: Float64[np.ndarray, " n"], outcome: Bool[np.ndarray, " n"]) -> Rising:
    knots, place, weights = np.unique(probability, return_inverse=True, return_counts=True)
    means = np.bincount(place, outcome) / weights
    return Rising(knots, isotonic_regression(means, weights=weights).x)
