"""Encodings and neighbours: by hand, symmetric, a choice apart, the same as a search of all pairs."""

import numpy as np
import pytest

from harness import spaces
from harness.search import Candidates, Unasked

TSS = spaces.get("tss")


def around(candidates, place):
    return candidates.neighbours(place).tolist()


def all_pairs(candidates):
    return {(i, j) for i in range(len(candidates)) for j in around(candidates, i)}


def test_sizes_are_numbered_from_the_narrowest():
    sizes = Candidates.of("sss", np.array([0, 1, 32767]))
    assert sizes.encodings.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [7, 7, 7, 7, 7]]
    assert (sizes.n_choices, sizes.is_ordered) == (8, True)


def test_topologies_are_numbered_by_operation():
    cells = Candidates.of("tss", np.array([0, 5]))
    names = [[spaces.OPERATIONS[code] for code in row] for row in cells.encodings]
    assert names == [list(TSS.features(index).operations) for index in (0, 5)]
    assert (cells.n_choices, cells.is_ordered) == (5, False)


def test_every_size_of_a_whole_space_has_35_neighbours_one_choice_away():
    sizes = Candidates.of("sss", np.arange(32768))
    for place in (0, 4681, 12345, 32767):
        found = sizes.neighbours(place)
        assert len(found) == len(set(found.tolist())) == 5 * 7
        assert ((sizes.encodings[found] != sizes.encodings[place]).sum(axis=1) == 1).all()


def test_every_cell_of_a_whole_space_has_24_neighbours_one_choice_away():
    cells = Candidates.of("tss", np.arange(len(TSS)))
    for place in (0, 1000, 15624):
        found = cells.neighbours(place)
        assert len(found) == 6 * 4
        assert ((cells.encodings[found] != cells.encodings[place]).sum(axis=1) == 1).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_sizes_are_neighbours_where_a_search_of_all_pairs_finds_them(seed):
    indices = np.sort(np.random.default_rng(seed).choice(4096, 300, replace=False))
    sizes = Candidates.of("sss", indices)
    apart = (sizes.encodings[:, None] != sizes.encodings[None]).sum(axis=2)
    assert all_pairs(sizes) == {(int(i), int(j)) for i, j in np.argwhere(apart == 1)}


def test_topologies_are_neighbours_where_cells_of_their_classes_are_a_choice_apart():
    indices = np.sort(np.random.default_rng(0).choice(TSS.representatives(), 60, replace=False))
    cells = Candidates.of("tss", indices)
    codes = TSS.stacks().operations
    classes = np.array([TSS.representative(i) for i in range(len(TSS))])
    members = [codes[classes == index] for index in indices]
    expected = {
        (i, j)
        for i in range(60)
        for j in range(60)
        if i != j and ((members[i][:, None] != members[j][None]).sum(axis=2) == 1).any()
    }
    assert all_pairs(cells) == expected
    assert expected == {(j, i) for i, j in expected}


def test_of_isomorphic_networks_that_are_there_each_stands_for_itself():
    origin = next(i for i in TSS.representatives() if sum(TSS.representative(j) == i for j in range(200)) > 1)
    twin = next(j for j in range(origin + 1, 200) if TSS.representative(j) == origin)
    codes = TSS.stacks().operations
    apart = (codes != codes[twin]).sum(axis=1)
    near = next(int(j) for j in np.flatnonzero(apart == 1) if TSS.representative(j) != origin)
    indices = np.unique([origin, twin, near])
    cells = Candidates.of("tss", indices)
    place = {index: i for i, index in enumerate(indices.tolist())}
    assert place[near] in around(cells, place[twin])


def test_a_class_is_stood_for_by_a_member_that_is_not_its_representative():
    codes = TSS.stacks().operations
    twin = next(j for j in range(len(TSS)) if TSS.representative(j) != j)
    origin = TSS.representative(twin)
    reached = (codes != codes[origin]).sum(axis=1) == 1
    near = next(int(j) for j in np.flatnonzero(reached) if TSS.representative(j) == j and j != origin)
    assert (codes[near] != codes[twin]).sum() > 1
    pair = Candidates.of("tss", np.unique([twin, near]))
    assert all_pairs(pair) == {(0, 1), (1, 0)}


def test_for_a_cell_that_is_not_there_the_first_of_its_class_stands():
    codes = TSS.stacks().operations
    classes = np.array([TSS.representative(i) for i in range(len(TSS))])

    def reach(near, cells):
        return (codes[classes == classes[near]][:, None] != codes[cells][None]).sum(axis=2).min()

    first, second, third = next(found for i in np.unique(classes) if len(found := np.flatnonzero(classes == i)) == 3)
    beside = np.flatnonzero((codes != codes[third]).sum(axis=1) == 1)
    near = next(j for j in beside if classes[j] != classes[third] and reach(j, [first, second]) > 1)
    indices = np.unique([first, second, near])
    place = {index: i for i, index in enumerate(indices.tolist())}
    cells = Candidates.of("tss", indices)
    assert around(cells, place[int(near)]) == [place[int(first)]]


def test_nobody_is_a_neighbour_of_itself():
    cells = Candidates.of("tss", np.array(TSS.representatives()))
    assert not any(place in around(cells, place) for place in range(0, len(cells), 7))


def test_indicators_of_operations_say_which_and_of_widths_at_least_which():
    cells = Candidates.of("tss", np.array([0]))
    assert cells.indicators.reshape(6, 5).argmax(axis=1).tolist() == cells.encodings[0].tolist()
    assert cells.indicators.sum() == 6
    sizes = Candidates.of("sss", np.array([1, 32767]))
    assert sizes.indicators.reshape(2, 5, 7).sum(axis=2).tolist() == sizes.encodings.tolist()
    assert sizes.indicators[0].tolist() == [0.0] * 28 + [1.0] + [0.0] * 6


@pytest.mark.parametrize("indices", [[], [3, 3], [4, 2]])
def test_indices_that_do_not_increase_are_refused(indices):
    with pytest.raises(ValueError, match="expected one or more increasing indices"):
        Candidates.of("sss", np.array(indices, dtype=np.int64))


def test_what_is_left_to_ask_is_every_network_once():
    unasked = Unasked(Candidates.of("sss", np.arange(10)), np.random.default_rng(0))
    assert unasked.take(4) == 4
    taken = [unasked.take_next() for _ in range(9)]
    assert sorted([*taken, 4]) == list(range(10))
    assert len(unasked) == 0
    with pytest.raises(IndexError, match="all 10 networks"):
        unasked.take_next()


def test_neighbours_that_are_left_leave_out_what_was_asked():
    unasked = Unasked(Candidates.of("sss", np.arange(8)), np.random.default_rng(0))
    unasked.take(3)
    assert sorted(unasked.neighbours(0)) == [1, 2, 4, 5, 6, 7]
