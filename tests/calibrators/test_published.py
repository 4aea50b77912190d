"""The published study's temperature against a loop as public code has it, on ties, and on real predictions."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from harness.calibrators import get
from harness.calibrators.published import temperature_grid
from harness.metrics import measure, measure_as_published, softmax, softmax_float32

CALIBRATOR = get("temperature", "paper")


def random_logits(n_samples, n_classes, *, scale, signal, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    logits = scale * (rng.normal(size=(n_samples, n_classes)) + signal * np.eye(n_classes)[labels])
    return logits.astype(np.float32), labels


def ece(logits, labels):
    """A loop over the bins in float32."""
    confidence, prediction = torch.softmax(logits, dim=1).max(dim=1)
    right = (prediction == labels).float()
    edges = torch.linspace(0, 1, 16)
    error = torch.zeros(1)
    for low, high in pairwise(edges):
        members = (confidence > low) & (confidence <= high)
        if members.any():
            error += (confidence[members].mean() - right[members].mean()).abs() * members.float().mean()
    return error.item()


def search(logits, labels):
    """The temperature of the first of the lowest errors, and all errors."""
    logits, labels = torch.tensor(logits), torch.tensor(labels)
    best, lowest, errors = None, float("inf"), {}
    temperature = 0.1
    for _ in range(100):
        errors[temperature] = ece(logits / temperature, labels)
        if errors[temperature] < lowest:
            best, lowest = temperature, errors[temperature]
        temperature += 0.1
    return best, errors


@pytest.mark.parametrize("n_classes", [2, 10, 100])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 8.0])
def test_against_a_loop_in_torch(n_classes, scale):
    logits, labels = random_logits(600, n_classes, scale=scale, signal=2.0, seed=n_classes)
    fitted = CALIBRATOR.fit(logits, labels)
    temperature, errors = search(logits, labels)
    # the two differ in their last bits, so they must choose alike where these cannot decide
    runner_up = min(error for other, error in errors.items() if other != temperature)
    assert runner_up - errors[temperature] > 1e-6
    assert fitted.parameters == {"temperature": temperature}
    assert tuple(errors) == temperature_grid()


def test_the_grid_carries_its_rounding_errors():
    grid = temperature_grid()
    assert len(grid) == 100
    assert grid[2] == 0.1 + 0.1 + 0.1 != 0.3
    assert np.array(grid) == pytest.approx(np.arange(1, 101) / 10, rel=1e-13)
    assert (np.array(grid) != np.arange(1, 101) / 10).sum() > 50


def test_the_first_of_equal_temperatures_is_kept():
    """A lead of 2,000 is certain at every temperature, one of 80 up to T = 4.8: then float32 first leaves 1."""
    labels = np.zeros(10, dtype=int)
    logits = np.array([[2000.0, 0.0]] * 10, dtype=np.float32)
    fitted = CALIBRATOR.fit(logits, labels)
    assert fitted.parameters == {"temperature": 0.1}
    assert fitted.reasons == {"temperature": "the lowest of the grid"}
    logits = np.array([[80.0, 0.0]] * 10, dtype=np.float32)
    certain = [t for t in temperature_grid() if softmax_float32(logits / np.float32(t)).max() == 1]
    assert len(certain) == 48
    assert CALIBRATOR.fit(logits, labels).parameters == {"temperature": 0.1}


def test_a_tie_inside_the_grid():
    """A lead of 3e-7, right in one half: once T is too high for float32 to tell .5 apart, the error is and stays 0."""
    logits, labels = np.array([[3e-7, 0.0]] * 10, dtype=np.float32), np.arange(10) % 2
    even = [t for t in temperature_grid() if softmax_float32(logits / np.float32(t)).max() == 0.5]
    assert 10 < len(even) < 90
    assert CALIBRATOR.fit(logits, labels).parameters == {"temperature": even[0]}
    assert even == list(temperature_grid()[-len(even) :])


def test_constant_predictor():
    fitted = CALIBRATOR.fit(np.full((100, 10), 7.0), np.arange(100) % 10)
    assert fitted.parameters == {"temperature": 0.1}
    assert fitted.reasons == {"temperature": "the lowest of the grid"}
    np.testing.assert_array_equal(fitted.apply(np.full((1, 10), 7.0)), np.full((1, 10), np.float32(0.1)))


def test_the_highest_of_the_grid():
    """Margins of 100, right in one half: even at T = 10 the confidence is too high."""
    fitted = CALIBRATOR.fit(np.array([[100.0, 0.0]] * 10), np.arange(10) % 2)
    assert fitted.parameters == {"temperature": temperature_grid()[-1]}
    assert fitted.reasons == {"temperature": "the highest of the grid"}


def test_an_inner_temperature_has_no_reason():
    assert CALIBRATOR.fit(*random_logits(300, 5, scale=3.0, signal=1.0, seed=1)).reasons == {}


@pytest.mark.parametrize("name", ["none", "temperature"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_probabilities_are_those_of_float32(name, dtype):
    logits, labels = random_logits(300, 10, scale=3.0, signal=1.0, seed=2)
    logits = logits.astype(dtype)
    fitted = get(name, "paper").fit(logits, labels)
    probs, temperature = fitted.apply(logits), fitted.parameters.get("temperature", 1.0)
    assert probs.dtype == np.float64
    np.testing.assert_array_equal(probs, probs.astype(np.float32))
    np.testing.assert_array_equal(probs, softmax_float32(logits.astype(np.float32) / np.float32(temperature)))


def test_none_learns_nothing():
    fitted = get("none", "paper").fit(*random_logits(10, 3, scale=1.0, signal=1.0, seed=3))
    assert fitted.parameters == fitted.reasons == {}


@pytest.mark.parametrize("value", [1e38, 1e300])
def test_what_overflows_float32_is_refused(value):
    """1e38 is a float32, but not when divided by 0.1."""
    logits, labels = np.array([[0.0, 1.0], [value, 0.0]]), np.array([0, 0])
    with pytest.raises(ValueError, match="logits: expected finite values, got NaN or infinity in 1 of 2 rows"):
        CALIBRATOR.fit(logits, labels)


def test_real_predictions(real_data):
    folder = real_data / "probs"
    expected = json.loads((folder / "expected.json").read_text())["cleanlab_mnist_temperature"]
    with np.load(folder / "cleanlab_mnist.npz") as arrays:
        logits, labels = np.log(arrays["probs"]), arrays["labels"]  # none is 0, the smallest is 6e-28
    order = np.random.RandomState(42).permutation(len(labels))
    fit_part, evaluation_part = order[:2000], order[2000:]
    fitted = CALIBRATOR.fit(logits[fit_part], labels[fit_part])
    assert fitted.parameters == {"temperature": expected["T_paper"]}
    assert fitted.reasons == {}
    assert search(logits[fit_part].astype(np.float32), labels[fit_part].astype(np.int64))[0] == expected["T_paper"]

    # the expected values are those of a float64 softmax of the float64 logits at that temperature ...
    scored, truth = logits[evaluation_part], labels[evaluation_part]
    in_float64, post = measure(softmax(scored / expected["T_paper"]), truth), expected["post_paper"]
    assert {name: in_float64[name] for name in post} == pytest.approx(post, rel=1e-9)
    # ... and float32 moves each probability by a unit or two in its last place, 6e-8 near 1, and no sample across the
    # edge of a bin: a binned error by no more than its worst sample
    after = measure_as_published(fitted.apply(scored).astype(np.float32), truth).values
    for name, value in post.items():
        assert after[name] == pytest.approx(value, abs=1.2e-7), name
