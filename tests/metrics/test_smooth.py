"""Smooth ECE against quadrature of its definition, against its authors' package relplot, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relplot.metrics import smECE, smECE_sigma
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import bisect
from scipy.stats import norm

from harness.metrics.predictions import rank, rank_top_label
from harness.metrics.smooth import GRID_SIZE, smooth, smooth_calibration_error
from harness.metrics.top_label import expected_calibration_error

STEP_OF_RELPLOT = 2.0**-10
"""Its search halves [0, 1] ten times and takes the upper end."""


def integral(top, bandwidth):
    """The definition at one bandwidth: the absolute smoothed gap at the middles of steps of 1/100 of it."""
    n_steps = math.ceil(100 / bandwidth)
    t = (np.arange(n_steps) + 0.5) / n_steps
    reach = math.ceil(4 * bandwidth)
    images = [sign * top.probability + 2 * j for j in range(-reach, reach + 1) for sign in (-1, 1)]
    kernel = sum(norm.pdf(t[:, None], image, bandwidth) for image in images)
    return np.abs(kernel @ (top.probability - top.outcome)).mean() / top.probability.size


def fixed_point(top):
    return bisect(lambda bandwidth: bandwidth - integral(top, bandwidth), 1e-3, 1.5, xtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_against_quadrature(seed):
    """From two samples to fifty, from calibrated to reversed; the narrowest bandwidth is 200 cells of the grid."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 1, [2, 3, 5, 10, 30, 50][seed])
    top = rank(confidence, rng.uniform(size=confidence.size) < [confidence, 1 - confidence][seed % 2])
    assert smooth_calibration_error(top) == pytest.approx(fixed_point(top), rel=2e-5)


def relplot_arguments(top):
    return top.probability, top.outcome.astype(float)


def test_against_relplot(predictions):
    """Its bandwidth is up to a step above the fixed point and its value about as much below, being taken there.

    The confidences are squeezed, as above .999 it counts them less: `test_relplot_counts_samples_at_one_by_half`.
    """
    top = rank_top_label(*predictions)
    top = rank(top.probability * 0.99, top.outcome)
    value, bandwidth = smECE(*relplot_arguments(top), return_width=True)
    error = smooth_calibration_error(top)
    assert error == pytest.approx(value, abs=1.5 * STEP_OF_RELPLOT)
    assert error == pytest.approx(bandwidth, abs=1.5 * STEP_OF_RELPLOT)


@pytest.mark.parametrize("bandwidth", [0.02, 0.05, 0.1])
def test_quadrature_against_relplot(bandwidth):
    """At one bandwidth only its mesh of 200 points differs, here by under one part in 100."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.4, 0.9, 300)
    top = rank(confidence, rng.uniform(size=300) < confidence**2)
    assert smECE_sigma(*relplot_arguments(top), bandwidth) == pytest.approx(integral(top, bandwidth), rel=1e-2)


def test_relplot_counts_samples_at_one_by_half():
    """Half right at 1, half wrong at 3/4: the gap is 3/8 on average; at weights 1/2 and 1 it would be 1/2.

    Its values are mirrored about the last point of its grid, which itself is not doubled.
    """
    top = rank(np.repeat([0.75, 1.0], 3), np.repeat([False, True], 3))
    assert smooth_calibration_error(top) == pytest.approx(0.375, abs=1e-12)
    assert fixed_point(top) == pytest.approx(0.375, abs=1e-4)
    assert smECE(*relplot_arguments(top)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("confidence", "right"), [(0.25, True), (0.75, True), (0.75, False), (1.0, False), (0.5, True)]
)
def test_one_sample(confidence, right):
    error = smooth_calibration_error(rank(np.array([confidence]), np.array([right])))
    assert error == pytest.approx(abs(confidence - right), abs=1e-12)


@pytest.mark.parametrize("confidence", [1 / 3, 0.5, 0.9, 1 - 1e-6, 1.0])
@pytest.mark.parametrize("n_right", [0, 3, 10])
def test_constant_confidence_has_the_mean_gap(confidence, n_right):
    top = rank(np.full(10, confidence), np.arange(10) < n_right)
    assert smooth_calibration_error(top) == pytest.approx(abs(confidence - n_right / 10), abs=1e-12)


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong_have_the_mean_gap(right):
    confidence = np.random.default_rng(0).uniform(0.1, 1, 500)
    top = rank(confidence, np.full(500, right))
    assert smooth_calibration_error(top) == pytest.approx(np.abs(confidence - right).mean(), abs=1e-12)


def test_certain_predictions():
    """Confidences of exactly 0 and 1, beyond the centres of the outer cells."""
    for confidence in (0.0, 1.0):
        right, wrong = (rank(np.full(7, confidence), np.full(7, outcome)) for outcome in (True, False))
        assert smooth_calibration_error(right) == pytest.approx(1 - confidence, abs=1e-12)
        assert smooth_calibration_error(wrong) == pytest.approx(confidence, abs=1e-12)


def test_no_gap_at_any_level_is_no_error():
    """Right in 3 of 4 at .75 and in 9 of 10 at .9."""
    confidence = np.repeat([0.75, 0.9], [400, 400])
    right = np.arange(800) < np.where(confidence == 0.75, 300, 400 + 360)
    assert expected_calibration_error(rank(confidence, right), 15) == pytest.approx(0, abs=1e-12)
    assert smooth_calibration_error(rank(confidence, right)) == pytest.approx(0, abs=1e-12)


def test_calibrated_predictions_approach_zero():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    errors = []
    for n_samples in (200, 20_000, 200_000):
        of_first = confidence[:n_samples]
        errors.append(smooth_calibration_error(rank(of_first, rng.uniform(size=n_samples) < of_first)))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.005


def test_opposite_gaps_cancel_the_more_the_closer_they_are():
    """Gaps of -.5 and .5 at distance d: bins part them or not; the smooth error goes to 0 with d, without a jump."""
    errors = [
        smooth_calibration_error(rank(np.array([0.5, 0.5 + distance]), np.array([True, False])))
        for distance in (0.0, 1e-4, 1e-2, 1e-1, 4e-1)
    ]
    assert errors[0] == pytest.approx(0, abs=1e-12)
    assert errors == sorted(errors)
    assert errors[1] < 0.01


def test_small_errors_on_a_finer_grid():
    """What the size of the grid is said to cost at an error of .001, by scipy's filter on eight times as many cells.

    A bandwidth less its integral rises at least as fast as the bandwidth: it bounds the distance to the fixed point.
    """
    rng = np.random.default_rng(0)
    confidence = np.maximum(rng.uniform(0.5, 1, 500_000) ** 0.2, 0.9)
    top = rank(confidence, rng.uniform(size=confidence.size) < confidence)
    error = smooth_calibration_error(top)
    assert 0.0005 < error < 0.002
    n_cells = 8 * GRID_SIZE
    gaps, _ = np.histogram(top.probability, n_cells, range=(0, 1), weights=top.probability - top.outcome)
    smoothed = gaussian_filter1d(gaps / confidence.size, error * n_cells, mode="reflect", truncate=8)
    assert np.abs(smoothed).sum() == pytest.approx(error, rel=3e-4)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=30))
def test_bounds_and_order(pairs):
    confidence, right = np.array([p for p, _ in pairs]), np.array([y for _, y in pairs])
    error = smooth_calibration_error(rank(confidence, right))
    gap = confidence - right
    assert abs(gap.mean()) - 1e-12 <= error <= np.abs(gap).mean() + 1e-12
    assert 0 <= error <= 1
    assert smooth_calibration_error(rank(confidence[::-1], right[::-1])) == pytest.approx(error, abs=1e-11)


def test_reflection_swaps_the_ends(continuous):
    """1 - c against 1 - r is the same error: the grid is the same from both ends."""
    top = rank_top_label(*continuous)
    swapped = rank(1 - top.probability, ~top.outcome)
    assert smooth_calibration_error(swapped) == pytest.approx(smooth_calibration_error(top), abs=1e-10)


def test_family(predictions):
    values = smooth(*predictions)
    assert values == {"smECE": smooth_calibration_error(rank_top_label(*predictions))}
    assert type(values["smECE"]) is float
