"""Isotonic regression against scikit-learn and against the min-max formula, class by class."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression, isotonic_regression

from harness.calibrators import get
from harness.calibrators.isotonic import FittedIsotonic, Rising

CALIBRATOR = get("isotonic")


def random_logits(n_samples, n_classes, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    return 3 * (rng.normal(size=(n_samples, n_classes)) + np.eye(n_classes)[labels]), labels


def min_max(outcome):
    """The isotonic regression of values in order: the highest over the starts of the lowest mean over the ends."""
    n = len(outcome)
    means = np.array([[outcome[i : j + 1].mean() if i <= j else np.nan for j in range(n)] for i in range(n)])
    return np.array([max(means[i, at:].min() for i in range(at + 1)) for at in range(n)])


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_against_functions_made_by_hand(n_classes):
    logits, labels = random_logits(400, n_classes, seed=n_classes)
    shown = random_logits(300, n_classes, seed=n_classes + 1)[0]
    probs, of_shown, columns = softmax(logits, axis=1), softmax(shown, axis=1), []
    for k in range(n_classes):
        order = np.argsort(probs[:, k])
        values = isotonic_regression((labels[order] == k).astype(float))
        columns.append(np.interp(of_shown[:, k], probs[order, k], values))
    expected = np.array(columns).T
    silent = expected.sum(axis=1) == 0
    expected[silent] = 1.0
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(CALIBRATOR.fit(logits, labels).apply(shown), expected, rtol=0, atol=1e-9)


def test_against_scikit_learn_with_ties_and_beyond_the_ends():
    rng = np.random.default_rng(6)
    logits, labels = rng.integers(-2, 3, (500, 3)).astype(float), rng.integers(0, 3, 500)
    shown = 5 * rng.normal(size=(200, 3))
    fitted, probs, of_shown = CALIBRATOR.fit(logits, labels), softmax(logits, axis=1), softmax(shown, axis=1)
    for k in range(3):
        theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probs[:, k], labels == k)
        np.testing.assert_allclose(fitted.functions[k](of_shown[:, k]), theirs.predict(of_shown[:, k]), atol=1e-12)


def test_against_the_min_max_formula():
    logits, labels = random_logits(60, 2, seed=3)
    fitted, probs = CALIBRATOR.fit(logits, labels), softmax(logits, axis=1)
    for k in range(2):
        order = np.argsort(probs[:, k])
        expected = min_max((labels[order] == k).astype(float))
        np.testing.assert_allclose(fitted.functions[k](probs[order, k]), expected, rtol=0, atol=1e-12)


def test_two_classes_mirror_one_another():
    """Of two classes one function is the mirror of the other, so nothing is left to normalise."""
    logits, labels = random_logits(300, 2, seed=4)
    fitted, probs = CALIBRATOR.fit(logits, labels), softmax(logits, axis=1)
    np.testing.assert_allclose(fitted.apply(logits)[:, 0], fitted.functions[0](probs[:, 0]), rtol=0, atol=1e-9)


def test_equal_probabilities_count_as_one():
    logits = np.array([[np.log(4.0), 0.0]] * 5 + [[0.0, np.log(4.0)]] * 5)
    fitted = CALIBRATOR.fit(logits, np.array([0, 1, 0, 0, 0, 1, 1, 0, 1, 0]))
    np.testing.assert_allclose(fitted.apply(logits[[0, 9]]), [[0.8, 0.2], [0.4, 0.6]], rtol=0, atol=1e-12)


def test_beyond_the_fit_part_the_last_value_is_kept():
    logits = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4)
    fitted = CALIBRATOR.fit(logits, np.array([0, 0, 0, 1, 1, 1, 1, 0]))
    np.testing.assert_allclose(fitted.apply(np.array([[9.0, 0.0]])), [[0.75, 0.25]], rtol=0, atol=1e-12)


def test_a_row_of_zeros_becomes_uniform():
    function = Rising(np.array([0.5, 1.0]), np.array([0.0, 1.0]))
    assert FittedIsotonic((function,) * 3).apply(np.zeros((1, 3))).tolist() == [[1 / 3] * 3]


def test_a_class_without_samples_has_no_probability():
    logits, labels = random_logits(300, 4, seed=5)
    fitted = CALIBRATOR.fit(logits[labels != 1], labels[labels != 1])
    probs = fitted.apply(logits)
    silent = (probs == 0.25).all(axis=1)
    assert not probs[~silent, 1].any()
    assert fitted.parameters == fitted.reasons == {}
