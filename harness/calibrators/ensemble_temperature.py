"""Calibrator ``ensemble_temperature``: mixes the scaled softmax, the softmax and the uniform distribution.

The temperature is that of temperature scaling; the three weights then minimise NLL on the fit part, a convex problem.

Reference:
    Zhang, Kailkhura and Han, "Mix-n-Match: Ensemble and Compositional Methods for Uncertainty Calibration in Deep
    Learning", ICML 2020, section 4.1. The loss may be squared error or cross-entropy there; it is cross-entropy here.
    As in the code published with it the temperature is found first and then the weights, not all of them together.
    Its temperatures are in [0.05, 5], ours in the bounds of temperature scaling.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy.optimize import LinearConstraint, minimize

from harness.calibrators.abstract import AbstractFitted
from harness.calibrators.checks import require_fit_part
from harness.calibrators.temperature import fit_temperature
from harness.metrics.checks import require_logits
from harness.metrics.predictions import softmax

GAP = 1e-6
"""How large the bound of the distance of NLL from its minimum may be without a reason."""


@dataclass(frozen=True, slots=True)
class FittedEnsembleTemperature(AbstractFitted):
    """Ensemble temperature scaling with known temperature and weights.

    Attributes:
        component_temperature: What the logits of the scaled softmax are divided by, positive.
        weight_scaled: Weight of the scaled softmax, in [0, 1].
        weight_unscaled: Weight of the softmax, in [0, 1].
        weight_uniform: Weight of the uniform distribution, in [0, 1]; the three sum to 1.
        notes: Why a parameter is not an ordinary optimum, by its name.
    """

    component_temperature: float
    weight_scaled: float
    weight_unscaled: float
    weight_uniform: float
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def parameters(self) -> dict[str, float]:
        """The temperature of the scaled softmax, and the weights."""
        return {
            "component_temperature": self.component_temperature,
            "weight_scaled": self.weight_scaled,
            "weight_unscaled": self.weight_unscaled,
            "weight_uniform": self.weight_uniform,
        }

    @property
    def reasons(self) -> dict[str, str]:
        """The reasons, where there are any."""
        return dict(self.notes)

    def apply(self, logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, "n classes"]:
        """Return ``w_1 softmax(logits / T) + w_2 softmax(logits) + w_3 / K``, with the classes in order.

        Example:
            >>> fitted = FittedEnsembleTemperature(2.0, 0.5, 0.25, 0.25)
            >>> fitted.apply(np.array([[np.log(9.0), 0.0]])).round(12).tolist()
            [[0.725, 0.275]]
        """
        require_logits(logits)
        scaled = softmax(logits.astype(np.float64) / self.component_temperature)
        uniform = 1 / logits.shape[1]
        mixed = self.weight_scaled * scaled + self.weight_unscaled * softmax(logits) + self.weight_uniform * uniform
        return mixed / mixed.sum(axis=1, keepdims=True)  # which differs from 1 by rounding alone


def fit_ensemble_temperature(
    logits: Float[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> FittedEnsembleTemperature:
    """Return ensemble temperature scaling at ``argmin_w mean -log (w . q)``.

    q are the probabilities of the label by softmax(z / T), by softmax(z) and by 1 / K; w is in the simplex; T is
    what `fit_temperature` finds, with its reason. Weights have a reason where several give the same NLL
    because T is 1, and where they were not found exactly enough.

    Example:
        >>> logits = np.array([[np.log(9.0), 0.0]] * 4)  # 90 % sure and right in 3 of 4
        >>> fitted = fit_ensemble_temperature(logits, np.array([0, 0, 0, 1]))
        >>> fitted.apply(logits[:1]).round(6).tolist()
        [[0.75, 0.25]]
    """
    require_fit_part(logits, labels)
    scaling = fit_temperature(logits, labels)
    row = np.arange(labels.size)
    components = np.stack(
        [
            scaling.apply(logits)[row, labels],
            softmax(logits)[row, labels],
            np.full(labels.size, 1 / logits.shape[1]),
        ],
        axis=1,
    )
    components = components[np.lexsort(components.T)]  # sums do not depend on the order of the samples
    weights = _weights(components)
    notes = [("component_temperature", scaling.reason)] if scaling.reason is not None else []
    if scaling.temperature == 1:
        notes.append(("weight_scaled", "NLL depends only on its sum with weight_unscaled: T is 1"))
    if _gap(weights, components) > GAP:
        notes.append(("weight_uniform", f"NLL is known to be minimal only to {_gap(weights, components):.1e}"))
    return FittedEnsembleTemperature(scaling.temperature, *map(float, weights), notes=tuple(notes))


def _weights(components: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " 3"]:
    """Return the weights in the simplex with the least NLL, given what each component says of the labels."""
    found = minimize(
        _loss,
        np.full(3, 1 / 3),
        args=(components, components[0, 2] / (2 * len(components))),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * 3,
        constraints=LinearConstraint(np.ones((1, 3)), 1.0, 1.0),
        options={"ftol": 1e-16, "maxiter": 1000},
    )
    weights = np.clip(found.x, 0.0, 1.0)
    return weights / weights.sum()


def _loss(
    weights: Float64[np.ndarray, " 3"], components: Float64[np.ndarray, "n 3"], floor: float
) -> tuple[float, Float64[np.ndarray, " 3"]]:
    """Return NLL and its gradient, -log continued by its tangent below the floor.

    At the minimum the mean over samples of component / mixture is at most 1 for each component, so no mixture is below
    1 / (K n): with the floor at half of that the minimum stays where it is, and everything is finite.
    """
    mixture = components @ weights
    above = np.maximum(mixture, floor)
    loss = -np.mean(np.log(above) + (mixture - above) / floor)
    return float(loss), -np.mean(components / above[:, np.newaxis], axis=0)


def _gap(weights: Float64[np.ndarray, " 3"], components: Float64[np.ndarray, "n 3"]) -> float:
    """Return an upper bound of how far NLL is above its minimum: by convexity, of the slopes towards the corners."""
    mixture = np.maximum(components @ weights, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        return float(np.mean(components / mixture[:, np.newaxis], axis=0).max() - 1)
