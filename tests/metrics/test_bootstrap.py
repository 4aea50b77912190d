"""Intervals by hand and by scipy; what is uncertain is said to be."""

import numpy as np
import pytest
from scipy import stats

from harness.metrics import measure
from harness.metrics.bootstrap import Interval, pivot_interval
from harness.metrics.resampling import measure_resamples, resample_weights


def test_interval_of_a_mean_against_scipy():
    outcome = (np.random.default_rng(3).random(300) < 0.7).astype(float)
    replicates = resample_weights(300, 2000, seed=4) @ outcome / 300
    ours = pivot_interval(outcome.mean(), replicates)
    theirs = stats.bootstrap((outcome,), np.mean, method="basic", n_resamples=2000, rng=5).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    assert abs(ours.bias) < 0.003
    assert ours.is_reliable


def test_interval_by_hand():
    replicates = np.linspace(0.1, 0.3, 101)
    interval = pivot_interval(0.1, replicates, level=0.9)
    assert interval.low == pytest.approx(0.2 - 0.29)  # may leave the range: nothing is clipped
    assert interval.high == pytest.approx(0.2 - 0.11)
    assert interval.bias == pytest.approx(0.1)
    assert not interval.is_reliable
    assert pivot_interval(0.5, np.full(10, 0.5)) == Interval(0.5, 0.5, 0.0, is_reliable=True)


def test_the_estimate_of_a_calibrated_network_is_flagged():
    """ECE of few images is nearly all noise, accuracy is not."""
    rng = np.random.default_rng(6)
    probs = rng.dirichlet(np.full(4, 0.4), 500)
    labels = (rng.random(500)[:, np.newaxis] > probs.cumsum(axis=1)).sum(axis=1)
    estimate, replicates = measure(probs, labels), measure_resamples(probs, labels, n_resamples=100)
    assert not pivot_interval(estimate["ECE_100"], replicates["ECE_100"]).is_reliable
    assert pivot_interval(estimate["acc"], replicates["acc"]).is_reliable


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_refused_levels(level):
    with pytest.raises(ValueError, match="level: expected a share between 0 and 1"):
        pivot_interval(0.5, np.array([0.5]), level=level)


@pytest.mark.parametrize(
    ("estimate", "replicates", "message"),
    [
        (0.5, np.array([0.5, np.nan]), "replicates: expected no NaN, got 1 of 2"),
        (0.5, np.array([]), r"replicates: expected an array \(resamples,\) with at least one value"),
        (np.nan, np.array([0.5]), "estimate: expected a finite float, got nan; what is undefined has no interval"),
    ],
)
def test_refused_estimates_and_replicates(estimate, replicates, message):
    with pytest.raises(ValueError, match=message):
        pivot_interval(float(estimate), replicates)
