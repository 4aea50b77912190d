"""Temperature scaling against an independent minimiser, at its bounds, and on real predictions."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from harness.calibrators import get
from harness.calibrators.temperature import _sign_change, _Slope
from harness.metrics import measure, softmax

CALIBRATOR = get("temperature")
LOWER = {"temperature": "at the lower bound 0.01: NLL still falls with falling T"}
UPPER = {"temperature": "at the upper bound 100: NLL still falls with rising T"}


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


def exact_temperature(logits, labels):
    """The sign change of the slope of NLL by halving, in the widest floating-point numbers that there are."""
    z = logits.astype(np.longdouble)
    margins = z - z[np.arange(len(z)), labels][:, None]
    low, high = np.longdouble(0.01), np.longdouble(100)
    for _ in range(70):
        temperature = np.sqrt(low * high)
        scores = margins / temperature
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        nll_rises_with_beta = ((weights * margins).sum(axis=1) / weights.sum(axis=1)).sum() > 0
        low, high = (temperature, high) if nll_rises_with_beta else (low, temperature)
    return float(low)


def drawn(n_samples, n_classes, true_temperature, seed):
    """Float32 logits, true_temperature times those by which the labels were drawn."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n_samples, n_classes))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return (true_temperature * logits).astype(np.float32), labels


def one_wrong(n_samples, n_classes, gap):
    """Every sample right by the gap but the first, which is wrong by it."""
    labels = np.arange(n_samples) % n_classes
    shown = labels.copy()
    shown[0] = (labels[0] + 1) % n_classes
    return gap * np.eye(n_classes)[shown], labels


def saturated(n_classes, spread, seed):
    """Logits of size 1e4 of which most rows are certain and right; a few wrong ones ask for an optimum inside."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, 1000)
    logits = 1e4 * np.eye(n_classes)[labels] + spread * rng.normal(size=(1000, n_classes))
    unsure = np.arange(200)
    logits[unsure], labels[unsure] = drawn(200, n_classes, 50.0, seed)
    return logits.astype(np.float32), labels


def of_unequal_rows(seed):
    """Rows of sizes from 1e-3 to 1e3, those above 10 right."""
    logits, labels = drawn(500, 10, 1.0, seed)
    sizes = 10 ** np.random.default_rng(seed).uniform(-3, 3, size=(500, 1))
    labels = np.where(sizes[:, 0] > 10, logits.argmax(axis=1), labels)
    return logits * sizes, labels


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        *(
            pytest.param(*drawn(1000, n_classes, true, seed=n_classes), id=f"{n_classes} classes, T about {true:g}")
            for n_classes in (2, 10, 100, 120)
            for true in (0.05, 1.0, 60.0)
        ),
        *(
            pytest.param(*saturated(k, spread, seed=k), id=f"saturated-{k}-{spread:g}")
            for k in (2, 100)
            for spread in (1, 1e3)
        ),
        *(pytest.param(*one_wrong(5000, 10, gap), id=f"one-wrong-of-5000-by-{gap:g}") for gap in (0.2, 5.0, 900.0)),
        pytest.param(*of_unequal_rows(seed=1), id="unequal-rows"),
        pytest.param(np.array([[2.0, 1.0, -3.0]]), np.array([1]), id="one-sample"),
        pytest.param(np.array([[8000.0, 7990.0, 7900.0]], dtype=np.float32), np.array([1]), id="one-saturated-sample"),
        pytest.param(np.array([[0.02, 0.0], [0.02, 0.0], [0.0, 0.02]]), np.array([0, 0, 0]), id="small-logits"),
    ],
)
def test_hard_cases_against_more_digits(logits, labels):
    fitted = CALIBRATOR.fit(logits, labels)
    assert fitted.parameters["temperature"] == pytest.approx(exact_temperature(logits, labels), rel=1e-9, abs=1e-9)
    assert fitted.reasons == {}


@pytest.mark.parametrize(("bound", "inwards"), [(0.01, 1 + 1e-7), (100.0, 1 - 1e-7)])
@pytest.mark.parametrize("is_inside", [True, False])
def test_optimum_just_inside_and_just_beyond_a_bound(bound, inwards, is_inside):
    optimum = bound * (inwards if is_inside else 1 / inwards)
    logits = np.array([[optimum * np.log(4), 0.0]] * 10)
    fitted = CALIBRATOR.fit(logits, np.array([0] * 8 + [1] * 2))
    assert fitted.parameters["temperature"] == pytest.approx(optimum if is_inside else bound, rel=1e-12)
    assert bool(fitted.reasons) is not is_inside


@pytest.mark.parametrize("n_classes", [2, 10, 120])
@pytest.mark.parametrize(("is_right", "temperature"), [(True, 0.01), (False, 100.0)])
def test_one_sample_alone(n_classes, is_right, temperature):
    logits = np.random.default_rng(10).normal(size=(1, n_classes))
    label = logits.argmax(axis=1) if is_right else logits.argmin(axis=1)
    fitted = CALIBRATOR.fit(logits, label)
    assert fitted.parameters == {"temperature": temperature}
    assert fitted.reasons == (LOWER if is_right else UPPER)


@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_labels_at_random_ask_for_the_highest_temperature(n_classes):
    """Logits that know nothing of the labels, of a size at which the sample cannot show it otherwise."""
    rng = np.random.default_rng(11)
    fitted = CALIBRATOR.fit(1e4 * rng.normal(size=(3000, n_classes)), rng.integers(0, n_classes, 3000))
    assert fitted.parameters == {"temperature": 100.0}
    assert fitted.reasons == UPPER


def test_offsets_of_rows_that_float32_holds_change_nothing():
    """Logits in sixteenths, offsets of up to a hundred thousand: each sum is exact."""
    logits, labels = drawn(400, 10, 3.0, seed=12)
    logits = (logits * 16).round() / 16
    offsets = np.random.default_rng(13).integers(-100_000, 100_000, size=(400, 1)).astype(np.float32)
    assert fitted_temperature(logits + offsets, labels) == fitted_temperature(logits, labels)


@pytest.mark.parametrize("root", [0.011, 0.3, 1.0, 30.0, 99.9])
@pytest.mark.parametrize(
    "slope",
    [
        pytest.param(
            lambda x, root: (np.arctan(50 * (x - root)), 50 / (1 + 2500 * (x - root) ** 2)), id="overshooting"
        ),
        pytest.param(lambda x, root: (np.exp(-root) - np.exp(-x), np.exp(-x)), id="flattening"),
        pytest.param(lambda x, root: ((x - root) ** 3, 3 * (x - root) ** 2), id="flat-at-the-root"),
        pytest.param(lambda x, root: (float(x > root) - 0.5, 0.0), id="a-step"),
    ],
)
def test_sign_change_of_slopes_on_which_newtons_method_fails(slope, root):
    passes = []

    def counted(x):
        passes.append(x)
        return _Slope(*slope(x, root))

    assert _sign_change(counted, 0.01, 100.0) == pytest.approx(root, rel=1e-6)
    assert len(passes) <= 110  # on exp(-x) a step of Newton's method is at most 1, and the bracket is 100 wide


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
