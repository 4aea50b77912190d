"""Measurements of resamples against measuring the drawn samples one by one."""

import numpy as np
import pytest

from harness.metrics import measure
from harness.metrics.resampling import HEADLINE, measure_resamples, resample_weights


def test_measurements_are_those_of_the_drawn_samples(predictions):
    """Predictions of every kind: ties, zeros, an absent class, one class more than samples."""
    probs, labels = predictions
    found = measure_resamples(probs, labels, n_resamples=3, seed=5)
    assert tuple(found) == HEADLINE
    for i, times in enumerate(resample_weights(len(labels), 3, seed=5)):
        drawn = np.repeat(np.arange(len(labels)), times)
        expected = measure(probs[drawn], labels[drawn])
        for name in HEADLINE:
            if expected[name] is None:
                assert np.isnan(found[name][i]), name
            else:
                assert found[name][i] == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("n_samples", [1, 2, 14, 16])
def test_few_samples(n_samples):
    rng = np.random.default_rng(n_samples)
    probs, labels = rng.dirichlet(np.ones(3), n_samples), rng.integers(0, 3, n_samples)
    found = measure_resamples(probs, labels, n_resamples=4)
    for i, times in enumerate(resample_weights(n_samples, 4)):
        drawn = np.repeat(np.arange(n_samples), times)
        expected = measure(probs[drawn], labels[drawn])
        for name in ("ECE_15", "ECE_em_15", "cwCE_15", "cwCE_em_15", "MMCE", "acc"):
            assert found[name][i] == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name


def test_an_impossible_label_is_undefined_where_it_is_drawn():
    probs, labels = np.array([[1.0, 0.0]] + [[0.5, 0.5]] * 5), np.array([1, 0, 0, 1, 1, 0])
    found = measure_resamples(probs, labels, n_resamples=20)
    drawn = resample_weights(6, 20)[:, 0] > 0
    assert 0 < drawn.sum() < 20
    np.testing.assert_array_equal(np.isnan(found["NLL"]), drawn)
    np.testing.assert_allclose(found["NLL"][~drawn], np.log(2))


def test_weights():
    weights = resample_weights(50, 400, seed=1)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.25)
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.02)  # binomial: 50 draws, 1 in 50 each
    np.testing.assert_array_equal(resample_weights(50, 3, seed=1), weights[:3])
    assert not np.array_equal(resample_weights(50, 3, seed=2), weights[:3])


def test_order_of_classes_and_blocks(continuous, monkeypatch):
    probs, labels = continuous
    whole = measure_resamples(probs, labels, n_resamples=5)
    monkeypatch.setattr("harness.metrics.resampling._BLOCK", 1)
    for name, values in measure_resamples(probs, labels, n_resamples=5).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12, err_msg=name)
    order = np.random.default_rng(0).permutation(probs.shape[1])
    renamed = measure_resamples(probs[:, order], np.argsort(order)[labels], n_resamples=5)
    for name in HEADLINE:
        np.testing.assert_allclose(renamed[name], whole[name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_resamples": 0}, "n_resamples: expected a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        measure_resamples(np.array([[0.5, 0.5]]), np.array([0]), **arguments)
