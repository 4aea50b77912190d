"""Vector scaling against an independent minimiser, in closed form, and where the loss has no minimum."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from harness.calibrators import get

CALIBRATOR = get("vector")


def random_logits(n_samples, n_classes, *, scale, seed):
    """Logits of which each class has its own offset and its own confidence."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    logits = scale * (rng.normal(size=(n_samples, n_classes)) + 1.5 * np.eye(n_classes)[labels])
    return logits * rng.uniform(0.5, 2, n_classes) + scale * rng.normal(size=n_classes), labels


def nll(weights, biases, logits, labels):
    return -log_softmax(weights * logits + biases, axis=1)[np.arange(len(labels)), labels].mean()


def minimise(logits, labels):
    """Weights and biases by PyTorch's own L-BFGS on the logits as they are."""
    logits, labels = torch.tensor(logits), torch.tensor(labels)
    weights = torch.ones(logits.shape[1], dtype=torch.float64, requires_grad=True)
    biases = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights, biases], max_iter=5000, tolerance_grad=1e-11, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(weights * logits + biases, labels)
        loss.backward()
        return loss

    optimiser.step(closure)
    return weights.detach().numpy(), biases.detach().numpy()


@pytest.mark.parametrize("n_classes", [2, 5, 20])
@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0])
def test_against_a_minimiser_in_torch(n_classes, scale):
    logits, labels = random_logits(800, n_classes, scale=scale, seed=n_classes)
    fitted = CALIBRATOR.fit(logits, labels)
    weights, biases = minimise(logits, labels)
    found = nll(weights, biases, logits, labels)
    assert nll(fitted.weights, fitted.biases, logits, labels) == pytest.approx(found, abs=1e-12)
    np.testing.assert_allclose(fitted.weights, weights, rtol=0, atol=1e-5)
    np.testing.assert_allclose(fitted.biases, biases - biases.mean(), rtol=0, atol=1e-5)
    assert fitted.reasons == {}


def test_parameters_are_named_by_class():
    fitted = CALIBRATOR.fit(*random_logits(200, 2, scale=1.0, seed=1))
    assert list(fitted.parameters) == ["weight_0", "weight_1", "bias_0", "bias_1"]
    assert fitted.parameters["weight_1"] == fitted.weights[1]
    assert fitted.parameters["bias_0"] == fitted.biases[0] == pytest.approx(-fitted.biases[1], abs=1e-12)


def test_mean_probabilities_are_the_shares_of_the_classes():
    """The condition of the optimum in b; and in w: the logits average alike under probabilities and labels."""
    logits, labels = random_logits(500, 6, scale=2.0, seed=2)
    probs = CALIBRATOR.fit(logits, labels).apply(logits)
    np.testing.assert_allclose(probs.mean(axis=0), np.bincount(labels) / 500, atol=1e-8)
    np.testing.assert_allclose((probs * logits).mean(axis=0), (np.eye(6)[labels] * logits).mean(axis=0), atol=1e-7)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_scaling_and_shifting_the_logits_of_a_class_changes_nothing(scale):
    logits, labels = random_logits(300, 4, scale=1.0, seed=3)
    moved = scale * logits * np.array([1, 2, 0.5, 1]) + scale * np.array([5, 0, -3, 1])
    as_they_are, scaled = CALIBRATOR.fit(logits, labels), CALIBRATOR.fit(moved, labels)
    np.testing.assert_allclose(scaled.apply(moved), as_they_are.apply(logits), rtol=0, atol=1e-7)


def test_never_worse_than_temperature_scaling():
    logits, labels = random_logits(600, 10, scale=4.0, seed=4)
    temperature, fitted = get("temperature").fit(logits, labels).temperature, CALIBRATOR.fit(logits, labels)
    assert nll(fitted.weights, fitted.biases, logits, labels) < nll(1 / temperature, 0.0, logits, labels)


SEPARATED = "NLL falls without end with rising weights: every sample is right"
MISSING = "NLL falls without end with falling bias: no sample is of the class"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_separable(scale):
    labels = np.arange(60) % 3
    logits = scale * (np.eye(3)[labels] + 0.1 * np.random.default_rng(5).normal(size=(60, 3)))
    fitted = CALIBRATOR.fit(logits, labels)
    assert {name: fitted.reasons[name] for name in ("weight_0", "weight_1", "weight_2")} == dict.fromkeys(
        ("weight_0", "weight_1", "weight_2"), SEPARATED
    )
    assert fitted.apply(logits)[np.arange(60), labels].min() > 0.999


def test_a_class_without_samples_keeps_the_probability_of_the_bound():
    logits, labels = random_logits(600, 4, scale=1.0, seed=6)
    logits, labels = logits[labels != 2], labels[labels != 2]
    fitted = CALIBRATOR.fit(logits, labels)
    assert fitted.reasons["bias_2"] == MISSING
    mean = fitted.weights * logits.mean(axis=0) + fitted.biases
    # the bound is -10, and the others make up for it in the mean
    assert mean[2] - mean[[0, 1, 3]].mean() == pytest.approx(-10 - 10 / 3, abs=0.01)
    assert 0 < fitted.apply(logits)[:, 2].max() < 0.01


def test_a_constant_class_keeps_its_weight():
    logits, labels = random_logits(300, 3, scale=1.0, seed=7)
    logits[:, 1] = 0.1
    fitted = CALIBRATOR.fit(logits, labels)
    assert fitted.parameters["weight_1"] == pytest.approx(1.0, abs=1e-9)
    assert fitted.reasons == {}


def test_logits_that_know_nothing_give_the_shares():
    logits = np.repeat(random_logits(30, 3, scale=5.0, seed=8)[0], 4, axis=0)
    fitted = CALIBRATOR.fit(logits, np.tile([0, 1, 2, 2], 30))
    np.testing.assert_allclose(fitted.apply(logits), np.tile([0.25, 0.25, 0.5], (120, 1)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(fitted.weights, 0, rtol=0, atol=1e-6)


def test_what_has_no_standard_deviation_in_float64_is_refused():
    with pytest.raises(ValueError, match="logits: expected finite values"):
        CALIBRATOR.fit(np.array([[1e300, 0.0], [-1e300, 1.0]]), np.array([1, 0]))
