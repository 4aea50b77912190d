"""Ensemble temperature scaling against a grid and another parametrisation, and at the corners of the simplex."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from harness.calibrators import get

CALIBRATOR = get("ensemble_temperature")
NAMES = ("weight_scaled", "weight_unscaled", "weight_uniform")


def mixed_logits(n_samples, n_classes, *, truth, temperature, seed):
    """Logits, and labels drawn from the mixture with these weights."""
    rng = np.random.default_rng(seed)
    logits = 4 * rng.normal(size=(n_samples, n_classes))
    probs = truth[0] * softmax(logits / temperature, axis=1) + truth[1] * softmax(logits, axis=1) + truth[2] / n_classes
    return logits, (probs.cumsum(axis=1) < rng.random((n_samples, 1))).sum(axis=1).clip(max=n_classes - 1)


def components(logits, labels, temperature):
    row = np.arange(len(labels))
    scaled, plain = softmax(logits / temperature, axis=1)[row, labels], softmax(logits, axis=1)[row, labels]
    return np.stack([scaled, plain, np.full(len(labels), 1 / logits.shape[1])])


def least_of_a_grid(of_labels):
    """The least NLL of the weights, by a grid of the simplex that is refined around its best point."""
    centre, width, best = np.array([1 / 3, 1 / 3]), 1.0, np.inf
    for _ in range(25):
        for first in centre[0] + width * np.linspace(-1, 1, 9):
            for second in centre[1] + width * np.linspace(-1, 1, 9):
                weights = np.array([first, second, 1 - first - second])
                if weights.min() >= 0 and (loss := -np.log(weights @ of_labels).mean()) < best:
                    best, at = loss, weights[:2]
        centre, width = at, width * 0.6
    return best


CASES = [
    pytest.param((0.0, 0.7, 0.3), 2.0, id="label-noise"),
    pytest.param((0.5, 0.5, 0.0), 6.0, id="two-temperatures"),
    pytest.param((1.0, 0.0, 0.0), 3.0, id="temperature-alone"),
    pytest.param((0.0, 0.0, 1.0), 3.0, id="uniform"),
    pytest.param((0.3, 0.3, 0.4), 8.0, id="all-three"),
]


@pytest.mark.parametrize(("truth", "temperature"), CASES)
@pytest.mark.parametrize("n_classes", [2, 10])
def test_against_a_grid_and_another_parametrisation(truth, temperature, n_classes):
    logits, labels = mixed_logits(800, n_classes, truth=truth, temperature=temperature, seed=n_classes)
    parameters = CALIBRATOR.fit(logits, labels).parameters
    assert parameters["component_temperature"] == get("temperature").fit(logits, labels).temperature
    weights = np.array([parameters[name] for name in NAMES])
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    of_labels = components(logits, labels, parameters["component_temperature"])
    loss = -np.log(weights @ of_labels).mean()
    assert loss == pytest.approx(least_of_a_grid(of_labels), abs=1e-8)
    exponents = minimize(lambda x: -np.log(softmax(x) @ of_labels).mean(), np.zeros(3), method="BFGS", tol=1e-10)
    assert loss <= exponents.fun + 1e-10
    # by convexity this bounds how far the loss is from its minimum
    assert (of_labels / (weights @ of_labels)).mean(axis=1).max() - 1 < 1e-6


def test_label_noise_is_met_with_the_uniform_component():
    logits, labels = mixed_logits(20_000, 10, truth=(0.0, 0.7, 0.3), temperature=1.0, seed=1)
    parameters = CALIBRATOR.fit(logits, labels).parameters
    # other temperatures can stand in for a part of it
    assert parameters["weight_uniform"] == pytest.approx(0.3, abs=0.05)


def test_no_worse_than_its_components():
    logits, labels = mixed_logits(500, 5, truth=(0.3, 0.3, 0.4), temperature=4.0, seed=2)
    parameters = CALIBRATOR.fit(logits, labels).parameters
    of_labels = components(logits, labels, parameters["component_temperature"])
    loss = -np.log(np.array([parameters[name] for name in NAMES]) @ of_labels).mean()
    assert loss <= -np.log(of_labels).mean(axis=1).min() + 1e-12


def test_apply_is_the_mixture_and_keeps_the_order_of_the_classes():
    logits, labels = mixed_logits(500, 5, truth=(0.3, 0.3, 0.4), temperature=4.0, seed=3)
    fitted = CALIBRATOR.fit(logits, labels)
    p, probs = fitted.parameters, fitted.apply(logits)
    expected = p["weight_scaled"] * softmax(logits / p["component_temperature"], axis=1)
    expected += p["weight_unscaled"] * softmax(logits, axis=1) + p["weight_uniform"] / 5
    np.testing.assert_allclose(probs, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(probs.argmax(axis=1), logits.argmax(axis=1))
    assert "temperature" not in p


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_saturated_logits_that_are_wrong(scale):
    """The softmax gives some labels a probability of 0: only the uniform component makes NLL finite."""
    labels = np.arange(100) % 10
    shown = np.where(np.arange(100) < 80, labels, (labels + 1) % 10)
    parameters = CALIBRATOR.fit(1e4 * scale * np.eye(10)[shown], labels).parameters
    if scale == 1e4:  # the scaled softmax, with T = 100, is saturated as well
        # right in 8 of 10: 0.8 = 1 - 0.9 w
        assert parameters["weight_uniform"] == pytest.approx(0.2 / 0.9, abs=1e-6)
    assert parameters["weight_uniform"] > 0.2


def test_constant_logits_have_reasons():
    fitted = CALIBRATOR.fit(np.full((40, 4), 2.0), np.arange(40) % 4)
    assert fitted.reasons == {
        "component_temperature": "NLL does not depend on T: every row of logits is constant",
        "weight_scaled": "NLL depends only on its sum with weight_unscaled: T is 1",
    }


def test_the_reason_of_the_temperature_is_passed_on():
    labels = np.arange(100) % 10
    fitted = CALIBRATOR.fit(np.eye(10)[labels], labels)
    assert fitted.reasons == {"component_temperature": "at the lower bound 0.01: NLL still falls with falling T"}
    assert fitted.parameters["weight_scaled"] == pytest.approx(1, abs=1e-8)
