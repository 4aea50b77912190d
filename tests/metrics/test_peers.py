"""The measurements against public packages: where they agree, and where one deviates by how much and why.

Further comparisons stand beside what they test: netcal and uncertainty-calibration in `test_binned` and
`test_debiased`, KDEpy and netcal in `test_kernel`, relplot in `test_smooth`, scikit-learn in `test_proper`,
`test_accuracy`, `test_selective` and `test_decomposition`.
"""

import json

import calibration
import netcal.metrics
import numpy as np
import pytest
import torch
from scipy.stats import binned_statistic
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from harness.metrics import measure, measure_as_published, reliability_bins
from harness.metrics.binning import BIN_COUNTS, equal_mass_cuts, equal_width_edges
from harness.metrics.debiased import root_mean_square_calibration_error
from harness.metrics.predictions import rank, rank_top_label
from harness.metrics.proper import brier_loss_sum, negative_log_likelihood
from harness.metrics.top_label import accuracy, expected_calibration_error, max_calibration_error

ONE_BIN_COUNT = pytest.mark.parametrize("n_bins", BIN_COUNTS)

FLOAT32_SUMS = 4e-7
"""A few units in the last place of a float32 near 1: what summing a bin of at most 700 samples in it may cost."""


def filled_bins(probs, labels, n_bins):
    """Return mean confidence and accuracy of the bins that are not empty."""
    bins = reliability_bins(probs, labels, n_bins=n_bins)
    filled = [count > 0 for count in bins.count]
    return np.array(bins.confidence)[filled].astype(float), np.array(bins.accuracy)[filled].astype(float)


# torchmetrics


def torchmetrics_error(probs, labels, n_bins, norm):
    error = multiclass_calibration_error(
        torch.tensor(probs), torch.tensor(labels), num_classes=probs.shape[1], n_bins=n_bins, norm=norm
    )
    return float(error)


@ONE_BIN_COUNT
@pytest.mark.parametrize(
    ("norm", "error"),
    [
        ("l1", expected_calibration_error),
        ("max", max_calibration_error),
        ("l2", root_mean_square_calibration_error),
    ],
)
def test_torchmetrics_agrees_away_from_edges(continuous, n_bins, norm, error):
    ours = error(rank_top_label(*continuous), n_bins)
    assert ours == pytest.approx(torchmetrics_error(*continuous, n_bins, norm), abs=FLOAT32_SUMS)


def test_torchmetrics_closes_bins_on_the_left():
    """At c = .5 with two bins: in (0, .5] here; in [.5, 1) there, together with the two at .875."""
    probs = np.array([[0.5, 0.25, 0.25], [0.875, 0.0625, 0.0625], [0.0625, 0.0625, 0.875]])
    labels = np.array([0, 1, 2])
    assert expected_calibration_error(rank_top_label(probs, labels), 2) == pytest.approx((0.5 + 0.75) / 3)
    assert torchmetrics_error(probs, labels, 2, "l1") == pytest.approx((0.5 + 2 * 0.875 - 2) / 3)


def test_torchmetrics_gives_certain_predictions_a_bin_of_their_own():
    """One right at .75 and one wrong at 1: they share (.5, 1] here, and are apart there."""
    probs, labels = np.array([[0.75, 0.25], [1.0, 0.0]]), np.array([0, 1])
    top = rank_top_label(probs, labels)
    assert expected_calibration_error(top, 2) == max_calibration_error(top, 2) == 0.375
    assert torchmetrics_error(probs, labels, 2, "l1") == (0.25 + 1) / 2
    assert torchmetrics_error(probs, labels, 2, "max") == 1


def test_torchmetrics_rounds_to_float32_before_it_bins():
    """A confidence 1e-9 below 3/5 is 3/5 in float32 and falls in the next bin, with the one at .7."""
    probs = np.array([[0.6 - 1e-9, 0.4 + 1e-9], [0.7, 0.3]])
    labels = np.array([1, 0])
    assert expected_calibration_error(rank_top_label(probs, labels), 5) == pytest.approx((0.6 + 0.3) / 2)
    assert torchmetrics_error(probs, labels, 5, "l1") == pytest.approx((1.3 - 1) / 2)


def test_torchmetrics_and_sklearn_agree_on_accuracy(continuous):
    probs, labels = continuous
    ours = accuracy(rank_top_label(probs, labels))
    theirs = multiclass_accuracy(torch.tensor(probs), torch.tensor(labels), num_classes=probs.shape[1], average="micro")
    assert ours == pytest.approx(float(theirs), abs=FLOAT32_SUMS)
    assert ours == accuracy_score(labels, probs.argmax(axis=1))


# netcal


@ONE_BIN_COUNT
def test_netcals_average_error_is_the_mean_over_the_bins_of_a_reliability_diagram(multiclass, n_bins):
    """Its ACE weighs every filled bin alike; it is none of our measurements, but takes the same bins."""
    confidence, right = filled_bins(*multiclass, n_bins)
    expected = netcal.metrics.ACE(bins=n_bins).measure(*multiclass)
    assert np.abs(confidence - right).mean() == pytest.approx(expected, rel=1e-11)


@ONE_BIN_COUNT
def test_netcal_takes_one_column_as_the_probability_of_class_one(n_bins):
    rng = np.random.default_rng(0)
    of_one = rng.uniform(size=400)
    labels = (rng.uniform(size=400) < of_one**2).astype(int)
    ranked = rank(of_one, labels == 1)
    ece, mce = netcal.metrics.ECE(bins=n_bins), netcal.metrics.MCE(bins=n_bins)
    assert expected_calibration_error(ranked, n_bins) == pytest.approx(ece.measure(of_one, labels), rel=1e-11)
    assert max_calibration_error(ranked, n_bins) == pytest.approx(mce.measure(of_one, labels), rel=1e-11)


@pytest.mark.parametrize("peer", [netcal.metrics.ECE, netcal.metrics.MCE, netcal.metrics.ACE])
def test_netcal_refuses_labels_of_one_class(peer):
    """It takes them for a binary problem. By hand: .5 alone and wrong, .75 wrong and .625 right in one bin."""
    probs = np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75], [0.125, 0.625, 0.25]])
    labels = np.ones(3, dtype=int)
    with pytest.raises(RuntimeError, match="binary classification"):
        peer(bins=5).measure(probs, labels)
    top = rank_top_label(probs, labels)
    assert expected_calibration_error(top, 5) == pytest.approx((0.5 + (0.75 + 0.625 - 1)) / 3)
    assert max_calibration_error(top, 5) == 0.5


# uncertainty-calibration


@ONE_BIN_COUNT
def test_uncertainty_calibration_agrees_on_top_label_equal_width(predictions, n_bins):
    """Ties and edges included: its upper edges are the same quotients and its bins are closed on the right."""
    theirs = calibration.get_ece(*predictions, num_bins=n_bins, mode="top-label")
    assert expected_calibration_error(rank_top_label(*predictions), n_bins) == pytest.approx(
        theirs, rel=1e-11, abs=1e-13
    )


# scikit-learn, scipy and PyTorch


@ONE_BIN_COUNT
def test_sklearn_draws_the_same_reliability_diagram(continuous, n_bins):
    top = rank_top_label(*continuous)
    theirs_right, theirs_confidence = calibration_curve(top.outcome, top.probability, n_bins=n_bins)
    confidence, right = filled_bins(*continuous, n_bins)
    assert confidence == pytest.approx(theirs_confidence, rel=1e-12)
    assert right == pytest.approx(theirs_right, rel=1e-12)


def test_sklearns_edges_are_an_ulp_off_in_places():
    """The float after 3/5 is above the edge 3/5; scikit-learn's edge is that float, which puts it in the bin below."""
    above = np.nextafter(0.6, 1)
    probs, labels = np.array([[above, 1 - above], [0.75, 0.25]]), np.array([0, 1])
    top = rank_top_label(probs, labels)
    assert reliability_bins(probs, labels, n_bins=5).count == [0, 0, 0, 2, 0]
    assert np.linspace(0, 1, 6)[3] == above
    assert calibration_curve(top.outcome, top.probability, n_bins=5)[1] == pytest.approx([0.6, 0.75])


def test_sklearns_quantile_bins_are_not_of_equal_mass():
    """Ten values in four bins: it cuts at interpolated quantiles, 3, 2, 2, 3; ours are numpy's chunks, 3, 3, 2, 2."""
    top = rank(np.linspace(0.1, 0.9, 10), np.arange(10) % 2 == 0)
    sizes = np.diff(equal_mass_cuts(top, 4)).tolist()
    assert sizes == [3, 3, 2, 2]
    starts = np.append(0, np.cumsum([3, 2, 2]))
    theirs = calibration_curve(top.outcome, top.probability, n_bins=4, strategy="quantile")[1]
    assert theirs == pytest.approx(np.add.reduceat(top.probability, starts) / [3, 2, 2, 3])


@ONE_BIN_COUNT
def test_scipys_binned_statistic_gives_the_same_error_away_from_edges(continuous, n_bins):
    top = rank_top_label(*continuous)
    excess = binned_statistic(
        top.probability, top.probability - top.outcome, statistic="sum", bins=equal_width_edges(n_bins)
    ).statistic
    assert expected_calibration_error(top, n_bins) == pytest.approx(
        np.abs(excess).sum() / top.probability.size, rel=1e-11
    )


def test_sklearn_agrees_on_the_brier_score(predictions):
    probs, labels = predictions
    theirs = brier_score_loss(labels, probs, labels=np.arange(probs.shape[1]), scale_by_half=False)
    assert brier_loss_sum(probs, labels) == pytest.approx(theirs, rel=1e-12)


def test_sklearn_halves_the_brier_score_of_two_classes():
    probs, labels = np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([0, 1])
    assert brier_score_loss(labels, probs[:, 1]) == (0.0625 + 0.25) / 2
    assert brier_loss_sum(probs, labels) == 2 * brier_score_loss(labels, probs[:, 1])


def test_pytorch_agrees_on_the_log_loss(continuous):
    theirs = torch.nn.functional.nll_loss(torch.tensor(continuous.probs).log(), torch.tensor(continuous.labels))
    assert negative_log_likelihood(*continuous) == pytest.approx(float(theirs), rel=1e-12)


# the authors' code

CLIPPED = {"netcal_wideresnet-16-4-cifar-10": 4}
"""Labels whose probability is below the eps of float32, 2^-23, of the predictions that have any."""


@pytest.mark.parametrize("name", ["cleanlab_mnist", "netcal_wideresnet-16-4-cifar-10", "netcal_lenet-5-cifar-100"])
def test_every_deviation_from_the_authors_values(real_data, name):
    """All within 1e-6 as defined; as published within 1e-5, but for a loss of which labels are clipped.

    The authors' values were computed in float64. What is left is the float32 rounding inside their KDECE, and the order
    in which their unstable sort puts equal probabilities into 500 chunks; `test_golden` has each of the tolerances.
    """
    expected = json.loads((real_data / "probs" / "expected.json").read_text())[name]["authors"]
    with np.load(real_data / "probs" / f"{name}.npz") as arrays:
        probs, labels = arrays["probs"], arrays["labels"]
    defined = measure(probs.astype(np.float64), labels)
    published = measure_as_published(probs.astype(np.float32), labels).values
    assert {column for column, value in expected.items() if abs(defined[column] - value) > 1e-6} == set()
    deviating = {column for column, value in expected.items() if abs(published[column] - value) > 1e-5}
    of_label = probs[np.arange(len(labels)), labels].astype(np.float64)
    clipped = of_label[of_label < 2.0**-23]
    assert deviating == ({"NLL"} if name in CLIPPED else set())
    assert len(clipped) == CLIPPED.get(name, 0)
    above_the_highest = np.sum(-np.log(clipped) - 23 * np.log(2)) / len(labels)
    assert expected["NLL"] - published["NLL"] == pytest.approx(above_the_highest, abs=1.2e-7)
