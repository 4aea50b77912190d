"""Hypervolume: by hand, against a count of grid cells, and as points come in; scalarisation by hand."""

import numpy as np
import pytest

from harness.search import Scalarisation, hypervolume, hypervolumes

ZERO = np.zeros(2)


def counted(points, reference, n=20):
    """The area by counting unit cells of a grid, for points of integers below n."""
    cells = np.arange(n) + 0.5
    x, y = np.meshgrid(cells + reference[0], cells + reference[1], indexing="ij")
    return float(sum(((x[..., None] < points[:, 0]) & (y[..., None] < points[:, 1])).any(axis=2).ravel()))


def test_by_hand():
    assert hypervolume(np.array([[2.0, 3.0]]), ZERO) == 6
    assert hypervolume(np.array([[2.0, 3.0]]), np.array([1.0, 1.0])) == 2
    assert hypervolume(np.array([[2.0, 1.0], [1.0, 2.0]]), ZERO) == 3


def test_what_does_not_exceed_the_reference_adds_nothing():
    assert hypervolume(np.array([[-1.0, 5.0], [5.0, 0.0], [0.0, 0.0]]), ZERO) == 0
    assert hypervolume(np.array([[-1.0, 5.0], [1.0, 1.0]]), ZERO) == 1


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_area_that_a_grid_counts(seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 20, (rng.integers(1, 12), 2)).astype(float)
    reference = rng.integers(0, 4, 2).astype(float)
    assert hypervolume(points, reference) == counted(points, reference)
    assert hypervolume(points[::-1], reference) == hypervolume(points, reference)


@pytest.mark.parametrize("seed", range(4))
def test_in_turn_it_is_that_of_the_points_so_far_and_never_falls(seed):
    points = np.random.default_rng(seed).normal(size=(60, 2))
    reference = points.min(axis=0)
    found = hypervolumes(points, reference)
    np.testing.assert_allclose(found, [hypervolume(points[: i + 1], reference) for i in range(60)], atol=1e-12)
    assert (np.diff(found) >= 0).all()


def test_a_single_value_stays_as_it_is():
    one = Scalarisation(1, np.random.default_rng(0))
    one.see(np.array([3.0]))
    assert one.of(np.array([[3.0], [-2.0]])).tolist() == [3, -2]


def test_several_are_the_distance_to_the_best_by_weights():
    two = Scalarisation(2, np.random.default_rng(0))
    weights = np.random.default_rng(0).dirichlet([1.0, 1.0])
    for values in ([0.0, 10.0], [4.0, 0.0], [2.0, 5.0]):
        two.see(np.array(values))
    found = two.of(np.array([[4.0, 10.0], [4.0, 0.0], [2.0, 5.0]]))
    lacks = np.array([0.5, 0.5]) * weights
    assert found == pytest.approx([0, -1.05 * weights[1], -lacks.max() - 0.05 * 0.5])


def test_each_network_of_a_front_is_the_best_by_some_weights():
    front = np.array([[0.0, 3.0], [1.0, 2.9], [1.2, 1.0], [3.0, 0.0]])  # the third lies inside of the hull
    scalarisation = Scalarisation(2, np.random.default_rng(0))
    for values in front:
        scalarisation.see(values)
    best = set()
    for _ in range(300):
        scalarisation.redraw()
        best.add(int(scalarisation.of(front).argmax()))
    assert best == {0, 1, 2, 3}


def test_an_objective_that_never_differed_does_not_count():
    flat = Scalarisation(2, np.random.default_rng(0))
    flat.see(np.array([1.0, 5.0]))
    flat.see(np.array([2.0, 5.0]))
    worse, better = flat.of(np.array([[1.0, 5.0], [2.0, 5.0]]))
    assert worse < better == 0
