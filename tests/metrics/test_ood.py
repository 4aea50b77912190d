"""Out-of-distribution detection against scikit-learn and counting, by hand, and what must not change a number."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from harness.metrics import MEASUREMENTS, OOD_FAMILY, energy, family, measure_ood, softmax
from harness.metrics.checks import require_two_sets
from harness.metrics.ood import aupr, auroc, detect, fpr95, least_confidence, predictive_entropy

SUFFIXES = ("", "_max_prob", "_energy")


def normal_scores(n, n_ood, *, shift, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.normal(loc=shift, size=n_ood)


def tied_scores(n, n_ood, *, levels, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, levels, n) / levels, (rng.integers(0, levels + 2, n_ood) - 1) / levels


SCORES = {
    "separable": normal_scores(200, 300, shift=20.0, seed=1),
    "reversed": normal_scores(300, 200, shift=-20.0, seed=2),
    "usual": normal_scores(500, 700, shift=1.0, seed=3),
    "uninformative": normal_scores(400, 400, shift=0.0, seed=4),
    "few_ood": normal_scores(1000, 3, shift=0.5, seed=5),
    "few_in": normal_scores(3, 1000, shift=0.5, seed=6),
    "one_each": (np.array([0.2]), np.array([0.7])),
    "one_each_tied": (np.array([0.7]), np.array([0.7])),
    "two_levels": tied_scores(300, 200, levels=2, seed=7),
    "ten_levels": tied_scores(300, 500, levels=10, seed=8),
    "constant": (np.full(40, 0.5), np.full(60, 0.5)),
    "constant_in": (np.full(40, 0.5), np.linspace(0, 1, 61)),
    "constant_ood": (np.linspace(0, 1, 41), np.full(60, 0.5)),
    "signed_zeros": (np.array([0.0, -0.0, 1.0]), np.array([-0.0, 0.0, 0.0, 2.0])),
    "infinitesimal": (np.array([5e-324, 1e-300, 0.0]), np.array([5e-324, 1e300, -1e300])),
}


@pytest.fixture(params=SCORES)
def scores(request):
    """Scores of in-distribution and of OoD samples."""
    return SCORES[request.param]


def binary(ind, ood):
    return np.repeat([0, 1], [len(ind), len(ood)]), np.concatenate([ind, ood])


def won_pairs(ind, ood):
    won = sum((o > i) + Fraction(int(o == i), 2) for o in ood.tolist() for i in ind.tolist())
    return won / (len(ind) * len(ood))


def share_called_ood(ind, ood):
    """Try every threshold from the highest, counting in fractions."""
    for threshold in sorted(ood.tolist(), reverse=True):
        if Fraction(int((ood >= threshold).sum()), len(ood)) >= Fraction(95, 100):
            return (ind >= threshold).mean()
    raise AssertionError("the lowest score is reached by all")


# against scikit-learn and by counting


def test_detectors_against_sklearn(scores):
    detection, (is_ood, score) = detect(*scores), binary(*scores)
    assert auroc(detection) == pytest.approx(roc_auc_score(is_ood, score), abs=1e-14)
    assert aupr(detection) == pytest.approx(average_precision_score(is_ood, score), abs=1e-14)
    false_rate, true_rate, _ = roc_curve(is_ood, score, drop_intermediate=False)
    assert fpr95(detection) == false_rate[np.argmax(true_rate >= 0.95)]


LEVELS = st.lists(st.integers(0, 6), min_size=1, max_size=45)


@settings(deadline=None, max_examples=200)
@given(ind=LEVELS, ood=LEVELS)
def test_detectors_of_any_ties_by_counting(ind, ood):
    ind, ood = np.array(ind, dtype=np.float64), np.array(ood, dtype=np.float64)
    detection = detect(ind, ood)
    assert auroc(detection) == float(won_pairs(ind, ood))
    assert aupr(detection) == pytest.approx(average_precision_score(*binary(ind, ood)), abs=1e-14)
    assert fpr95(detection) == share_called_ood(ind, ood)


@pytest.mark.parametrize("n_ood", range(1, 121))
def test_95_percent_is_counted_exactly(n_ood):
    """Distinct scores n_ood .. 1: the threshold is the ceil(.95 n_ood)-th from the highest, in fractions."""
    ood = np.arange(1, n_ood + 1, dtype=np.float64)
    ind = np.arange(1, n_ood + 1) - 0.5
    n_needed = math.ceil(Fraction(95, 100) * n_ood)
    assert fpr95(detect(ind, ood)) == (n_needed - 1) / n_ood


# by hand


def test_detection_by_hand():
    """From the highest: .9 OoD, .8 one of each, .5 in, .2 OoD."""
    detection = detect(np.array([0.5, 0.8]), np.array([0.2, 0.9, 0.8]))
    assert detection.n_ood.tolist() == [1, 2, 2, 3]
    assert detection.n_in.tolist() == [0, 1, 2, 2]
    assert auroc(detection) == pytest.approx((2 + 1.5 + 0) / 6)
    assert aupr(detection) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3 + 1 / 3 * 3 / 5)
    assert fpr95(detection) == 1


def test_one_ood_sample_in_twenty_may_be_missed():
    ind, ood = np.array([0.3, 0.6, 0.9]), np.append(np.full(19, 0.8), 0.1)
    assert fpr95(detect(ind, ood)) == pytest.approx(1 / 3)
    assert fpr95(detect(ind, ood[1:])) == 1  # 18 of 19 are not 95 %


def test_scores_by_hand():
    probs = np.array([[0.25, 0.25, 0.5], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    assert predictive_entropy(probs).tolist() == pytest.approx([1.5 * math.log(2), 0, math.log(3)])
    assert least_confidence(probs).tolist() == pytest.approx([0.5, 0, 2 / 3])
    assert energy(np.log(probs[[0, 2]]) + np.array([[0.0], [5.0]])).tolist() == pytest.approx([0, -5])


# the scores


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scores_against_torch(dtype):
    logits = np.random.default_rng(0).normal(scale=5, size=(200, 10)).astype(dtype)
    exact, energies = torch.tensor(logits.astype(np.float64)), energy(logits)
    assert energies.dtype == np.float64
    np.testing.assert_allclose(energies, -torch.logsumexp(exact, dim=1).numpy(), rtol=1e-13)
    expected = torch.distributions.Categorical(logits=exact).entropy().numpy()
    np.testing.assert_allclose(predictive_entropy(softmax(logits)), expected, rtol=1e-10, atol=1e-14)


def test_energy_of_extreme_logits():
    logits = np.array([[1e300, -1e300], [-1e4, -1e4], [1e4, 1e4]])
    assert energy(logits).tolist() == pytest.approx([-1e300, 1e4 - math.log(2), -1e4 - math.log(2)])


def test_energy_sees_what_the_probabilities_do_not():
    logits = np.random.default_rng(1).normal(size=(50, 4))
    np.testing.assert_allclose(energy(logits + 7), energy(logits) - 7)
    np.testing.assert_allclose(softmax(logits + 7), softmax(logits))


@pytest.mark.parametrize("logits", [np.zeros((2, 2), dtype=int), np.zeros(3), np.zeros((0, 3)), np.zeros((3, 1))])
def test_energy_refuses_shapes_and_dtypes(logits):
    with pytest.raises((TypeError, ValueError)):  # under the shape hook a wrong shape is already a TypeError
        energy(logits)


def test_energy_refuses_values_that_are_not_finite():
    with pytest.raises(ValueError, match="logits: expected finite values, got NaN or infinity in 1 of 2 rows"):
        energy(np.array([[0, np.nan], [0, 1]]))


# what must not change a number, and what must


def test_swapped_roles(scores):
    ind, ood = scores
    assert auroc(detect(ood, ind)) == pytest.approx(1 - auroc(detect(ind, ood)), abs=1e-15)


def test_order_of_samples(scores):
    rng = np.random.default_rng(0)
    before, after = detect(*scores), detect(*map(rng.permutation, scores))
    for detector in (auroc, aupr, fpr95):
        assert detector(before) == detector(after)


@pytest.mark.parametrize("transform", [np.arctan, lambda s: s**3 + s, lambda s: 7 * s - 3], ids=["a", "b", "c"])
def test_only_the_order_of_the_scores_matters(transform):
    ind, ood = SCORES["ten_levels"]
    before, after = detect(ind, ood), detect(transform(ind), transform(ood))
    for detector in (auroc, aupr, fpr95):
        assert detector(before) == detector(after)


def test_perfect_scores():
    detection = detect(np.arange(50.0), np.arange(50.0, 80.0))
    assert (auroc(detection), aupr(detection), fpr95(detection)) == (1, 1, 0)


def test_scores_that_are_always_wrong():
    detection = detect(np.arange(50.0, 90.0), np.arange(50.0))
    assert (auroc(detection), fpr95(detection)) == (0, 1)
    assert 0 < aupr(detection) < 50 / 90


def test_identical_sets():
    scores = SCORES["usual"][0]
    detection = detect(scores, scores)
    assert auroc(detection) == 0.5
    assert aupr(detection) == pytest.approx(0.5)
    assert fpr95(detection) == 0.95


def test_constant_scores_say_nothing():
    detection = detect(*SCORES["constant"])
    assert (auroc(detection), aupr(detection), fpr95(detection)) == (0.5, 0.6, 1)


# the entry point


def two_sets(n=120, n_ood=80, n_classes=5, seed=0):
    rng = np.random.default_rng(seed)
    logits, ood_logits = 3 * rng.normal(size=(n, n_classes)), rng.normal(size=(n_ood, n_classes))
    return softmax(logits), softmax(ood_logits), energy(logits), energy(ood_logits)


def test_measure_ood_returns_its_family_in_order():
    rows = [row for row in MEASUREMENTS if row.family == "ood"]
    values = measure_ood(*two_sets())
    names = [f"ood_{detector}{score}" for score in SUFFIXES for detector in ("auroc", "aupr", "fpr95")]
    assert list(values) == names == [row.name for row in rows] == list(OOD_FAMILY.members)
    assert family("ood") is OOD_FAMILY
    assert OOD_FAMILY.tag == "ood@1"
    assert OOD_FAMILY.function is measure_ood
    for row in rows:
        assert type(values[row.name]) is float
        assert row.lower <= values[row.name] <= row.upper


def test_measure_ood_takes_each_score():
    probs, ood_probs, energies, ood_energies = two_sets()
    values = measure_ood(probs, ood_probs, energies, ood_energies)
    is_ood = np.repeat([0, 1], [len(probs), len(ood_probs)])
    merged = np.concatenate([probs, ood_probs])
    scores = {
        "": -np.sum(merged * np.log(merged), axis=1),
        "_max_prob": -merged.max(axis=1),
        "_energy": np.concatenate([energies, ood_energies]),
    }
    for suffix, score in scores.items():
        assert values[f"ood_auroc{suffix}"] == pytest.approx(roc_auc_score(is_ood, score), abs=1e-14)
        assert values[f"ood_aupr{suffix}"] == pytest.approx(average_precision_score(is_ood, score), abs=1e-14)
        false_rate, true_rate, _ = roc_curve(is_ood, score, drop_intermediate=False)
        assert values[f"ood_fpr95{suffix}"] == false_rate[np.argmax(true_rate >= 0.95)]
    assert len(set(values.values())) == 9


def test_rows_say_what_computes_them():
    detector = {"auroc": auroc, "aupr": aupr, "fpr95": fpr95}
    for row in MEASUREMENTS:
        if row.family == "ood":
            assert row.function is detector[row.name.split("_")[1]]
            assert "OoD positive" in row.formula
            assert row.higher_is_better == ("fpr95" not in row.name)
            assert row.published is None


def test_uniform_and_certain_predictions():
    certain, uniform = np.eye(4)[np.zeros(30, dtype=int)], np.full((20, 4), 0.25)
    values = measure_ood(certain, uniform, np.full(30, -9.0), np.full(20, -1.0))
    assert {values[f"ood_{name}{score}"] for score in SUFFIXES for name in ("auroc", "aupr")} == {1.0}
    assert {values[f"ood_fpr95{score}"] for score in SUFFIXES} == {0.0}


def test_names_of_classes():
    """Without ties: the entropies' last bits follow the order of the classes, their order does not."""
    probs, ood_probs, *energies = two_sets()
    order = np.random.default_rng(1).permutation(probs.shape[1])
    assert measure_ood(probs[:, order], ood_probs[:, order], *energies) == measure_ood(probs, ood_probs, *energies)


def test_arguments_are_left_alone():
    arrays = two_sets()
    for array in arrays:
        array.flags.writeable = False
    measure_ood(*arrays)


# refusals


PROBS, OOD_PROBS, ENERGIES, OOD_ENERGIES = two_sets(3, 2, 2)


@pytest.mark.parametrize(
    ("replaced", "error", "message"),
    [
        ({0: PROBS.astype(np.float32)}, TypeError, "^probs: expected dtype float64, got float32"),
        ({1: OOD_PROBS.astype(np.float32)}, TypeError, "^ood_probs: expected dtype float64, got float32"),
        ({1: OOD_PROBS[:0]}, ValueError, r"^ood_probs: expected at least one sample, got shape \(0, 2\)"),
        ({1: OOD_PROBS[0]}, ValueError, r"^ood_probs: expected shape \(n, classes\), got \(2,\)"),
        ({1: OOD_PROBS * np.nan}, ValueError, "^ood_probs: expected no NaN, got NaN in 2 of 2 rows"),
        ({1: OOD_PROBS * 2}, ValueError, r"^ood_probs: expected values in \[0, 1\].*softmax"),
        ({1: OOD_PROBS / 2}, ValueError, "^ood_probs: expected rows that sum to 1"),
        ({1: np.full((2, 3), 1 / 3)}, ValueError, r"^ood_probs: expected 2 classes as in probs, got shape \(2, 3\)"),
        ({2: ENERGIES.astype(np.float32)}, TypeError, r"^energies: expected dtype float64, got float32; .*energy\("),
        ({2: ENERGIES[:-1]}, ValueError, r"^energies: expected shape \(3,\), one energy per sample, got \(2,\)"),
        ({3: OOD_ENERGIES[:, None]}, ValueError, r"^ood_energies: expected shape \(2,\), .* got \(2, 1\)"),
        ({2: ENERGIES + np.inf}, ValueError, "^energies: expected finite values, got NaN or infinity in 3 of 3"),
        ({3: OOD_ENERGIES * [1, np.nan]}, ValueError, "^ood_energies: expected finite values, .* in 1 of 2"),
        ({2: OOD_ENERGIES, 3: ENERGIES}, ValueError, r"^energies: expected shape \(3,\)"),
    ],
)
def test_refused_arguments(replaced, error, message):
    arguments = [replaced.get(i, array) for i, array in enumerate((PROBS, OOD_PROBS, ENERGIES, OOD_ENERGIES))]
    with pytest.raises(error, match=message):
        require_two_sets(*arguments)
    with pytest.raises((TypeError, ValueError)):  # under the shape hook a wrong shape is already a TypeError
        measure_ood(*arguments)
