"""Tables to search: which networks they hold, in which order, and how far a run has come."""

import numpy as np
import pytest

from harness.search import ACCURACY, FRONT, HCS, Benchmark, Objective
from harness.statistics.population import POST


def test_networks_lie_by_index_whatever_their_order_was(make):
    turned = make.table([0.3, 0.1, 0.2], indices=[9, 4, 7])
    found = Benchmark.of(turned, ACCURACY)
    assert found.candidates.arch_index.tolist() == [4, 7, 9]
    assert found.values.tolist() == [[0.1], [0.2], [0.3]]


def test_networks_without_a_value_are_left_out_and_counted(make):
    table = make.table([0.3, np.nan, 0.2, 0.1], ECE_15=np.array([0.1, 0.1, np.nan, 0.2]))
    assert Benchmark.of(table, ACCURACY).n_left_out == 1
    found = Benchmark.of(table, FRONT)
    assert (found.n_left_out, len(found)) == (2, 2)
    assert found.values.tolist() == [[0.3, -0.1], [0.1, -0.2]]
    assert found.candidates.n_objectives == 2


def test_values_cannot_be_changed(make):
    with pytest.raises(ValueError, match="read-only"):
        make.benchmark([0.1, 0.2]).values[0] = 1.0


def test_a_measurement_that_nobody_has_is_named(make):
    with pytest.raises(ValueError, match="networks of sss on made-up have, got HCS with calibrator none"):
        Benchmark.of(make.table([0.1, 0.2]), HCS)
    with pytest.raises(ValueError, match="got acc with calibrator temperature"):
        Benchmark.of(make.table([0.1, 0.2]), Objective(("acc",), POST))


@pytest.mark.parametrize("terms", [(), ("acc", "HCS", "-NLL")])
def test_an_objective_has_one_term_or_two(terms):
    with pytest.raises(ValueError, match="expected one measurement or two"):
        Objective(terms)


def test_regret_is_what_the_best_so_far_lacks(make):
    benchmark = make.benchmark([0.5, 0.75, 0.25, 1.0])
    found = benchmark.scores(np.array([[2, 0, 1, 3], [3, 2, 1, 0]]))
    assert found.tolist() == [[0.75, 0.5, 0.25, 0], [0, 0, 0, 0]]


def test_regret_of_what_should_be_small_counts_down_from_the_smallest(make):
    benchmark = Benchmark.of(make.table([0, 0, 0], NLL=np.array([1.0, 0.5, 2.0])), Objective(("-NLL",)))
    assert benchmark.scores(np.array([[2, 0, 1]])).tolist() == [[1.5, 0.5, 0]]


def test_hypervolume_is_a_share_of_what_all_networks_dominate(make):
    # From the worst of both, (0, -4), the front of the last three reaches to (3, 2), (2, 3) and, worthless, (4, 0).
    table = make.table([0.0, 3.0, 2.0, 4.0], ECE_15=np.array([2.0, 2.0, 1.0, 4.0]))
    benchmark = Benchmark.of(table, FRONT)
    found = benchmark.scores(np.array([[3, 0, 1, 2], [2, 1, 0, 3]]))
    assert found == pytest.approx(np.array([[0, 0, 6, 8], [6, 8, 8, 8]]) / 8)


@pytest.mark.parametrize(
    ("accuracy", "error", "is_flat"),
    [
        ([0.5, 0.5], [0.1, 0.2], (True, True)),
        ([0.5, 0.6], [0.1, 0.2], (False, True)),  # either is the worst of one
        ([0.5, 0.6], [0.2, 0.1], (False, False)),
        ([0.5], [0.2], (True, True)),
    ],
)
def test_a_table_without_anything_to_find_is_flat(make, accuracy, error, is_flat):
    table = make.table(accuracy, ECE_15=np.array(error))
    assert tuple(Benchmark.of(table, objective).is_flat for objective in (ACCURACY, FRONT)) == is_flat
