"""Histogram binning against a plain loop, at the edges of bins, and where bins are empty."""

import numpy as np
import pytest
from scipy.special import softmax

from harness.calibrators import get
from harness.calibrators.histogram import FittedHistogram

CALIBRATOR = get("histogram")


def random_logits(n_samples, n_classes, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    return 3 * (rng.normal(size=(n_samples, n_classes)) + np.eye(n_classes)[labels]), labels


def by_hand(logits, labels, shown):
    probs, of_shown = softmax(logits, axis=1), softmax(shown, axis=1)
    result = np.zeros(of_shown.shape)
    for k in range(probs.shape[1]):
        for b in range(15):
            low, high = (-1.0 if b == 0 else b / 15), (b + 1) / 15
            members = [label == k for p, label in zip(probs[:, k], labels, strict=True) if low < p <= high]
            value = sum(members) / len(members) if members else (b + 0.5) / 15
            for i, p in enumerate(of_shown[:, k]):
                if low < p <= high:
                    result[i, k] = value
    for row in result:
        row[:] = row / row.sum() if row.any() else 1 / len(row)
    return result


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("n_samples", [5, 400])
def test_against_a_plain_loop(n_classes, n_samples):
    logits, labels = random_logits(n_samples, n_classes, seed=n_classes)
    shown = random_logits(300, n_classes, seed=n_classes + 1)[0]
    expected = by_hand(logits, labels, shown)
    np.testing.assert_allclose(CALIBRATOR.fit(logits, labels).apply(shown), expected, rtol=0, atol=1e-12)


def test_an_empty_bin_keeps_its_midpoint():
    fitted = CALIBRATOR.fit(np.array([[np.log(9.0), 0.0]] * 4), np.array([0, 0, 0, 1]))
    assert fitted.values.shape == (2, 15)
    assert fitted.values[0, 13] == 0.75  # 0.9 is in (13/15, 14/15]
    assert fitted.values[1, 1] == 0.25
    others = np.delete(fitted.values[0], 13)
    np.testing.assert_allclose(others, np.delete((np.arange(15) + 0.5) / 15, 13), rtol=0, atol=1e-15)


def test_edges_belong_to_the_bin_below():
    """Two bins: 1/2 is in the lower, and so are 0 and what is just above 0."""
    fitted = FittedHistogram(np.array([[0.2, 0.6], [0.4, 0.9]]))
    np.testing.assert_allclose(fitted.apply(np.zeros((1, 2))), [[1 / 3, 2 / 3]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(fitted.apply(np.array([[2000.0, 0.0]])), [[0.6, 0.4]], rtol=0, atol=1e-15)


def test_a_row_of_zeros_becomes_uniform():
    fitted = FittedHistogram(np.array([[0.0, 0.5], [0.0, 0.5], [0.0, 0.5]]))
    assert fitted.apply(np.zeros((1, 3))).tolist() == [[1 / 3] * 3]


def test_a_class_without_samples_keeps_only_its_empty_bins():
    logits, labels = random_logits(300, 4, seed=5)
    fitted = CALIBRATOR.fit(logits[labels != 1], labels[labels != 1])
    midpoints = (np.arange(15) + 0.5) / 15
    assert all(value in (0.0, midpoint) for value, midpoint in zip(fitted.values[1], midpoints, strict=True))
    assert fitted.parameters == fitted.reasons == {}
