"""What every calibrator keeps, over the table of calibrators."""

import numpy as np
import pytest

from harness import calibrators
from harness.metrics import measure, softmax
from harness.metrics.checks import require_predictions

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 300)
LOGITS = 4 * (RNG.normal(size=(300, 5)) + 1.5 * np.eye(5)[LABELS])

PROTOCOLS = ("clean", "paper")

every_calibrator = pytest.mark.parametrize(
    ("name", "protocol"), [(name, protocol) for protocol in PROTOCOLS for name in calibrators.names(protocol)]
)
every_clean_one = pytest.mark.parametrize("name", calibrators.names())
every_learned_one = pytest.mark.parametrize(
    ("name", "protocol"), [(name, protocol) for protocol in PROTOCOLS for name in calibrators.names(protocol)[1:]]
)


def overconfident(n_samples, n_classes, seed):
    """Logits three times those by which the labels were drawn."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n_samples, n_classes))
    labels = (softmax(logits).cumsum(axis=1) < rng.random((n_samples, 1))).sum(axis=1).clip(max=n_classes - 1)
    return 3 * logits, labels


def squared_error(probs, labels):
    return ((probs - np.eye(probs.shape[1])[labels]) ** 2).sum(axis=1).mean()


def require_distributions(probs):
    assert probs.dtype == np.float64
    assert probs.min() >= 0
    assert probs.max() <= 1
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=0, atol=1e-9)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown_name_lists_the_known_ones(protocol):
    known = ", ".join(calibrators.names(protocol))
    assert known.startswith("none, temperature")
    with pytest.raises(ValueError, match=f"calibrator: expected one of {known}, got 'platt'"):
        calibrators.get("platt", protocol=protocol)


def test_the_clean_ones():
    learned = ("temperature", "vector", "ensemble_temperature", "isotonic", "histogram", "spline")
    assert calibrators.names("clean") == ("none", *learned)


def test_unknown_protocol_lists_the_known_ones():
    with pytest.raises(ValueError, match="protocol: expected one of clean, paper, got 'papre'"):
        calibrators.get("none", protocol="papre")
    with pytest.raises(ValueError, match="protocol: expected one of clean, paper, got ''"):
        calibrators.names(protocol="")


def test_protocols_have_calibrators_of_their_own():
    assert calibrators.get("temperature") is calibrators.get("temperature", protocol="clean")
    for name in set(calibrators.names("clean")) & set(calibrators.names("paper")):
        assert calibrators.get(name, "clean").fit is not calibrators.get(name, "paper").fit


def test_none_is_the_softmax():
    fitted = calibrators.get("none").fit(LOGITS, LABELS)
    np.testing.assert_array_equal(fitted.apply(LOGITS), softmax(LOGITS))
    assert fitted.parameters == {}


@every_calibrator
def test_name_and_version(name, protocol):
    assert calibrators.get(name, protocol).name == name
    assert calibrators.get(name, protocol).version >= 1


@every_calibrator
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_applied_to_other_samples_gives_probabilities(name, protocol, dtype):
    fitted = calibrators.get(name, protocol).fit(LOGITS[:100].astype(dtype), LABELS[:100].astype(np.uint8))
    probs = fitted.apply(LOGITS[100:].astype(dtype))
    require_predictions(probs, LABELS[100:])
    assert set(fitted.reasons) <= set(fitted.parameters)


@every_calibrator
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (LOGITS + np.nan, LABELS, "logits: expected finite values, got NaN or infinity in 300 of 300 rows"),
        (np.where(LOGITS > 0, np.inf, LOGITS), LABELS, "logits: expected finite values"),
        (LOGITS[:0], LABELS[:0], "logits: expected at least one sample"),
        (LOGITS[:, :1], LABELS, "logits: expected at least two classes"),
        (LOGITS, LABELS + 1, r"labels: expected values in 0 .. 4, got values from 1 to 5"),
        (LOGITS, LABELS - 1, r"labels: expected values in 0 .. 4, got values from -1 to 3"),
    ],
)
def test_refused_values(name, protocol, logits, labels, message):
    with pytest.raises(ValueError, match=message):
        calibrators.get(name, protocol).fit(logits, labels)


@every_calibrator
@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (LOGITS[0], LABELS),
        (LOGITS, LABELS[:-1]),
        (LOGITS, LABELS[:, None]),
        (LOGITS, LABELS.astype(float)),
        (LOGITS.astype(int), LABELS),
    ],
)
def test_refused_shapes_and_dtypes(name, protocol, logits, labels):
    with pytest.raises((TypeError, ValueError)):  # under the shape hook all of them are a TypeError
        calibrators.get(name, protocol).fit(logits, labels)


@every_calibrator
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_to_apply_to_values_that_are_not_finite(name, protocol, bad):
    logits = LOGITS.copy()
    logits[3, 1] = bad
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 300 rows"):
        calibrators.get(name, protocol).fit(LOGITS, LABELS).apply(logits)


@every_clean_one
@pytest.mark.parametrize("n_classes", [2, 3, 10, 120])
@pytest.mark.parametrize("n_samples", [1, 2, 7, 400])
def test_rows_are_distributions(name, n_classes, n_samples):
    fitted = calibrators.get(name).fit(*overconfident(n_samples, n_classes, seed=1))
    require_distributions(fitted.apply(overconfident(50, n_classes, seed=2)[0]))
    require_distributions(fitted.apply(1e4 * overconfident(50, n_classes, seed=2)[0]))
    assert all(isinstance(value, float) for value in fitted.parameters.values())
    assert set(fitted.reasons) <= set(fitted.parameters)


@every_learned_one
@pytest.mark.parametrize("n_classes", [2, 10])
def test_calibrates_what_is_too_confident(name, protocol, n_classes):
    fitted = calibrators.get(name, protocol).fit(*overconfident(4000, n_classes, seed=3))
    logits, labels = overconfident(8000, n_classes, seed=4)
    before, after = measure(softmax(logits), labels), measure(fitted.apply(logits), labels)
    assert after["ECE_15"] < before["ECE_15"] / 4
    assert squared_error(fitted.apply(logits), labels) < squared_error(softmax(logits), labels)
    assert fitted.reasons == {}


@every_learned_one
def test_leaves_what_is_calibrated(name, protocol):
    logits, labels = overconfident(4000, 5, seed=5)
    fitted = calibrators.get(name, protocol).fit(logits / 3, labels)
    shown, truth = overconfident(8000, 5, seed=6)
    assert measure(fitted.apply(shown / 3), truth)["ECE_15"] < 0.04


@every_calibrator
@pytest.mark.parametrize("rounded", [False, True])
def test_the_order_of_the_samples_changes_nothing(name, protocol, rounded):
    logits, labels = overconfident(500, 4, seed=7)
    if rounded:  # many samples of equal confidence
        logits = logits.round()
    order = np.random.default_rng(8).permutation(500)
    calibrator = calibrators.get(name, protocol)
    fitted, permuted = calibrator.fit(logits, labels), calibrator.fit(logits[order], labels[order])
    shown = overconfident(500, 4, seed=9)[0]
    np.testing.assert_allclose(permuted.apply(shown), fitted.apply(shown), rtol=0, atol=1e-9)
    np.testing.assert_allclose(fitted.apply(shown[order]), fitted.apply(shown)[order], rtol=0, atol=1e-12)
    assert permuted.reasons == fitted.reasons


@every_calibrator
def test_the_order_of_the_classes_changes_nothing(name, protocol):
    logits, labels = overconfident(500, 4, seed=10)
    order = np.array([2, 0, 3, 1])
    calibrator, shown = calibrators.get(name, protocol), overconfident(200, 4, seed=11)[0]
    permuted = calibrator.fit(logits[:, order], np.argsort(order)[labels]).apply(shown[:, order])
    np.testing.assert_allclose(permuted, calibrator.fit(logits, labels).apply(shown)[:, order], rtol=0, atol=1e-6)


@every_calibrator
def test_a_class_without_samples(name, protocol):
    logits, labels = overconfident(600, 4, seed=12)
    fitted = calibrators.get(name, protocol).fit(logits[labels != 2], labels[labels != 2])
    require_predictions(fitted.apply(logits), labels)


@every_clean_one
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("value", [0.0, -3.7])
def test_constant_logits(name, n_classes, value):
    fitted = calibrators.get(name).fit(np.full((30, n_classes), value), np.arange(30) % n_classes)
    probs = fitted.apply(np.full((2, n_classes), value))
    np.testing.assert_allclose(probs, np.full((2, n_classes), 1 / n_classes), rtol=0, atol=1e-9)


@every_clean_one
def test_a_perfect_model_stays_right(name):
    labels = np.arange(200) % 5
    logits = 4 * np.eye(5)[labels] + 0.1 * RNG.normal(size=(200, 5))
    probs = calibrators.get(name).fit(logits, labels).apply(logits)
    assert (probs.argmax(axis=1) == labels).all()
    assert measure(probs, labels)["ECE_15"] < 0.1


@pytest.mark.parametrize("name", ["vector", "isotonic", "histogram"])
def test_refuses_to_apply_to_another_number_of_classes(name):
    with pytest.raises(ValueError, match="logits: expected 5 classes as in the fit part, got shape"):
        calibrators.get(name).fit(LOGITS, LABELS).apply(LOGITS[:, :4])
