"""KDECE against KDEpy and the authors' loop over the grid, MMCE against netcal and all pairs."""

import netcal.metrics
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from KDEpy import FFTKDE

from harness.metrics.kernel import kernel_density_calibration_error, max_mean_calibration_error
from harness.metrics.predictions import rank, rank_top_label
from harness.metrics.undefined import Undefined


def kde_error(confidence, right):
    """The authors' procedure: KDEpy's densities, a loop over the grid that carries the previous value."""
    x = np.linspace(-0.6, 1.6, 2**14)
    bandwidth = np.std(confidence[right]) * (2 * len(confidence)) ** -0.2

    def density(values):
        mirrored = np.concatenate([-values[values < 0.5], values, 2 - values[values >= 0.5]])
        estimate = FFTKDE(bw=bandwidth, kernel="triweight").fit(mirrored).evaluate(x)
        estimate[(x <= 0) | (x >= 1)] = 0
        return 2 * estimate

    of_right, of_all = density(confidence[right]), density(confidence)
    integrand = np.zeros_like(x)
    for i in range(x.size):
        if max(of_right[i], of_all[i]) > 1e-6:
            acc = min(np.mean(right) * of_right[i] / of_all[i], 1.0)
            integrand[i] = abs(x[i] - acc) * of_all[i]
        elif i > 1:
            integrand[i] = integrand[i - 1]
    inside = (x >= 0) & (x <= 1)
    return np.trapezoid(integrand[inside], x[inside]) / np.trapezoid(of_all[inside], x[inside])


def kde_error_is_defined(top):
    return top.outcome.sum() >= 2 and np.ptp(top.probability[top.outcome]) > 1e-6


def test_kernel_density_against_kdepy(predictions):
    top = rank_top_label(*predictions)
    if kde_error_is_defined(top):
        expected = kde_error(top.probability, top.outcome)
        assert kernel_density_calibration_error(top) == pytest.approx(expected, rel=1e-10)
    else:
        assert isinstance(kernel_density_calibration_error(top), Undefined)


@pytest.mark.parametrize("spread", [2e-6, 1e-4, 1e-3, 1.0])
@pytest.mark.parametrize("n_samples", [3, 50])
def test_kernel_density_with_extreme_bandwidths_against_kdepy(spread, n_samples):
    """From below the step of the grid (only the central tap is left) to half the unit interval."""
    confidence = 1 - spread * np.linspace(0, 1, n_samples)
    right = np.arange(n_samples) != 1
    error = kernel_density_calibration_error(rank(confidence, right))
    assert error == pytest.approx(kde_error(confidence, right), rel=1e-8)


def test_kernel_density_of_exact_zeros_and_ones_against_kdepy():
    confidence, right = np.array([0.0, 0.0, 0.5, 1.0, 1.0]), np.array([True, False, True, False, True])
    assert kernel_density_calibration_error(rank(confidence, right)) == pytest.approx(
        kde_error(confidence, right), rel=1e-10
    )


def test_kernel_density_leaves_the_unit_interval_for_bandwidths_below_the_grid():
    """The published definition keeps the previous integrand over gaps: a known flaw, matched and not hidden."""
    confidence = np.append(np.linspace(0.899999, 0.900001, 70), np.linspace(0.2, 0.95, 30))
    right = np.arange(100) < 70
    error = kernel_density_calibration_error(rank(confidence, right))
    assert error > 1
    assert error == pytest.approx(kde_error(confidence, right), rel=1e-8)


@pytest.mark.parametrize(
    ("confidence", "right", "reason"),
    [
        ([0.5, 0.9], [False, False], "the bandwidth takes two right predictions, there are 0"),
        ([0.5, 0.9], [True, False], "the bandwidth takes two right predictions, there are 1"),
        ([0.3, 0.5, 0.5 + 9e-7], [False, True, True], "all right confidences lie within 1e-06 of each other"),
        ([1.0, 1.0, 1.0], [True, True, True], "all right confidences lie within 1e-06 of each other"),
    ],
)
def test_kernel_density_without_a_bandwidth(confidence, right, reason):
    ranked = rank(np.array(confidence), np.array(right))
    assert kernel_density_calibration_error(ranked) == Undefined(reason)


def all_pairs_squared(confidence, right):
    gap = right - confidence
    kernel = np.exp(-np.abs(confidence[:, None] - confidence) / 0.4)
    return (gap @ kernel @ gap) / len(confidence) ** 2


def test_max_mean_against_netcal(predictions):
    top = rank_top_label(*predictions)
    expected = netcal.metrics.MMCE().measure(*predictions)
    assert max_mean_calibration_error(top) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_max_mean_against_all_pairs(pairs):
    confidence, right = np.array([p for p, _ in pairs]), np.array([y for _, y in pairs])
    error = max_mean_calibration_error(rank(confidence, right))
    assert error**2 == pytest.approx(all_pairs_squared(confidence, right), abs=1e-14)


def test_max_mean_by_hand():
    """Two samples: v = (-.5, .1), their kernel is exp(-1)."""
    error = max_mean_calibration_error(rank(np.array([0.5, 0.9]), np.array([False, True])))
    assert error == pytest.approx(np.sqrt(0.25 + 0.01 - 0.1 / np.e) / 2)


def test_max_mean_survives_rounding_below_zero():
    """Errors that cancel: the sum over pairs is 0 but for rounding."""
    assert max_mean_calibration_error(rank(np.full(10, 0.3), np.arange(10) < 3)) == pytest.approx(0, abs=1e-8)
