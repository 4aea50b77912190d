"""The decomposition against scikit-learn's isotonic regression and scores, by hand, and its identity."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from harness.metrics import measure, measure_with_reasons
from harness.metrics.decomposition import (
    brier,
    discrimination,
    levels,
    log_loss,
    miscalibration,
    total,
    uncertainty,
)
from harness.metrics.predictions import rank, rank_top_label
from harness.metrics.undefined import Undefined

SCORES = pytest.mark.parametrize("score", [brier, log_loss])


def pair_scores(score, forecast, outcome):
    if score is brier:
        return brier_score_loss(outcome, forecast, pos_label=True)
    return sklearn_log_loss(outcome, np.column_stack([1 - forecast, forecast]), labels=[False, True])


@SCORES
def test_against_sklearn(continuous, score):
    top = rank_top_label(*continuous)
    found = levels(top)
    fitted = np.clip(IsotonicRegression().fit_transform(top.probability, top.outcome.astype(float)), 0, 1)
    best = pair_scores(score, fitted, top.outcome)
    alone = pair_scores(score, np.full(fitted.size, top.outcome.mean()), top.outcome)
    forecast = pair_scores(score, top.probability, top.outcome)
    assert total(found, score) == pytest.approx(forecast, rel=1e-10)
    assert uncertainty(found, score) == pytest.approx(alone, rel=1e-10)
    assert miscalibration(found, score) == pytest.approx(forecast - best, abs=1e-9)
    assert discrimination(found, score) == pytest.approx(alone - best, abs=1e-9)


@pytest.mark.parametrize("name", ["Brier_top", "NLL_top"])
def test_identity(predictions, name):
    values = measure(*predictions, ["decomposition"])
    if values[name] is not None:
        parts = values[f"{name}_miscalibration"] - values[f"{name}_discrimination"] + values[f"{name}_uncertainty"]
        assert values[name] == pytest.approx(parts, abs=1e-12)
        assert values[f"{name}_discrimination"] <= values[f"{name}_uncertainty"] + 1e-12


def minmax(frequency, weight):
    """Isotonic regression by its formula: the highest over the starts of the lowest over the ends of the means."""

    def mean(a, b):
        return np.average(frequency[a : b + 1], weights=weight[a : b + 1])

    n = len(frequency)
    return [max(min(mean(a, b) for b in range(i, n)) for a in range(i + 1)) for i in range(n)]


TENTHS = st.lists(st.tuples(st.integers(1, 10).map(lambda n: n / 10), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, max_examples=100)
@given(TENTHS)
def test_ties_against_the_formula(pairs):
    outcome = np.array([y for _, y in pairs])
    found = levels(rank(np.array([p for p, _ in pairs]), outcome))
    assert found.confidence.tolist() == sorted({p for p, _ in pairs})
    assert found.recalibrated.tolist() == pytest.approx(minmax(found.frequency, found.weight), abs=1e-12)
    assert found.weight @ found.recalibrated == pytest.approx(outcome.mean())
    for score in (brier, log_loss):
        assert discrimination(found, score) <= uncertainty(found, score) + 1e-12
        if not isinstance(total(found, score), Undefined):
            parts = miscalibration(found, score) - discrimination(found, score) + uncertainty(found, score)
            assert total(found, score) == pytest.approx(parts, abs=1e-12)


def test_murphys_terms_where_levels_are_in_order():
    """With frequencies in the order of few levels the parts are reliability and resolution of 1973, level by level."""
    found = levels(rank(np.repeat([0.5, 0.75, 1.0], 4), np.arange(12) % 4 < np.repeat([1, 2, 3], 4)))
    frequency = np.array([0.25, 0.5, 0.75])
    assert found.recalibrated.tolist() == frequency.tolist()
    assert miscalibration(found, brier) == pytest.approx(np.mean((found.confidence - frequency) ** 2))
    assert discrimination(found, brier) == pytest.approx(np.mean((frequency - 0.5) ** 2))
    assert uncertainty(found, brier) == 0.25


def test_two_classes_by_both_brier_scores(continuous):
    if continuous.probs.shape[1] == 2:
        values = measure(*continuous, ["study", "decomposition"])
        assert values["Brier_top"] == pytest.approx(values["Brier"])
        assert values["NLL_top"] == pytest.approx(values["NLL"])


@SCORES
def test_only_the_order_discriminates(continuous, score):
    top = rank_top_label(*continuous)
    squeezed = rank(top.probability**2 / 2, top.outcome)
    assert discrimination(levels(squeezed), score) == pytest.approx(discrimination(levels(top), score), rel=1e-12)


@SCORES
def test_recalibrated_forecasts_have_no_miscalibration(continuous, score):
    top = rank_top_label(*continuous)
    found = levels(top)
    assert found.confidence.size == top.probability.size
    again = levels(rank(found.recalibrated, top.outcome))
    assert miscalibration(again, score) == pytest.approx(0, abs=1e-12)


def test_a_certain_error_has_no_log_loss():
    measured = measure_with_reasons(np.array([[1.0, 0.0], [0.75, 0.25]]), np.array([1, 0]), ["decomposition"])
    assert measured.reasons == dict.fromkeys(
        ["NLL_top", "NLL_top_miscalibration"], "infinite: a wrong prediction has confidence 1"
    )
    assert measured.values["Brier_top"] == (1 + 0.0625) / 2
    assert measured.values["NLL_top_discrimination"] == 0
    assert measured.values["NLL_top_uncertainty"] == pytest.approx(math.log(2))


def test_perfect_predictions():
    values = measure(np.eye(3), np.arange(3), ["decomposition"])
    assert set(values.values()) == {0.0}
    assert all(math.copysign(1, value) == 1 for value in values.values())
