"""Spline calibration against other bases of the same splines, the published formula, and a root finder row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import softmax

from harness.calibrators import get
from harness.calibrators.spline import FittedSpline

CALIBRATOR = get("spline")
KNOTS = np.linspace(0, 1, 6)


def random_logits(n_samples, n_classes, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    return 3 * (rng.normal(size=(n_samples, n_classes)) + np.eye(n_classes)[labels]), labels


def ranked(logits, labels):
    """Confidences, ascending, and whether each prediction is right."""
    probs = softmax(logits, axis=1)
    order = np.argsort(probs.max(axis=1), kind="stable")
    return probs.max(axis=1)[order], (probs.argmax(axis=1) == labels)[order]


def truncated_powers(x):
    """The natural cubic splines as 1, x and differences of truncated cubes."""

    def scaled(k):
        return (np.maximum(x - KNOTS[k], 0) ** 3 - np.maximum(x - KNOTS[5], 0) ** 3) / (KNOTS[5] - KNOTS[k])

    return np.stack([np.ones_like(x), x, *(scaled(k) - scaled(4) for k in range(4))], axis=1)


def published_slopes(confidence, right):
    """The slope at each sample with second derivatives from a tridiagonal system, fractiles from 0 to 1."""
    n, width = len(confidence), 0.2
    inner = np.diag(np.full(4, 4.0)) + np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    bend = np.zeros((6, 6))
    bend[1:-1] = np.linalg.solve(inner, 6 / width**2 * np.diff(np.eye(6), n=2, axis=0))
    fractile = np.linspace(0, 1, n)
    piece = np.minimum((fractile / width).astype(int), 4)
    ahead, behind = (fractile - KNOTS[piece])[:, None], (KNOTS[piece + 1] - fractile)[:, None]
    eye = np.eye(6)
    values = (
        (behind**3 * bend[piece] + ahead**3 * bend[piece + 1]) / (6 * width)
        + (eye[piece] / width - width / 6 * bend[piece]) * behind
        + (eye[piece + 1] / width - width / 6 * bend[piece + 1]) * ahead
    )
    slopes = (
        (ahead**2 * bend[piece + 1] - behind**2 * bend[piece]) / (2 * width)
        + (eye[piece + 1] - eye[piece]) / width
        - width / 6 * (bend[piece + 1] - bend[piece])
    )
    target = np.cumsum(right) / n - np.cumsum(confidence) / n
    return confidence + slopes @ np.linalg.lstsq(values, target, rcond=None)[0]


def top_of(logits, target):
    """Highest probability nearest to the target that a positive multiple of the logits has."""

    def highest(log_factor):
        return softmax(np.exp(log_factor) * logits).max()

    low, high = -12.0, 25.0
    if not highest(low) < target < highest(high):
        return np.clip(target, highest(low), highest(high))
    return highest(brentq(lambda log_factor: highest(log_factor) - target, low, high, xtol=1e-14))


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("n_samples", [7, 50, 2000])
def test_against_truncated_powers(n_samples, n_classes):
    logits, labels = random_logits(n_samples, n_classes, seed=n_classes)
    fitted = CALIBRATOR.fit(logits, labels)
    confidence, right = ranked(logits, labels)
    basis = truncated_powers(np.arange(n_samples + 1) / n_samples)
    target = np.append(0, np.cumsum(confidence - right)) / n_samples
    spline = basis @ np.linalg.lstsq(basis, target, rcond=None)[0]
    np.testing.assert_allclose(fitted.confidences, confidence, rtol=0, atol=1e-14)
    np.testing.assert_allclose(fitted.calibrated, confidence - np.diff(spline) * n_samples, rtol=0, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 10, 100])
def test_against_the_published_formula(n_classes):
    """The mean slope over one part in n differs from the slope at a point by what n samples do not resolve."""
    logits, labels = random_logits(4000, n_classes, seed=n_classes)
    expected = published_slopes(*ranked(logits, labels))
    np.testing.assert_allclose(CALIBRATOR.fit(logits, labels).calibrated, expected, rtol=0, atol=5e-3)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
def test_the_highest_probability_is_the_calibrated_confidence(n_classes):
    logits, labels = random_logits(800, n_classes, seed=n_classes)
    fitted, shown = CALIBRATOR.fit(logits, labels), random_logits(300, n_classes, seed=1)[0]
    probs, confidence = fitted.apply(shown), softmax(shown, axis=1).max(axis=1)
    expected = np.interp(confidence, fitted.confidences, fitted.calibrated).clip(1 / n_classes, 1)
    np.testing.assert_allclose(probs.max(axis=1), expected, rtol=0, atol=1e-6 / n_classes)
    np.testing.assert_array_equal(probs.argmax(axis=1), shown.argmax(axis=1))


def test_the_others_are_those_of_a_temperature_of_the_row():
    logits = random_logits(50, 5, seed=2)[0]
    probs = FittedSpline(np.array([0.0, 1.0]), np.array([0.3, 0.9])).apply(logits)
    factors = (np.log(probs) - np.log(probs[:, :1])) / np.where(logits == logits[:, :1], 1, logits - logits[:, :1])
    np.testing.assert_allclose(factors[:, 1:], np.repeat(factors[:, 1:2], 4, axis=1), rtol=1e-9)
    assert (factors[:, 1] > 0).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("target", [0.0, 0.1, 0.25, 0.2500001, 0.5, 0.9, 1 - 1e-12, 1.0])
def test_rows_against_a_root_finder(target, scale):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(40, 4)) * 10 ** rng.uniform(-2, 0, size=(40, 4))
    probs = FittedSpline(np.array([0.5]), np.array([target])).apply(scale * logits)
    expected = [top_of(row / np.ptp(row), target) for row in logits]
    np.testing.assert_allclose(probs.max(axis=1), expected, rtol=0, atol=3e-6)
    np.testing.assert_array_equal(probs.argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize(
    ("row", "target", "highest"),
    [
        ([3.0, 3.0, 0.0, -1.0], 0.9, 0.5),
        ([3.0, 3.0, 0.0, -1.0], 0.4, 0.4),
        ([2.0, 2.0, 2.0, -5.0], 1.0, 1 / 3),
        ([2.0, 2.0, 2.0, 2.0], 1.0, 0.25),
        ([2.0, 2.0, 2.0, 2.0], 0.0, 0.25),
        ([1e4, 1e4 - 1e-3, 0.0, -1e4], 0.7, 0.7),
        ([1.0, 0.0, 0.0, 0.0], 1.0, 1.0),
    ],
)
def test_ties_and_ends(row, target, highest):
    probs = FittedSpline(np.array([0.5]), np.array([target])).apply(np.array([row]))
    assert probs.max() == pytest.approx(highest, abs=1e-10)
    assert probs.sum() == pytest.approx(1, abs=1e-12)
    assert (np.diff(probs) <= 0).all()


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_what_the_spline_puts_outside_is_brought_back(value):
    probs = FittedSpline(np.array([0.5]), np.array([value])).apply(np.array([[1.0, 0.0]]))
    assert probs[0, 0] == pytest.approx(float(value > 1) or 0.5, abs=1e-6)


@settings(deadline=None)
@given(
    logits=st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=20),
    calibrated=st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
def test_any_logits_give_distributions_that_keep_the_highest(logits, calibrated):
    logits = np.array(logits)
    probs = FittedSpline(np.array([0.4, 0.9]), np.array(calibrated)).apply(logits)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(probs[np.arange(len(logits)), logits.argmax(axis=1)], probs.max(axis=1))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n_samples", [1, 2, 10, 500])
def test_equal_confidences_become_the_accuracy(share, n_samples):
    right = np.arange(n_samples) < round(share * n_samples)
    fitted = CALIBRATOR.fit(np.array([[2.0, 0.0, 0.0]] * n_samples), np.where(right, 0, 1))
    np.testing.assert_allclose(fitted.calibrated, [right.mean()], rtol=0, atol=1e-9)


def test_fewer_samples_than_knots_are_met_exactly():
    logits = np.array([[4.0, 0.0], [3.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    fitted = CALIBRATOR.fit(logits, np.array([0, 1, 0, 0]))
    np.testing.assert_allclose(fitted.calibrated, [1, 1, 0, 1], rtol=0, atol=1e-9)


def test_equal_confidences_have_one_value_whatever_their_order():
    logits = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]).repeat([20, 30, 50], axis=0)
    labels = np.random.default_rng(4).integers(0, 2, 100)
    fitted = CALIBRATOR.fit(logits, labels)
    backwards = CALIBRATOR.fit(logits[::-1], labels[::-1])
    assert fitted.calibrated.shape == (3,)
    np.testing.assert_allclose(fitted.calibrated, backwards.calibrated, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("is_right", "highest"), [(True, 1.0), (False, 0.25)])
def test_all_right_and_all_wrong(is_right, highest):
    logits, _ = random_logits(3000, 4, seed=5)
    labels = (logits.argmax(axis=1) + (not is_right)) % 4
    probs = CALIBRATOR.fit(logits, labels).apply(logits)
    assert np.abs(probs.max(axis=1) - highest).mean() < 0.02
    np.testing.assert_array_equal(probs.argmax(axis=1), logits.argmax(axis=1))


def test_calibrated_predictions_stay_what_they_are():
    """The excess of a calibrated fit part is 0, and so is the spline."""
    logits = np.array([[np.log(4.0), 0.0], [np.log(1.5), 0.0]]).repeat(10, axis=0)
    labels = np.repeat([0, 1, 0, 1], [8, 2, 6, 4])
    np.testing.assert_allclose(CALIBRATOR.fit(logits, labels).calibrated, [0.6, 0.8], rtol=0, atol=1e-12)


def test_differences_too_large_for_float64_are_refused():
    fitted = FittedSpline(np.array([0.5]), np.array([0.5]))
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="expected finite values"):
        fitted.apply(np.array([[1.7e308, -1.7e308]]))
