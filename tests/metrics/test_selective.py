"""Misclassification detection against scikit-learn, loops, and every order of equal confidences."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from harness.metrics.predictions import rank, rank_top_label
from harness.metrics.selective import excess_risk_coverage_area, misclassification_auroc, risk_coverage_area
from harness.metrics.undefined import Undefined


def area(errors):
    """AURC of errors in the order in which samples are taken."""
    return math.fsum(sum(errors[: n + 1]) / (n + 1) for n in range(len(errors))) / len(errors)


def test_auroc_against_sklearn(predictions):
    top = rank_top_label(*predictions)
    expected = roc_auc_score(top.outcome, top.probability)
    assert misclassification_auroc(top) == pytest.approx(expected, abs=1e-13)


def test_areas_against_loops(continuous):
    top = rank_top_label(*continuous)
    errors = (~top.outcome[::-1]).astype(int).tolist()
    assert risk_coverage_area(top) == pytest.approx(area(errors), rel=1e-12)
    assert excess_risk_coverage_area(top) == pytest.approx(area(errors) - area(sorted(errors)), abs=1e-13)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from([0.25, 0.5, 0.75]), st.booleans()), min_size=1, max_size=6))
def test_ties_are_the_mean_over_all_orders(pairs):
    top = rank(np.array([p for p, _ in pairs]), np.array([y for _, y in pairs]))
    areas = []
    for order in permutations(pairs):
        taken = sorted(order, key=lambda pair: -pair[0])  # stable: each order of equal confidences equally often
        areas.append(area([int(not right) for _, right in taken]))
    assert risk_coverage_area(top) == pytest.approx(np.mean(areas), abs=1e-12)
    best = area(sorted(int(not right) for _, right in pairs))
    assert excess_risk_coverage_area(top) == pytest.approx(np.mean(areas) - best, abs=1e-12)


def test_constant_confidence_has_the_error_rate(predictions):
    right = rank_top_label(*predictions).outcome
    constant = rank(np.full(right.size, 0.5), right)
    assert risk_coverage_area(constant) == pytest.approx(1 - right.mean())
    assert misclassification_auroc(constant) == 0.5


def test_best_and_worst_order():
    confidence, right = np.linspace(0.2, 0.9, 40), np.arange(40) >= 10
    best, worst = rank(confidence, right), rank(confidence[::-1].copy(), right)
    assert excess_risk_coverage_area(best) == 0
    assert (misclassification_auroc(best), misclassification_auroc(worst)) == (1, 0)
    assert risk_coverage_area(worst) > 0.25 > risk_coverage_area(best)


def test_the_approximation_of_the_best_area():
    """Exact here; the authors' e + (1 - e) log(1 - e) is its limit for many samples."""
    rate, right = 0.25, np.arange(20_000) >= 5_000
    top = rank(np.linspace(0.2, 0.9, 20_000), right)
    assert risk_coverage_area(top) == pytest.approx(rate + (1 - rate) * math.log(1 - rate), abs=1e-4)


def test_only_the_order_matters(predictions):
    top = rank_top_label(*predictions)
    halved = rank(top.probability / 2, top.outcome)
    for measurement in (misclassification_auroc, risk_coverage_area, excess_risk_coverage_area):
        assert measurement(top) == measurement(halved)


@pytest.mark.parametrize(("outcome", "lacking", "expected"), [(True, "wrong", 0), (False, "right", 1)])
def test_without_both_outcomes(outcome, lacking, expected):
    top = rank(np.array([0.5, 0.5, 0.75]), np.full(3, outcome))
    assert misclassification_auroc(top) == Undefined(f"no prediction is {lacking}")
    assert risk_coverage_area(top) == expected
    assert excess_risk_coverage_area(top) == 0
