"""The proper scores against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from harness.metrics.proper import brier_loss, brier_loss_sum, negative_log_likelihood
from harness.metrics.undefined import Undefined


def test_negative_log_likelihood_against_sklearn(continuous):
    n_classes = continuous.probs.shape[1]
    expected = log_loss(continuous.labels, continuous.probs, labels=np.arange(n_classes))
    assert negative_log_likelihood(*continuous) == pytest.approx(expected, rel=1e-12)


def test_sklearn_clips_where_the_loss_is_infinite():
    """scikit-learn clips probabilities to float eps and reports 36.04 for an impossible label; here it is undefined."""
    probs, labels = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 0])
    assert log_loss([1], probs[:1], labels=[0, 1]) == pytest.approx(-math.log(2.0**-52))
    assert negative_log_likelihood(probs, labels) == Undefined("infinite: 1 of 2 labels have probability 0")


def test_negative_log_likelihood_of_a_perfect_model_is_positive_zero():
    assert math.copysign(1, negative_log_likelihood(np.eye(3), np.arange(3))) == 1


def test_negative_log_likelihood_keeps_tiny_probabilities():
    assert negative_log_likelihood(np.array([[1.0, 5e-324]]), np.array([1])) == pytest.approx(744.4400719)


def test_brier_against_loops(predictions):
    squares = [
        (p - (k == label)) ** 2
        for row, label in zip(predictions.probs.tolist(), predictions.labels, strict=True)
        for k, p in enumerate(row)
    ]
    n_samples, n_classes = predictions.probs.shape
    assert brier_loss(*predictions) == pytest.approx(math.fsum(squares) / (n_samples * n_classes), rel=1e-12)
    assert brier_loss_sum(*predictions) == pytest.approx(math.fsum(squares) / n_samples, rel=1e-12)


def test_brier_by_hand():
    probs, labels = np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([0, 1])
    assert brier_loss_sum(probs, labels) == (2 * 0.0625 + 2 * 0.25) / 2
    assert brier_loss(probs, labels) == brier_loss_sum(probs, labels) / 2


def test_brier_leaves_the_probabilities_alone():
    probs = np.array([[0.75, 0.25]])
    brier_loss(probs, np.array([0]))
    assert probs.tolist() == [[0.75, 0.25]]
