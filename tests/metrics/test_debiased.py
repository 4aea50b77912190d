"""The families ``debiased`` and ``signed`` against the package of Kumar et al., loops over bins, and by hand."""

import math

import calibration
import numpy as np
import pytest
from calibration.utils import bin as binned
from calibration.utils import get_equal_bins, get_equal_prob_bins, plugin_ce
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import measure, reliability_bins
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.debiased import (
    debiased_calibration_error,
    root_mean_square_calibration_error,
    sweep_calibration_error,
)
from harness.metrics.predictions import rank, rank_top_label
from harness.metrics.signed import over_confidence, under_confidence
from harness.metrics.top_label import expected_calibration_error, max_calibration_error

ONE_BIN_COUNT = pytest.mark.parametrize("n_bins", BIN_COUNTS)


def pairs_of(top):
    return list(zip(top.probability.tolist(), top.outcome.tolist(), strict=True))


def swept(top):
    """ECE of one number of bins after the other, binned by the package of Kumar et al."""
    pairs, kept = pairs_of(top), None
    for n_bins in range(1, len(pairs) + 1):
        edges = get_equal_bins(top.probability, num_bins=n_bins)
        bins = [members for members in binned(pairs, edges) if len(members)]
        accuracies = [float(np.sum(members[:, 1])) / len(members) for members in bins]
        if accuracies != sorted(accuracies):
            break
        kept = plugin_ce(bins, power=1)
    return kept


@ONE_BIN_COUNT
def test_debiased_against_its_authors(predictions, n_bins):
    theirs = calibration.utils.lower_bound_scaling_top_ce(*predictions, p=2, debias=True, num_bins=n_bins)
    ours = debiased_calibration_error(rank_top_label(*predictions), n_bins)
    assert ours**2 == pytest.approx(theirs**2, rel=1e-10, abs=1e-13)


@ONE_BIN_COUNT
def test_root_mean_square_against_its_authors_away_from_edges(continuous, n_bins):
    theirs = calibration.utils.lower_bound_scaling_top_ce(
        *continuous, p=2, debias=False, num_bins=n_bins, binning_scheme=get_equal_prob_bins
    )
    assert root_mean_square_calibration_error(rank_top_label(*continuous), n_bins) == pytest.approx(theirs, rel=1e-11)


@ONE_BIN_COUNT
def test_equal_width_parts_against_the_reliability_diagram(predictions, n_bins):
    bins, top = reliability_bins(*predictions, n_bins=n_bins), rank_top_label(*predictions)
    n_samples = len(predictions.labels)
    gaps = [(n / n_samples, c - r) for n, c, r in zip(bins.count, bins.confidence, bins.accuracy, strict=True) if n > 0]
    assert root_mean_square_calibration_error(top, n_bins) == pytest.approx(
        math.sqrt(math.fsum(w * gap**2 for w, gap in gaps)), abs=1e-12
    )
    assert over_confidence(top, n_bins) == pytest.approx(math.fsum(w * gap for w, gap in gaps if gap > 0), abs=1e-12)
    assert under_confidence(top, n_bins) == pytest.approx(math.fsum(-w * gap for w, gap in gaps if gap < 0), abs=1e-12)


def test_sweep_against_a_loop(predictions):
    top = rank_top_label(*predictions)
    assert sweep_calibration_error(top) == pytest.approx(swept(top), rel=1e-11, abs=1e-13)


TWENTIETHS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, max_examples=200)
@given(TWENTIETHS)
def test_ties_and_edges(pairs):
    top = rank(np.array([p for p, _ in pairs]), np.array([y for _, y in pairs]))
    assert sweep_calibration_error(top) == pytest.approx(swept(top), abs=1e-13)
    root, error = root_mean_square_calibration_error(top, 15), expected_calibration_error(top, 15)
    n_zeros = int((top.probability == 0).sum())
    if n_zeros == 0:  # else they are in no bin
        assert error <= root + 1e-13 <= max_calibration_error(top, 15) + 2e-13
    assert over_confidence(top, 15) + under_confidence(top, 15) == pytest.approx(error, abs=1e-15)


def test_signed_parts_add_up(predictions):
    values = measure(*predictions, ["study", "signed", "sharpness"])
    over, under = values["over_confidence_15"], values["under_confidence_15"]
    assert over + under == pytest.approx(values["ECE_15"], abs=1e-15)
    assert over - under == pytest.approx(values["net_over_confidence"], abs=1e-13)


def test_sweep_by_hand():
    """Accuracies 0, 1, 0, 1: two bins of accuracy 1/2 are in order, three of 1/2, 0, 1 are not."""
    top = rank(np.array([0.5, 0.625, 0.75, 0.875]), np.array([False, True, False, True]))
    assert sweep_calibration_error(top) == (2 * 0.0625 + 2 * 0.3125) / 4


def test_sweep_reaches_one_bin_per_sample():
    confidence, right = np.linspace(0.3, 0.9, 50), np.arange(50) >= 20
    expected = np.abs(confidence - right).mean()
    assert sweep_calibration_error(rank(confidence, right)) == pytest.approx(expected)


def test_sweep_of_confidences_that_mislead():
    assert sweep_calibration_error(rank(np.array([0.5, 0.75]), np.array([True, False]))) == 0.125


def test_sweep_to_half_as_many_bins_as_samples():
    """One error, second from below: every binning is in order until the error has a bin of its own."""
    top = rank(np.linspace(0.6, 0.9, 60), np.arange(60) != 1)
    assert sweep_calibration_error(top) == pytest.approx(swept(top), rel=1e-11)


def test_debiased_is_zero_where_noise_explains_the_error():
    top = rank(np.full(4, 0.5), np.array([True, True, True, False]))
    assert root_mean_square_calibration_error(top, 15) == 0.25
    assert debiased_calibration_error(top, 15) == 0  # 1/16 less 3/16 / 3


def test_debiased_removes_noise_on_average():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, (300, 200))
    tops = [rank(row, rng.uniform(size=row.size) < row) for row in confidence]
    plugin = np.mean([root_mean_square_calibration_error(top, 15) for top in tops])
    assert np.mean([debiased_calibration_error(top, 15) for top in tops]) < plugin / 2


def test_bins_of_one_sample_add_nothing():
    assert debiased_calibration_error(rank(np.array([0.25, 0.5, 0.75]), np.array([True, False, False])), 15) == 0


def test_perfect_and_always_wrong():
    right, wrong = (rank(np.ones(40), np.full(40, outcome)) for outcome in (True, False))
    for error in (root_mean_square_calibration_error, debiased_calibration_error, over_confidence):
        assert error(right, 15) == 0
        assert error(wrong, 15) == 1
    assert sweep_calibration_error(right) == under_confidence(right, 15) == under_confidence(wrong, 15) == 0
    assert sweep_calibration_error(wrong) == 1
