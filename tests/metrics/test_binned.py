"""Every binned measurement and KSCE against loops over samples in exact sums, and against the public packages."""

import math
from bisect import bisect_left
from collections import defaultdict
from itertools import pairwise

import calibration
import netcal.metrics
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import reliability_bins
from harness.metrics.binning import BIN_COUNTS, equal_width_edges
from harness.metrics.classwise import (
    classwise_adaptive_calibration_error,
    classwise_calibration_error,
    classwise_equal_mass_calibration_error,
)
from harness.metrics.predictions import rank, rank_classes, rank_top_label
from harness.metrics.top_label import (
    accuracy,
    correct_confidence,
    equal_mass_calibration_error,
    expected_calibration_error,
    harmonic_calibration_score,
    incorrect_confidence,
    kolmogorov_smirnov_calibration_error,
    max_calibration_error,
)
from harness.metrics.undefined import Undefined

# the oracles: a binary event per sample as a list of (probability, outcome), one sample at a time


def top_pairs(probs, labels):
    return [(max(row), int(row.index(max(row)) == label)) for row, label in zip(probs.tolist(), labels, strict=True)]


def class_pairs(probs, labels):
    return [
        [(row[k], int(label == k)) for row, label in zip(probs.tolist(), labels, strict=True)]
        for k in range(probs.shape[1])
    ]


def bins_by_edges(pairs, upper_edges):
    bins = defaultdict(list)
    for probability, outcome in pairs:
        bins[bisect_left(upper_edges, probability)].append((probability, outcome))
    return list(bins.values())


def equal_width_bins(pairs, n_bins):
    positive = [pair for pair in pairs if pair[0] > 0]
    return bins_by_edges(positive, [(b + 1) / n_bins for b in range(n_bins)])


def equal_mass_bins(pairs, n_bins):
    values = sorted(probability for probability, _ in pairs)
    chunks = np.array_split(values, min(n_bins, len(values)))
    edges = {(float(low[-1]) + float(high[0])) / 2 for low, high in pairwise(chunks)}
    return bins_by_edges(pairs, sorted(edges | {1.0}))


def equal_count_bins(pairs, n_bins):
    kept = [pair for pair in sorted(pairs, key=lambda pair: pair[0]) if pair[0] > 0]
    size = len(kept) // n_bins
    return [kept[b * size : (b + 1) * size] for b in range(n_bins - 1)] + [kept[(n_bins - 1) * size :]]


def gap(members):
    return abs(math.fsum(p for p, _ in members) - sum(y for _, y in members)) / len(members)


def error_over(bins, n_samples):
    return math.fsum(len(members) / n_samples * gap(members) for members in bins if members)


def ks_error(pairs):
    worst, total = 0.0, 0.0
    for value in sorted({probability for probability, _ in pairs}):
        total += math.fsum(p - y for p, y in pairs if p == value)
        worst = max(worst, abs(total) / len(pairs))
    return worst


ONE_BIN_COUNT = pytest.mark.parametrize("n_bins", BIN_COUNTS)


@ONE_BIN_COUNT
def test_top_label_against_loops(predictions, n_bins):
    top, pairs = rank_top_label(*predictions), top_pairs(*predictions)
    n_samples = len(pairs)
    assert expected_calibration_error(top, n_bins) == pytest.approx(
        error_over(equal_width_bins(pairs, n_bins), n_samples), rel=1e-12, abs=1e-13
    )
    assert equal_mass_calibration_error(top, n_bins) == pytest.approx(
        error_over(equal_mass_bins(pairs, n_bins), n_samples), rel=1e-12, abs=1e-13
    )
    assert max_calibration_error(top, n_bins) == pytest.approx(
        max(gap(members) for members in equal_width_bins(pairs, n_bins)), rel=1e-12, abs=1e-12
    )


@ONE_BIN_COUNT
def test_classwise_against_loops(predictions, n_bins):
    classes, pairs = rank_classes(*predictions), class_pairs(*predictions)
    n_samples = len(predictions.labels)

    def mean_over_classes(bins_of):
        return np.mean([error_over(bins_of(of_class, n_bins), n_samples) for of_class in pairs])

    assert classwise_calibration_error(classes, n_bins) == pytest.approx(
        mean_over_classes(equal_width_bins), rel=1e-11, abs=1e-13
    )
    assert classwise_equal_mass_calibration_error(classes, n_bins) == pytest.approx(
        mean_over_classes(equal_mass_bins), rel=1e-11, abs=1e-13
    )
    if n_samples >= n_bins:
        assert classwise_adaptive_calibration_error(classes, n_bins) == pytest.approx(
            mean_over_classes(equal_count_bins), rel=1e-11, abs=1e-13
        )
    else:
        assert classwise_adaptive_calibration_error(classes, n_bins) == Undefined(
            f"N = {n_samples} is less than M = {n_bins}"
        )


def test_kolmogorov_smirnov_against_loops(predictions):
    expected = ks_error(top_pairs(*predictions))
    assert kolmogorov_smirnov_calibration_error(rank_top_label(*predictions)) == pytest.approx(expected, abs=1e-13)


TWENTIETHS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None, max_examples=200)
@given(pairs=TWENTIETHS, n_bins=st.sampled_from(BIN_COUNTS))
def test_ties_edges_and_zeros_against_loops(pairs, n_bins):
    ranked = rank(np.array([p for p, _ in pairs]), np.array([y for _, y in pairs]))
    n_samples = len(pairs)
    assert expected_calibration_error(ranked, n_bins) == pytest.approx(
        error_over(equal_width_bins(pairs, n_bins), n_samples), abs=1e-13
    )
    assert equal_mass_calibration_error(ranked, n_bins) == pytest.approx(
        error_over(equal_mass_bins(pairs, n_bins), n_samples), abs=1e-13
    )
    assert kolmogorov_smirnov_calibration_error(ranked) == pytest.approx(ks_error(pairs), abs=1e-13)
    if n_samples >= n_bins:
        assert classwise_adaptive_calibration_error([ranked], n_bins) == pytest.approx(
            error_over(equal_count_bins(pairs, n_bins), n_samples), abs=1e-13
        )


@ONE_BIN_COUNT
def test_netcal_agrees_away_from_edges(multiclass, n_bins):
    top = rank_top_label(*multiclass)
    ece, mce = netcal.metrics.ECE(bins=n_bins), netcal.metrics.MCE(bins=n_bins)
    assert expected_calibration_error(top, n_bins) == pytest.approx(ece.measure(*multiclass), rel=1e-11)
    assert max_calibration_error(top, n_bins) == pytest.approx(mce.measure(*multiclass), rel=1e-11)


def test_netcal_closes_bins_on_the_left():
    """At c = .5 with two bins: in (0, .5] here; in [.5, 1] in netcal, which then averages it with the two at .9."""
    probs = np.array([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.05, 0.05, 0.9]])
    labels = np.array([0, 1, 2])
    assert expected_calibration_error(rank_top_label(probs, labels), 2) == pytest.approx((1 * 0.5 + 2 * 0.4) / 3)
    assert netcal.metrics.ECE(bins=2).measure(probs, labels) == pytest.approx((0.5 + 0.9 + 0.9 - 2) / 3)


@ONE_BIN_COUNT
def test_uncertainty_calibration_agrees_on_equal_mass(predictions, n_bins):
    ours = equal_mass_calibration_error(rank_top_label(*predictions), n_bins)
    theirs = calibration.get_ece_em(*predictions, num_bins=n_bins, mode="top-label")
    assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-13)
    ours = classwise_equal_mass_calibration_error(rank_classes(*predictions), n_bins)
    theirs = calibration.get_ece_em(*predictions, num_bins=n_bins, mode="marginal")
    assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-13)


@ONE_BIN_COUNT
def test_uncertainty_calibration_agrees_on_equal_width_without_zeros(continuous, n_bins):
    ours = classwise_calibration_error(rank_classes(*continuous), n_bins)
    theirs = calibration.get_ece(*continuous, num_bins=n_bins, mode="marginal")
    assert ours == pytest.approx(theirs, rel=1e-11)


def test_uncertainty_calibration_bins_zeros():
    """A class given probability 0 that happens: in the first bin there (error 1), in no bin here (error 0)."""
    probs, labels = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1, 1])
    assert classwise_calibration_error(rank_classes(probs, labels), 10) == 0.5
    assert calibration.get_ece(probs, labels, num_bins=10, mode="marginal") == 1.0
    assert classwise_equal_mass_calibration_error(rank_classes(probs, labels), 10) == 1.0


@ONE_BIN_COUNT
def test_edges_are_correctly_rounded_quotients(n_bins):
    edges = equal_width_edges(n_bins)
    assert edges.tolist() == [b / n_bins for b in range(n_bins + 1)]
    ranked = rank(edges[1:], np.ones(n_bins, dtype=bool))  # each edge closes its own bin
    assert max_calibration_error(ranked, n_bins) == pytest.approx(1 - 1 / n_bins)


def test_linspace_would_move_values_on_an_edge():
    assert any((np.linspace(0, 1, n_bins + 1) != equal_width_edges(n_bins)).any() for n_bins in BIN_COUNTS)


def test_order_of_samples_matters_only_to_equal_count_bins_with_ties():
    probability = np.array([0.5, 0.5])
    first, second = (rank(probability, np.array(outcome)) for outcome in ([False, True], [True, False]))
    assert kolmogorov_smirnov_calibration_error(first) == kolmogorov_smirnov_calibration_error(second) == 0
    assert equal_mass_calibration_error(first, 2) == equal_mass_calibration_error(second, 2) == 0
    assert classwise_adaptive_calibration_error([first], 2) == 0.5


def test_few_positive_probabilities_all_fall_in_the_last_equal_count_bin():
    ranked = rank(np.array([0.0, 0.0, 0.5, 0.7]), np.array([True, False, False, True]))
    assert classwise_adaptive_calibration_error([ranked], 4) == pytest.approx(abs(0.5 + 0.7 - 1) / 4)


def test_confidences_and_scores_by_hand():
    top = rank(np.array([0.5, 0.7, 0.9, 0.9]), np.array([True, False, True, False]))
    assert accuracy(top) == 0.5
    assert correct_confidence(top) == pytest.approx(0.7)
    assert incorrect_confidence(top) == pytest.approx(0.8)
    ece = (0.5 + 0.7 + 0.8) / 4
    assert expected_calibration_error(top, 15) == pytest.approx(ece)
    assert harmonic_calibration_score(top) == pytest.approx(2 * 0.5 * (1 - ece) / (0.5 + 1 - ece))
    assert harmonic_calibration_score(top, weight=3.0) == pytest.approx(4 * 0.5 * (1 - ece) / (1.5 + 1 - ece))


def test_scores_without_a_value():
    right, wrong = (rank(np.ones(3), np.full(3, outcome)) for outcome in (True, False))
    assert incorrect_confidence(right) == Undefined("no prediction is wrong")
    assert correct_confidence(wrong) == Undefined("no prediction is right")
    assert harmonic_calibration_score(wrong) == Undefined("accuracy and 1 - ECE_15 are both 0")


@pytest.mark.parametrize("n_bins", [1, 2, 15])
def test_reliability_bins_give_back_the_error(predictions, n_bins):
    bins = reliability_bins(*predictions, n_bins=n_bins)
    n_samples = len(predictions.labels)
    assert len(bins.count) == len(bins.confidence) == len(bins.accuracy) == n_bins
    assert sum(bins.count) == n_samples
    assert [count == 0 for count in bins.count] == [mean is None for mean in bins.confidence]
    assert [mean is None for mean in bins.confidence] == [mean is None for mean in bins.accuracy]
    error = sum(
        count / n_samples * abs(confidence - right)
        for count, confidence, right in zip(bins.count, bins.confidence, bins.accuracy, strict=True)
        if count
    )
    assert error == pytest.approx(expected_calibration_error(rank_top_label(*predictions), n_bins), abs=1e-13)


def test_reliability_bins_reject():
    probs, labels = np.array([[0.5, 0.5]]), np.array([0])
    with pytest.raises(ValueError, match="n_bins: expected a whole number of at least 1, got 0"):
        reliability_bins(probs, labels, n_bins=0)
    with pytest.raises(ValueError, match="rows that sum to 1"):
        reliability_bins(probs / 2, labels)
