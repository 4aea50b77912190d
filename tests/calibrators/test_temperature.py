"""Temperature scaling against an independent minimiser, at its bounds, and on real predictions."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from harness.calibrators import get
from harness.metrics import measure, softmax

CALIBRATOR = get("temperature")


def random_logits(n_samples, n_classes, *, scale, signal, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    return scale * (rng.normal(size=(n_samples, n_classes)) + signal * np.eye(n_classes)[labels]), labels


def nll(temperature, logits, labels):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()


def fitted_temperature(logits, labels):
    return CALIBRATOR.fit(logits, labels).parameters["temperature"]


@pytest.mark.parametrize("n_classes", [2, 10, 100])
@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 10.0, 50.0])
def test_against_a_minimiser_of_the_loss(n_classes, scale):
    logits, labels = random_logits(500, n_classes, scale=scale, signal=2.0, seed=n_classes)
    fitted = CALIBRATOR.fit(logits, labels)
    temperature = fitted.parameters["temperature"]
    found = minimize_scalar(
        lambda log_t: nll(np.exp(log_t), logits, labels), bounds=np.log([0.01, 100]), method="bounded"
    )
    # a minimiser of values sees the optimum only to the square root of their precision
    assert temperature == pytest.approx(np.exp(found.x), rel=1e-4)
    assert nll(temperature, logits, labels) <= found.fun + 1e-14
    assert fitted.reasons == {}


def test_against_the_closed_form():
    """Two classes, constant margin m, right in q of the samples: T = m / log(q / (1 - q))."""
    logits = np.array([[3.0, 0.0]] * 10)
    labels = np.array([0] * 8 + [1] * 2)
    assert fitted_temperature(logits, labels) == pytest.approx(3 / np.log(4), abs=1e-9)


@pytest.mark.parametrize("true_temperature", [0.02, 0.5, 1.0, 7.0, 90.0])
def test_scaling_the_logits_scales_the_temperature(true_temperature):
    logits, labels = random_logits(400, 10, scale=1.0, signal=1.5, seed=3)
    at_one = logits / fitted_temperature(logits, labels)
    assert fitted_temperature(at_one * true_temperature, labels) == pytest.approx(true_temperature, abs=1e-6)


def test_shifting_a_row_changes_nothing():
    logits, labels = random_logits(200, 4, scale=2.0, signal=1.0, seed=4)
    shifts = np.random.default_rng(5).normal(scale=100, size=(200, 1))
    assert fitted_temperature(logits + shifts, labels) == pytest.approx(fitted_temperature(logits, labels), abs=1e-6)


def test_calibrated_mean_logit_is_the_logit_of_the_labels():
    """The condition of the optimum: sum_k p_k z_k averages to z_label."""
    logits, labels = random_logits(400, 10, scale=3.0, signal=1.5, seed=6)
    probs = CALIBRATOR.fit(logits, labels).apply(logits)
    assert (probs * logits).sum(axis=1).mean() == pytest.approx(logits[np.arange(400), labels].mean(), abs=1e-9)


LOWER = {"temperature": "at the lower bound 0.01: NLL still falls with falling T"}
UPPER = {"temperature": "at the upper bound 100: NLL still falls with rising T"}
LABELS = np.arange(100) % 10
ONE_HOT = np.eye(10)[LABELS]
HALF_WRONG = np.eye(10)[np.where(np.arange(100) < 50, LABELS, (LABELS + 1) % 10)]


@pytest.mark.parametrize(
    ("logits", "temperature", "reasons"),
    [
        pytest.param(ONE_HOT, 0.01, LOWER, id="separable"),
        pytest.param(1e-3 * ONE_HOT, 0.01, LOWER, id="separable-small"),
        pytest.param(1e4 * ONE_HOT, 0.01, LOWER, id="separable-saturated"),
        pytest.param(1e4 * HALF_WRONG, 100.0, UPPER, id="saturated-half-wrong"),
        pytest.param(-ONE_HOT, 100.0, UPPER, id="always-last"),
        pytest.param(-1e4 * ONE_HOT, 100.0, UPPER, id="always-last-saturated"),
        pytest.param(1e-3 * HALF_WRONG, 0.01, LOWER, id="far-too-small"),
    ],
)
def test_bounds(logits, temperature, reasons):
    fitted = CALIBRATOR.fit(logits, LABELS)
    assert fitted.parameters == {"temperature": temperature}
    assert fitted.reasons == reasons
    assert np.isfinite(fitted.apply(logits)).all()


def test_random_labels_are_best_met_with_the_highest_temperature():
    """Ten copies of each row, one for every label: any confidence is wrong, NLL is least at uniform."""
    logits = np.repeat(random_logits(20, 10, scale=5.0, signal=0.0, seed=7)[0], 10, axis=0)
    fitted = CALIBRATOR.fit(logits, np.tile(np.arange(10), 20))
    assert fitted.parameters == {"temperature": 100.0}
    assert fitted.reasons == UPPER


@pytest.mark.parametrize("value", [0.0, -3.5, 1e4])
def test_constant_predictor(value):
    fitted = CALIBRATOR.fit(np.full((100, 10), value), LABELS)
    assert fitted.parameters == {"temperature": 1.0}
    assert fitted.reasons == {"temperature": "NLL does not depend on T: every row of logits is constant"}
    assert fitted.apply(np.full((1, 10), value)).tolist() == [[0.1] * 10]


def test_constant_rows_say_nothing_but_do_no_harm():
    logits, labels = random_logits(100, 10, scale=3.0, signal=1.5, seed=8)
    with_constant = np.concatenate([logits, np.full((50, 10), 7.0)])
    assert fitted_temperature(with_constant, np.append(labels, np.zeros(50, dtype=int))) == pytest.approx(
        fitted_temperature(logits, labels), abs=1e-6
    )


def test_saturated_logits_with_an_optimum_inside():
    """Margins of 100, right in 5 of 6: the odds ask for T = 100 / log(9 * 5)."""
    logits = 1e2 * HALF_WRONG[:60]
    expected = 1e2 / np.log(9 * (50 / 60) / (1 - 50 / 60))
    assert fitted_temperature(logits, LABELS[:60]) == pytest.approx(expected, abs=1e-6)


def test_differences_too_large_for_float64_are_refused():
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="expected finite values"):
        CALIBRATOR.fit(np.array([[1.7e308, -1.7e308]]), np.array([1]))


@settings(deadline=None)
@given(
    logits=st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=20),
    labels=st.lists(st.integers(0, 2), min_size=20, max_size=20),
)
def test_prediction_and_bounds_on_any_logits(logits, labels):
    logits = np.array(logits)
    fitted = CALIBRATOR.fit(logits, np.array(labels[: len(logits)]))
    temperature = fitted.parameters["temperature"]
    assert 0.01 <= temperature <= 100
    assert (temperature in (0.01, 100.0)) <= bool(fitted.reasons)
    probs = fitted.apply(logits)
    # the highest logit keeps the highest probability; rounding may lift another to a tie, never above
    np.testing.assert_array_equal(probs[np.arange(len(logits)), logits.argmax(axis=1)], probs.max(axis=1))
    assert nll(temperature, logits, labels[: len(logits)]) <= nll(1.0, logits, labels[: len(logits)]) + 1e-9


def test_accuracy_is_kept():
    logits, labels = random_logits(2000, 100, scale=5.0, signal=1.0, seed=9)
    probs = CALIBRATOR.fit(logits.astype(np.float32), labels).apply(logits.astype(np.float32))
    np.testing.assert_array_equal(probs.argmax(axis=1), logits.astype(np.float32).argmax(axis=1))


def test_real_predictions_before_and_after(real_data):
    folder = real_data / "probs"
    expected = json.loads((folder / "expected.json").read_text())["cleanlab_mnist_temperature"]
    with np.load(folder / "cleanlab_mnist.npz") as arrays:
        logits, labels = np.log(arrays["probs"]), arrays["labels"]  # none is 0, the smallest is 6e-28
    order = np.random.RandomState(42).permutation(len(labels))
    fit_part, evaluation_part = order[:2000], order[2000:]
    assert fit_part[:5].tolist() == expected["first_5_fit_indices"]

    fitted = CALIBRATOR.fit(logits[fit_part], labels[fit_part])
    assert fitted.parameters["temperature"] == pytest.approx(expected["T_nll"], abs=1e-5)
    assert fitted.reasons == {}
    before = measure(softmax(logits[evaluation_part]), labels[evaluation_part])
    after = measure(fitted.apply(logits[evaluation_part]), labels[evaluation_part])
    assert {name: before[name] for name in expected["pre_clean"]} == pytest.approx(expected["pre_clean"], rel=1e-9)
    # the reference's temperature is good to 5e-9, which the measurements follow
    assert {name: after[name] for name in expected["post_clean"]} == pytest.approx(expected["post_clean"], rel=1e-7)
    at_theirs = measure(softmax(logits[evaluation_part] / expected["T_nll"]), labels[evaluation_part])
    assert {name: at_theirs[name] for name in expected["post_clean"]} == pytest.approx(expected["post_clean"], rel=1e-9)
