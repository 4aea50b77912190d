"""Comparisons: the numbers of runs by hand, pairs of runs, a search of one's own, and searches that misbehave."""

import numpy as np
import pytest
from scipy.stats import bootstrap, ttest_1samp, ttest_rel

from harness.search import ACCURACY, ALGORITHMS, FRONT, RANDOM, RandomSearch, compare, mean_over_runs


class InOrder:
    """A search of a user's own: networks by place, or by a list."""

    def __init__(self, candidates, rng, order=None):
        self.order = iter(range(len(candidates)) if order is None else order)
        self.told = []

    def ask(self):
        return next(self.order)

    def tell(self, place, values):
        self.told.append((place, values.tolist()))


def asking(*order):
    return lambda candidates, rng: InOrder(candidates, rng, order)


def test_means_are_those_of_students_t():
    scores = np.random.default_rng(0).normal(size=(30, 4))
    mean, low, high = mean_over_runs(scores)
    interval = ttest_1samp(scores, 0).confidence_interval(0.95)
    np.testing.assert_allclose(mean, scores.mean(axis=0))
    np.testing.assert_allclose(low, interval.low)
    np.testing.assert_allclose(high, interval.high)


def test_over_200_runs_of_a_skewed_score_they_are_near_the_bootstrap():
    scores = np.random.default_rng(0).exponential(size=(200, 1))
    _, low, high = mean_over_runs(scores)
    found = bootstrap((scores[:, 0],), np.mean, rng=np.random.default_rng(0), method="BCa").confidence_interval
    assert [low[0], high[0]] == pytest.approx([found.low, found.high], abs=0.03)


def test_a_single_run_has_no_interval():
    mean, low, high = mean_over_runs(np.array([[1.0, 2.0]]))
    assert mean.tolist() == [1, 2]
    assert np.isnan([low, high]).all()


def test_a_search_of_ones_own_is_compared_with_random_search(make):
    table = make.table([0.5, 0.25, 1.0, 0.75])
    found = compare(table, algorithms={"mine": InOrder}, n_evaluations=4, n_runs=6)
    assert list(found.scores) == [RANDOM, "mine"]
    assert found.places["mine"].tolist() == [[0, 1, 2, 3]] * 6
    assert found.mean("mine").mean.tolist() == [0.5, 0.5, 0, 0]
    curve = found.curves[found.curves["algorithm"] == "mine"]
    assert curve["evaluations"].tolist() == [1, 2, 3, 4]
    assert curve["mean"].tolist() == [0.5, 0.5, 0, 0]
    expected = found.scores["mine"] - found.scores[RANDOM]
    np.testing.assert_allclose(curve["difference"], expected.mean(axis=0))


def test_a_search_is_told_the_terms_of_what_it_asked_for(make):
    searches = []

    def start(candidates, rng):
        searches.append(InOrder(candidates, rng))
        return searches[-1]

    table = make.table([0.5, 0.75], ECE_15=np.array([0.2, 0.1]))
    compare(table, FRONT, algorithms={"mine": start}, n_runs=1)
    assert searches[0].told == [(0, [0.5, -0.2]), (1, [0.75, -0.1])]


def test_runs_are_compared_in_pairs(make):
    found = compare(make.linear(200), n_evaluations=30, n_runs=40)
    for name in ALGORITHMS:
        if name != RANDOM:
            pairs = ttest_rel(found.scores[name][:, -1], found.scores[RANDOM][:, -1]).confidence_interval(0.95)
            _, low, high = (part[-1] for part in found.difference(name))
            assert (low, high) == pytest.approx((pairs.low, pairs.high))


def test_random_search_is_no_better_than_itself(make):
    found = compare(make.linear(100), algorithms={"again": RandomSearch}, n_evaluations=30, n_runs=5)
    assert (found.scores["again"] == found.scores[RANDOM]).all()
    of_itself = found.curves[found.curves["algorithm"] == RANDOM]
    assert of_itself[["difference", "difference low", "difference high"]].isna().all(axis=None)


def test_the_mean_of_random_search_is_the_one_that_counting_gives(make):
    """After k of n networks in a random order the best is among them with probability k / n."""
    found = compare(make.table([0.0] * 9 + [1.0]), algorithms={}, n_runs=2000)
    assert found.mean(RANDOM).mean == pytest.approx(1 - np.arange(1, 11) / 10, abs=0.03)


@pytest.mark.parametrize("objective", [ACCURACY, FRONT], ids=lambda each: each.measure)
def test_scores_go_one_way_and_end_where_everything_was_found(make, objective):
    found = compare(make.linear(60), objective, n_evaluations=1000, n_runs=4)
    assert found.n_evaluations == 60
    sign, end = (-1, 0) if objective == ACCURACY else (1, 1)
    for scores in found.scores.values():
        assert (sign * np.diff(scores, axis=1) >= 0).all()
        assert (scores >= 0).all()
        assert (scores <= 1).all()
        np.testing.assert_allclose(scores[:, -1], end, atol=1e-12)


def test_the_same_seed_is_the_same_comparison_whatever_the_order_of_the_networks(make):
    table = make.linear(80)
    turned = table.chosen(np.random.default_rng(5).permutation(80))
    first, again, other = (
        compare(each, FRONT, n_evaluations=40, n_runs=3, seed=seed)
        for each, seed in ((table, 1), (turned, 1), (table, 2))
    )
    for name in ALGORITHMS:
        assert (first.places[name] == again.places[name]).all()
        assert (first.places[name] != other.places[name]).any()


def test_runs_of_a_comparison_do_not_depend_on_how_many_there_are(make):
    table = make.linear(80)
    few, more = (compare(table, n_evaluations=20, n_runs=n) for n in (2, 4))
    assert (few.places["surrogate"] == more.places["surrogate"][:2]).all()


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (asking(0, 1, 0), "mine: .* got 0 as number 3, for the second time"),
        (asking(0, 4), "mine: .* in 0..3 .* got 4 as number 2, which is not there"),
        (asking(-1), "got -1 as number 1, which is not there"),
        (asking(1.0), "got 1.0 as number 1, which is no integer"),
        (asking(True), "got True as number 1, which is no integer"),
        (asking(None), "got None as number 1, which is no integer"),
    ],
)
def test_a_search_that_asks_for_what_it_must_not_is_named(make, search, message):
    with pytest.raises(ValueError, match=message):
        compare(make.table([0.1, 0.2, 0.3, 0.4]), algorithms={"mine": search}, n_runs=1)


@pytest.mark.parametrize("factory", [lambda candidates, rng: object(), lambda candidates, rng: None])
def test_what_is_no_search_is_named(make, factory):
    with pytest.raises(ValueError, match=r"mine: expected .* a search with ask\(\) and tell\(\), got <function"):
        compare(make.table([0.1, 0.2]), algorithms={"mine": factory}, n_runs=1)


def test_integers_of_numpy_are_integers(make):
    found = compare(make.table([0.1, 0.2]), algorithms={"mine": asking(np.int64(1), np.int32(0))}, n_runs=1)
    assert found.places["mine"].tolist() == [[1, 0]]


def test_a_search_cannot_change_the_table(make):
    class Cheat(InOrder):
        def tell(self, place, values):
            values[:] = 1.0

    with pytest.raises(ValueError, match="read-only"):
        compare(make.table([0.1, 0.2]), algorithms={"cheat": Cheat}, n_runs=1)


@pytest.mark.parametrize("options", [{"n_evaluations": 0}, {"n_runs": 0}])
def test_no_runs_are_refused(make, options):
    with pytest.raises(ValueError, match="expected at least 1 each"):
        compare(make.table([0.1, 0.2]), **options)


def test_a_negative_seed_is_refused(make):
    with pytest.raises(ValueError, match="seed: expected at least 0, got -1"):
        compare(make.table([0.1, 0.2]), seed=-1)


def test_a_table_without_anything_to_find_is_refused(make):
    with pytest.raises(ValueError, match="some are better by acc, got 2 of sss on made-up without a difference"):
        compare(make.table([0.5, 0.5]))
