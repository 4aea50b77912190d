"""One test per edge case, with numbers computed by hand or by a loop over the bins."""

import numpy as np
import pytest

from harness.metrics import measure, measure_with_reasons, reliability_bins
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.classwise import (
    classwise_adaptive_calibration_error,
    classwise_calibration_error,
    classwise_equal_mass_calibration_error,
)
from harness.metrics.predictions import rank, rank_classes, rank_top_label
from harness.metrics.top_label import (
    equal_mass_calibration_error,
    expected_calibration_error,
    kolmogorov_smirnov_calibration_error,
    max_calibration_error,
)
from harness.metrics.undefined import Undefined

ONE_BIN_COUNT = pytest.mark.parametrize("n_bins", BIN_COUNTS)


def gaps_of_bins(probability, outcome, n_bins):
    """Return count and |mean p - mean y| of every filled bin (b / n_bins, (b + 1) / n_bins], one bin at a time."""
    gaps = []
    for b in range(n_bins):
        members = (probability > b / n_bins) & (probability <= (b + 1) / n_bins)
        if members.any():
            gaps.append((members.sum(), abs(probability[members].mean() - outcome[members].mean())))
    return gaps


def error_by_loop(probability, outcome, n_bins):
    return sum(count * gap for count, gap in gaps_of_bins(probability, outcome, n_bins)) / len(probability)


def pair(low, high):
    """Return two samples: the less probable one happened, the other did not."""
    return rank(np.array([low, high]), np.array([True, False]))


# values on an edge


@ONE_BIN_COUNT
def test_value_on_an_edge_belongs_to_the_bin_below(n_bins):
    """b / M shares a bin with the value just below, where their gaps cancel, and none with the value just above."""
    for b in range(1, n_bins):
        edge = b / n_bins
        with_below, with_above = pair(np.nextafter(edge, 0), edge), pair(edge, np.nextafter(edge, 1))
        together, apart = abs(2 * edge - 1) / 2, 0.5
        assert expected_calibration_error(with_below, n_bins) == pytest.approx(together, abs=1e-12)
        assert expected_calibration_error(with_above, n_bins) == pytest.approx(apart, abs=1e-12)
        assert max_calibration_error(with_below, n_bins) == pytest.approx(together, abs=1e-12)
        assert max_calibration_error(with_above, n_bins) == pytest.approx(max(edge, 1 - edge), abs=1e-12)
        assert classwise_calibration_error([with_below], n_bins) == pytest.approx(together, abs=1e-12)
        assert classwise_calibration_error([with_above], n_bins) == pytest.approx(apart, abs=1e-12)


@ONE_BIN_COUNT
def test_every_edge_at_once_against_a_loop(n_bins):
    """One sample on each upper edge: each alone in the bin that it closes."""
    edges = np.array([(b + 1) / n_bins for b in range(n_bins)])
    outcome = np.arange(n_bins) % 3 == 0
    ranked = rank(edges, outcome)
    assert [count for count, _ in gaps_of_bins(edges, outcome, n_bins)] == [1] * n_bins
    assert expected_calibration_error(ranked, n_bins) == pytest.approx(error_by_loop(edges, outcome, n_bins))
    assert expected_calibration_error(ranked, n_bins) == pytest.approx(np.abs(edges - outcome).mean())


def test_confidence_of_one_over_k_on_an_edge():
    """The lowest possible confidence, 1/5, with five bins is in (0, 1/5]; with four it is in (0, 1/4] too."""
    probs, labels = np.full((5, 5), 0.2), np.arange(5)
    assert reliability_bins(probs, labels, n_bins=5).count == [5, 0, 0, 0, 0]
    assert reliability_bins(probs, labels, n_bins=4).count == [5, 0, 0, 0]


# ties


def test_ties_are_parted_by_no_measurement_but_equal_count_bins():
    """Two at .5, one of them right, and two at .75, both right: gaps 0 and -.25 of the two levels."""
    ranked = rank(np.array([0.5, 0.75, 0.5, 0.75]), np.array([False, True, True, True]))
    for n_bins in (2, 4, 500):
        assert expected_calibration_error(ranked, n_bins) == 0.125
        assert equal_mass_calibration_error(ranked, n_bins) == 0.125
        assert max_calibration_error(ranked, n_bins) == 0.25
    assert kolmogorov_smirnov_calibration_error(ranked) == 0.125
    assert classwise_adaptive_calibration_error([ranked], 2) == 0.125
    assert classwise_adaptive_calibration_error([ranked], 4) == (0.5 + 0.5 + 0.25 + 0.25) / 4


def test_tied_classes_predict_the_first():
    probs = np.array([[0.25, 0.375, 0.375], [0.375, 0.25, 0.375]])
    assert measure(probs, np.array([1, 0]))["acc"] == 1
    assert measure(probs, np.array([2, 2]))["acc"] == 0


def test_ties_across_a_chunk_leave_one_bin_of_equal_mass():
    """Three chunks of .5, .5, .5 and a .75: the edges .5 and .625 part only the two levels."""
    ranked = rank(np.array([0.5, 0.5, 0.5, 0.75]), np.array([True, False, False, True]))
    assert equal_mass_calibration_error(ranked, 3) == (0.5 + 0.25) / 4


# empty bins


@ONE_BIN_COUNT
def test_empty_bins_add_nothing(n_bins):
    """Two levels, .3 and .9, alone in their bins: gaps of .3 (wrong) and .1 (right)."""
    ranked = rank(np.array([0.3, 0.9]), np.array([False, True]))
    assert expected_calibration_error(ranked, n_bins) == pytest.approx((0.3 + 0.1) / 2)
    assert max_calibration_error(ranked, n_bins) == pytest.approx(0.3)
    assert len(gaps_of_bins(ranked.probability, ranked.outcome, n_bins)) == 2


def test_empty_bins_have_no_mean():
    bins = reliability_bins(np.array([[0.875, 0.125]]), np.array([0]), n_bins=4)
    assert bins.count == [0, 0, 0, 1]
    assert bins.confidence == [None, None, None, 0.875]
    assert bins.accuracy == [None, None, None, 1.0]


# confidence exactly 1, probability exactly 0


def test_probabilities_of_exactly_zero_and_one():
    """Class 0 has (1, 1, .5) of which the first happens; class 1 (0, 0, .5), the last two; class 2 zeros, none.

    Zeros are in no bin of equal width and in no chunk of equal count, but in a bin of equal mass, where that of class 1
    is off by 1.
    """
    probs = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    labels = np.array([0, 1, 1])
    top, classes = rank_top_label(probs, labels), rank_classes(probs, labels)
    assert expected_calibration_error(top, 2) == (0.5 + (2 - 1)) / 3
    assert max_calibration_error(top, 2) == 0.5
    assert classwise_calibration_error(classes, 2) == pytest.approx(((0.5 + 1) / 3 + 0.5 / 3 + 0) / 3)
    assert classwise_adaptive_calibration_error(classes, 2) == pytest.approx(((0.5 + 1) / 3 + 0.5 / 3 + 0) / 3)
    assert classwise_equal_mass_calibration_error(classes, 2) == pytest.approx((1.5 / 3 + (1 + 0.5) / 3 + 0) / 3)
    measured = measure_with_reasons(probs, labels)
    assert measured.values["Brier_sum"] == pytest.approx((0 + 2 + 0.5) / 3)
    assert measured.reasons["NLL"] == "infinite: 1 of 3 labels have probability 0"


@ONE_BIN_COUNT
def test_confidence_of_exactly_one_is_in_the_last_bin(n_bins):
    probs = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    labels = np.array([0, 0, 0, 1])
    assert reliability_bins(probs, labels, n_bins=n_bins).count == [0] * (n_bins - 1) + [4]
    values = measure(probs, labels)
    for name in ("ECE", "ECE_em", "MCE"):
        assert values[f"{name}_{n_bins}"] == 0.25


# fewer samples than bins


@ONE_BIN_COUNT
def test_fewer_samples_than_bins(n_bins):
    """Four samples: each has a bin of equal mass of its own, and bins of equal count do not exist."""
    probs = np.array([[0.9, 0.1], [0.7, 0.3], [0.55, 0.45], [0.2, 0.8]])
    labels = np.array([0, 1, 0, 0])
    measured = measure_with_reasons(probs, labels)
    assert measured.values[f"ECE_em_{n_bins}"] == pytest.approx((0.1 + 0.7 + 0.45 + 0.8) / 4)
    assert measured.values[f"cwCE_em_{n_bins}"] == pytest.approx((0.1 + 0.7 + 0.45 + 0.8) / 4)
    assert measured.reasons[f"cwACE_{n_bins}"] == f"N = 4 is less than M = {n_bins}"
    top = rank_top_label(probs, labels)
    assert measured.values[f"ECE_{n_bins}"] == pytest.approx(error_by_loop(top.probability, top.outcome, n_bins))


def test_as_many_samples_as_bins():
    """Five samples in five bins of equal count: one each, so the mean of the absolute gaps."""
    probability = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    ranked = rank(probability, np.array([True, False, False, True, False]))
    assert classwise_adaptive_calibration_error([ranked], 5) == pytest.approx((0.9 + 0.3 + 0.5 + 0.3 + 0.9) / 5)
    assert classwise_adaptive_calibration_error([ranked], 6) == Undefined("N = 5 is less than M = 6")


# classes


def test_two_classes_by_hand():
    """c = .75 right and .625 wrong; class 0 has .75 and .625 of which one happens, class 1 their complements."""
    values = measure(np.array([[0.75, 0.25], [0.625, 0.375]]), np.array([0, 1]))
    assert values["ECE_5"] == values["MCE_5"] == (1.375 - 1) / 2  # both in (.6, .8]
    assert values["ECE_10"] == (0.25 + 0.625) / 2  # apart at .7
    assert values["cwCE_5"] == (1.375 - 1) / 2  # class 1: both in (.2, .4]
    assert values["KSCE"] == 0.625 / 2
    assert values["Brier_sum"] == 2 * (0.0625 + 0.390625) / 2
    assert values["acc"] == 0.5


@ONE_BIN_COUNT
def test_two_classes_err_alike_away_from_edges(n_bins):
    """p_1 = 1 - p_0 and y_1 = 1 - y_0: the bins of one class mirror those of the other."""
    rng = np.random.default_rng(0)
    of_zero = rng.uniform(size=300)
    probs, labels = np.column_stack([of_zero, 1 - of_zero]), (rng.uniform(size=300) > of_zero**2).astype(int)
    zero, one = rank_classes(probs, labels)
    expected = error_by_loop(of_zero, labels == 0, n_bins)
    assert classwise_calibration_error([zero], n_bins) == pytest.approx(expected)
    assert classwise_calibration_error([one], n_bins) == pytest.approx(expected)
    assert measure(probs, labels)[f"cwCE_{n_bins}"] == pytest.approx(expected)


def test_class_that_no_label_names_counts_with_its_mean_probability():
    """Classes 0 and 1: (.5, .25), one of two happens, .125 each; class 2: .25 twice, never, .25."""
    probs, labels = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]), np.array([0, 1])
    classes = rank_classes(probs, labels)
    for error in (
        classwise_calibration_error,
        classwise_equal_mass_calibration_error,
        classwise_adaptive_calibration_error,
    ):
        assert error(classes, 1) == pytest.approx((0.125 + 0.125 + 0.25) / 3)
    assert measure(probs, labels, ["accuracy"])["acc_worst_class"] == 1


# degenerate predictors


@ONE_BIN_COUNT
def test_constant_predictor(n_bins):
    """.5, .25, .25 for every sample, the classes being a quarter, a half and a quarter of the labels."""
    probs, labels = np.tile([0.5, 0.25, 0.25], (800, 1)), np.array([0, 1, 1, 2] * 200)
    measured = measure_with_reasons(probs, labels)
    for name in (f"ECE_{n_bins}", f"ECE_em_{n_bins}", f"MCE_{n_bins}", "KSCE", "MMCE"):
        assert measured.values[name] == pytest.approx(0.25), name
    for name in (f"cwCE_{n_bins}", f"cwCE_em_{n_bins}"):
        assert measured.values[name] == pytest.approx((0.25 + 0.25 + 0) / 3), name
    assert measured.reasons["KDECE"] == "all right confidences lie within 1e-06 of each other"


CONFIDENCES = np.array([0.52, 0.61, 0.7, 0.83, 0.99])


@ONE_BIN_COUNT
def test_all_correct(n_bins):
    """Every bin is under-confident by what its mean confidence lacks to 1."""
    probs, labels = np.column_stack([CONFIDENCES, 1 - CONFIDENCES]), np.zeros(5, dtype=int)
    values = measure(probs, labels, ["study", "signed"])
    for name in (f"ECE_{n_bins}", f"ECE_em_{n_bins}", "KSCE", "under_confidence_15"):
        assert values[name] == pytest.approx(np.mean(1 - CONFIDENCES)), name
    worst = max(gap for _, gap in gaps_of_bins(CONFIDENCES, np.ones(5), n_bins))
    assert values[f"MCE_{n_bins}"] == pytest.approx(worst)
    assert values["over_confidence_15"] == 0
    assert values["acc"] == 1
    assert values["incorrect_confidence"] is None


@ONE_BIN_COUNT
def test_all_wrong(n_bins):
    """Every bin is over-confident by its mean confidence."""
    probs, labels = np.column_stack([CONFIDENCES, 1 - CONFIDENCES]), np.ones(5, dtype=int)
    values = measure(probs, labels, ["study", "signed"])
    for name in (f"ECE_{n_bins}", f"ECE_em_{n_bins}", "KSCE", "over_confidence_15"):
        assert values[name] == pytest.approx(CONFIDENCES.mean()), name
    worst = max(gap for _, gap in gaps_of_bins(CONFIDENCES, np.zeros(5), n_bins))
    assert values[f"MCE_{n_bins}"] == pytest.approx(worst)
    assert values["under_confidence_15"] == values["acc"] == values["HCS"] == 0
    assert values["correct_confidence"] is values["KDECE"] is None


# the order of the samples


@pytest.mark.parametrize("seed", range(3))
def test_permuted_samples_give_identical_values(seed):
    """Equal to the last bit, where sums are exact: probabilities in sixteenths; ties are many.

    Two exceptions: cwACE, whose bins part ties by their order, and NLL, whose logarithms are added up as they come.
    """
    rng = np.random.default_rng(seed)
    probs, labels = rng.multinomial(16, np.full(4, 0.25), 640) / 16, rng.integers(0, 4, 640)
    order = rng.permutation(640)
    before, after = measure(probs, labels), measure(probs[order], labels[order])
    free = [name for name in before if not name.startswith("cwACE") and name != "NLL"]
    assert [before[name] for name in free] == [after[name] for name in free]


def test_permuted_samples_give_identical_top_label_values(predictions):
    """For any probabilities: equal confidences are put in the order of their outcomes, so one order is left."""
    order = np.random.default_rng(0).permutation(len(predictions.labels))
    before = rank_top_label(*predictions)
    after = rank_top_label(predictions.probs[order], predictions.labels[order])
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_permuted_ties_change_bins_of_equal_count():
    """Ten samples of .5 in chunks of two: none errs if the labels alternate, four of five do if they are sorted."""
    probs = np.full((10, 2), 0.5)
    assert measure(probs, np.array([0, 1] * 5))["cwACE_5"] == 0
    assert measure(probs, np.repeat([0, 1], 5))["cwACE_5"] == (1 + 1 + 0 + 1 + 1) / 10
