"""Rank correlations against sums over all pairs, against pandas, and on cases by hand."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import kendall_matrix, kendall_tau, kendall_taus, partial_taus, spearman_rho


def tau_of_pairs(first, second):
    """Kendall's tau-b by its definition, pair by pair."""
    agree = ties_first = ties_second = n_pairs = 0
    for i, j in combinations(range(len(first)), 2):
        x, y = np.sign(first[i] - first[j]), np.sign(second[i] - second[j])
        agree += x * y
        ties_first += x == 0
        ties_second += y == 0
        n_pairs += 1
    return agree / np.sqrt((n_pairs - ties_first) * (n_pairs - ties_second))


@pytest.mark.parametrize("n", [2, 3, 10, 60])
@pytest.mark.parametrize("levels", [3, 1000])
def test_tau_is_the_sum_over_pairs(n, levels):
    rng = np.random.default_rng(n + levels)
    first = np.r_[0.0, 1.0, rng.integers(0, levels, n - 2)]
    second = np.r_[1.0, 0.0, np.round(first[2:] + rng.normal(size=n - 2))]
    assert kendall_tau(first, second) == pytest.approx(tau_of_pairs(first, second), abs=1e-12)


@pytest.mark.parametrize("n", [20, 299, 300, 301])
@pytest.mark.parametrize("n_levels", [3, 50])
def test_ranks_are_those_of_scipy(n_levels, n):
    first, second = np.random.default_rng(0).integers(0, n_levels, (2, n)).astype(float)
    assert kendall_tau(first, second) == pytest.approx(stats.kendalltau(first, second).statistic)
    assert spearman_rho(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)


def test_by_hand():
    assert kendall_tau(np.array([1.0, 2.0]), np.array([4.0, 3.0])) == -1.0
    # Of three pairs one is tied in the first values alone, two are concordant: 2 / sqrt(2 * 3).
    assert kendall_tau(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / np.sqrt(6))
    assert spearman_rho(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0])) == pytest.approx(0.8)


@pytest.mark.parametrize("of", [kendall_tau, spearman_rho])
@pytest.mark.parametrize(
    ("first", "second"),
    [([], []), ([1.0], [2.0]), ([1.0, 1.0], [1.0, 2.0]), ([1.0, np.nan, 2.0], [np.nan, 1.0, 3.0])],
    ids=["none", "one", "no order", "one known"],
)
def test_what_has_no_order_is_undefined(of, first, second):
    assert np.isnan(of(np.array(first), np.array(second)))
    assert np.isnan(of(np.array(second), np.array(first)))


@pytest.mark.parametrize("of", [kendall_tau, spearman_rho])
def test_networks_of_which_a_value_is_missing_do_not_count(of):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 30))
    first[3] = second[7] = np.nan
    kept = np.delete(np.arange(30), [3, 7])
    assert of(first, second) == of(first[kept], second[kept])


@pytest.mark.parametrize("n", [50, 350])
def test_the_matrix_is_that_of_pandas(n):
    rng = np.random.default_rng(1)
    values = np.round(rng.normal(size=(n, 5)) + rng.normal(size=(n, 1)), 1)
    values[rng.random((n, 5)) < 0.1] = np.nan
    np.testing.assert_allclose(kendall_matrix(values), pd.DataFrame(values).corr(method="kendall"), atol=1e-12)


def test_a_column_without_order_agrees_with_none_not_even_itself():
    found = kendall_matrix(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
    assert found[0, 0] == 1.0
    assert np.isnan(found[[0, 1, 1], [1, 0, 1]]).all()


def test_pairs_come_in_the_order_asked_for():
    values = np.array([[1.0, 3.0, 1.0], [2.0, 2.0, 3.0], [3.0, 1.0, 2.0]])
    assert kendall_taus(values, np.array([[0, 1], [2, 0], [0, 0]])).tolist() == [-1.0, pytest.approx(1 / 3), 1.0]
    assert kendall_taus(values, np.empty((0, 2), dtype=np.int64)).shape == (0,)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=30), st.randoms())
def test_invariants(points, random):
    first, second = np.array(points, dtype=float).T
    tau = kendall_tau(first, second)
    if np.isnan(tau):
        return
    assert -1 <= tau <= 1
    assert kendall_tau(second, first) == pytest.approx(tau)
    assert kendall_tau(-first, second) == pytest.approx(-tau)
    assert kendall_tau(np.exp(first), second) == pytest.approx(tau)
    order = random.sample(range(len(points)), len(points))
    assert kendall_tau(first[order], second[order]) == pytest.approx(tau)


def test_partial_tau_by_hand_and_of_what_a_third_decides():
    taus = np.array([[1.0, 0.5, 0.8], [0.5, 1.0, 0.6], [0.8, 0.6, 1.0]])
    found = partial_taus(taus, 2)
    assert found[0, 1] == found[1, 0] == pytest.approx((0.5 - 0.48) / np.sqrt(0.36 * 0.64))
    rng = np.random.default_rng(0)
    cause = rng.normal(size=2000)
    noisy = np.stack([cause + 0.5 * rng.normal(size=2000) for _ in range(2)] + [cause], axis=1)
    found = kendall_matrix(noisy)
    assert found[0, 1] > 0.4
    assert abs(partial_taus(found, 2)[0, 1]) < 0.5 * found[0, 1]  # it need not be 0 where a third decides both


def test_partial_tau_is_undefined_given_the_same_ranking():
    taus = np.array([[1.0, 0.5, 1.0], [0.5, 1.0, 0.5], [1.0, 0.5, 1.0]])
    assert np.isnan(partial_taus(taus, 2)[0]).all()
