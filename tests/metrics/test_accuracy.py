"""The families ``accuracy`` and ``sharpness`` against scikit-learn, scipy and loops."""

import math

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import recall_score, top_k_accuracy_score

from harness.metrics import measure, measure_with_reasons
from harness.metrics.accuracy import class_accuracies, class_accuracy_gap, top5_accuracy, worst_class_accuracy
from harness.metrics.sharpness import mean_confidence, mean_entropy, mean_margin, net_over_confidence
from harness.metrics.undefined import Undefined


def test_top5_against_sklearn(continuous):
    probs, labels = continuous
    n_classes = probs.shape[1]
    if n_classes <= 5:
        assert top5_accuracy(probs, labels) == Undefined(
            f"with {n_classes} classes every label is among the first five"
        )
    else:
        expected = top_k_accuracy_score(labels, probs, k=5, labels=np.arange(n_classes))
        assert top5_accuracy(probs, labels) == pytest.approx(expected)


def test_top5_against_a_loop_with_ties(predictions):
    probs, labels = predictions
    if probs.shape[1] > 5:
        first_five = [sorted(range(len(row)), key=lambda k, row=row: -row[k])[:5] for row in probs.tolist()]
        expected = [label in five for label, five in zip(labels.tolist(), first_five, strict=True)]
        assert top5_accuracy(probs, labels) == pytest.approx(np.mean(expected))


def test_top5_is_at_least_accuracy(predictions):
    values = measure(*predictions, ["study", "accuracy"])
    if values["acc_top5"] is not None:
        assert values["acc_top5"] >= values["acc"]


def test_class_accuracies_against_sklearn(predictions):
    probs, labels = predictions
    expected = recall_score(labels, probs.argmax(axis=1), labels=np.unique(labels), average=None)
    per_class = class_accuracies(probs, labels)
    np.testing.assert_allclose(per_class, expected)
    assert worst_class_accuracy(per_class) == pytest.approx(min(expected))
    assert class_accuracy_gap(per_class) == pytest.approx(max(expected) - min(expected))


def test_a_class_that_does_not_occur_has_no_accuracy():
    probs, labels = np.eye(3)[[0, 0, 2, 1]], np.array([0, 0, 2, 2])
    assert class_accuracies(probs, labels).tolist() == [1, 0.5]
    values = measure(probs, labels, ["accuracy"])
    assert values == {"acc_top5": None, "acc_worst_class": 0.5, "acc_class_gap": 0.5}


def test_one_class_has_no_gap():
    per_class = class_accuracies(np.full((4, 2), 0.5), np.ones(4, dtype=int))
    assert (worst_class_accuracy(per_class), class_accuracy_gap(per_class)) == (0, 0)


def test_sharpness_against_loops(predictions):
    probs, labels = predictions
    ranked = [sorted(row) for row in probs.tolist()]
    n_right = sum(row.index(max(row)) == label for row, label in zip(probs.tolist(), labels, strict=True))
    confidence = math.fsum(row[-1] for row in ranked) / len(ranked)
    assert mean_entropy(probs) == pytest.approx(entropy(probs, axis=1).mean(), rel=1e-12, abs=1e-14)
    assert mean_margin(probs) == pytest.approx(math.fsum(row[-1] - row[-2] for row in ranked) / len(ranked))
    assert mean_confidence(probs) == pytest.approx(confidence)
    assert net_over_confidence(probs, labels) == pytest.approx(confidence - n_right / len(ranked), abs=1e-13)


def test_net_over_confidence_is_at_most_any_calibration_error(predictions):
    values = measure(*predictions, ["study", "sharpness"])
    for name in ("ECE_5", "ECE_500", "ECE_em_15", "KSCE"):
        assert abs(values["net_over_confidence"]) <= values[name] + 1e-12


def test_uniform_and_certain_predictions():
    names = ["mean_entropy", "mean_margin", "mean_confidence", "net_over_confidence"]
    uniform = measure_with_reasons(np.full((8, 4), 0.25), np.arange(8) % 4, ["sharpness"])
    assert [uniform.values[name] for name in names] == pytest.approx([math.log(4), 0, 0.25, 0])
    certain = measure_with_reasons(np.eye(2)[[0, 0]], np.ones(2, dtype=int), ["sharpness"])
    assert [certain.values[name] for name in names] == [0, 1, 1, 1]
    assert uniform.reasons == certain.reasons == {}
