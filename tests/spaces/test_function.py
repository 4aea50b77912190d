"""Function classes: by hand, and those of the whole space against cells that are evaluated with numbers."""

from collections import Counter, defaultdict
from itertools import permutations

import numpy as np
import pytest

from harness import spaces
from harness.spaces import EDGES, OPERATIONS, cell_function

TSS, SSS = spaces.get("tss"), spaces.get("sss")
NONE, SKIP, CONV1, CONV3, POOL = OPERATIONS
CELLS = [TSS.skeleton(arch_str).operations for arch_str in TSS.strings]

READ_ONCE_MORE = "a + c where a = nor_conv_1x1(x), b = nor_conv_1x1(x), c = nor_conv_3x3(b)"


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((NONE,) * 6, "0"),
        ((SKIP,) * 6, "4*x"),
        # A skip connection and a pool of zero are zero, a convolution of zero is a constant, whatever its kernel.
        ((NONE, NONE, SKIP, NONE, POOL, SKIP), "0"),
        ((NONE, NONE, NONE, NONE, CONV1, SKIP), "a where a = shift"),
        ((NONE, NONE, NONE, NONE, CONV3, SKIP), "a where a = shift"),
        # A pool of a constant is that constant.
        ((CONV1, NONE, NONE, NONE, NONE, POOL), "0"),
        ((NONE, NONE, CONV3, NONE, NONE, POOL), "a where a = shift"),
        ((NONE, NONE, CONV3, NONE, NONE, CONV1), "a where a = nor_conv_1x1(b), b = shift"),
        ((NONE, CONV3, CONV3, NONE, POOL, POOL), "b + pool(a) where a = nor_conv_3x3(x), b = shift"),
        # One convolution that is used twice, and two convolutions.
        ((CONV3, NONE, SKIP, NONE, SKIP, SKIP), "2*a where a = nor_conv_3x3(x)"),
        ((CONV3, CONV3, NONE, NONE, SKIP, SKIP), "a + b where a = nor_conv_3x3(x), b = nor_conv_3x3(x)"),
        # A pool of a sum is the sum of the pools.
        ((POOL, SKIP, SKIP, NONE, NONE, POOL), "pool(pool(x)) + pool(x)"),
        ((POOL, POOL, NONE, NONE, POOL, SKIP), "pool(pool(x)) + pool(x)"),
        # What does not reach the output is left out.
        ((CONV3, CONV1, CONV3, SKIP, NONE, NONE), "x"),
        # Which of two equal convolutions is read once more makes no difference.
        ((CONV1, CONV1, NONE, NONE, SKIP, CONV3), READ_ONCE_MORE),
        ((CONV1, CONV1, NONE, NONE, CONV3, SKIP), READ_ONCE_MORE),
    ],
)  # fmt: skip
def test_function_by_hand(operations, expected):
    assert cell_function(operations) == expected


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ((SKIP,) * 5, "one for each of the 6 edges, got 5"),
        ((SKIP,) * 7, "one for each of the 6 edges, got 7"),
        ((SKIP, "max_pool_3x3", *(NONE,) * 4), r"among none, skip_connect, .*, got 'max_pool_3x3'"),
    ],
)
def test_other_operations_are_refused(operations, message):
    with pytest.raises(ValueError, match=rf"operations: expected .*{message}"):
        cell_function(operations)


def test_representatives_are_the_smallest_of_their_class():
    classes = [TSS.function_class(i) for i in range(len(TSS))]
    assert all(classes[first] == first <= i for i, first in enumerate(classes))
    assert all(SSS.function_class(i) == i for i in range(0, len(SSS), 997))


@pytest.mark.parametrize("name", spaces.names())
def test_index_out_of_range_says_the_range(name):
    space = spaces.get(name)
    with pytest.raises(IndexError, match=rf"index of {name} in 0\.\.{len(space) - 1}, got -1"):
        space.function_class(-1)


def test_numbers_of_classes_and_how_they_lie_in_each_other():
    """The figures of docs/spaces.md: neither kind of class lies within the other."""
    of_function, of_strings = defaultdict(set), defaultdict(set)
    for i in range(len(TSS)):
        function, strings = TSS.function_class(i), TSS.representative(i)
        of_function[function].add(strings)
        of_strings[strings].add(function)
    assert (len(of_function), len(of_strings)) == (5_234, 6_466)
    assert sum(map(len, of_function.values())) == 7_147
    assert sum(len(functions) > 1 for functions in of_strings.values()) == 523
    assert sum(len(classes) > 1 for classes in of_function.values()) == 864


# The whole space in numbers: every cell with all ways to give its convolutions six sets of weights.

N_CHANNELS, SIDE, N_SLOTS = 3, 4, len(EDGES)
SIZE = N_CHANNELS * SIDE * SIDE


def as_matrix(kernels, *, is_mean=False):
    """Return the matrix of a padded convolution with kernels (out, in, k, k), or of the mean inside of the image."""
    half = kernels.shape[-1] // 2
    matrix = np.zeros((N_CHANNELS, SIDE, SIDE, N_CHANNELS, SIDE, SIDE))
    for row, column, y, x in np.ndindex(SIDE, SIDE, SIDE, SIDE):
        if abs(y - row) <= half and abs(x - column) <= half:
            matrix[:, row, column, :, y, x] = kernels[:, :, y - row + half, x - column + half]
    matrix = matrix.reshape(SIZE, SIZE)
    return matrix / matrix.sum(axis=1, keepdims=True) if is_mean else matrix


class Bank:
    """Six sets of weights: for each a 1x1 and a 3x3 convolution with one BatchNorm, and the pool that has none."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.pool = as_matrix(np.eye(N_CHANNELS)[:, :, None, None] * np.ones((3, 3)), is_mean=True)
        self.matrices = {CONV1: self._draw_matrices(1), CONV3: self._draw_matrices(3)}
        self.shifts = np.repeat(self.rng.normal(size=(N_SLOTS, N_CHANNELS)), SIDE * SIDE, axis=1)
        # What an edge can be: an operation, and for a convolution its set of weights.
        self.choices = [(name, 0) for name in (NONE, SKIP, POOL)]
        self.choices += [(name, slot) for name in self.matrices for slot in range(N_SLOTS)]

    def _draw_matrices(self, side):
        return [as_matrix(self.rng.normal(size=(N_CHANNELS, N_CHANNELS, side, side))) for _ in range(N_SLOTS)]

    def apply_all(self, values):
        """Return what every choice of an edge makes of values (..., size), as (..., choices, size)."""
        return np.stack([self._apply(values, *choice) for choice in self.choices], axis=-2)

    def _apply(self, values, name, slot):
        if name == NONE:
            return np.zeros_like(values)
        if name == SKIP:
            return values
        if name == POOL:
            return values @ self.pool.T
        return np.maximum(values, 0) @ self.matrices[name][slot].T + self.shifts[slot]


def moments_of_cells(seed):
    """Return for each cell the mean, and the mean square, of a projection of its output over all sets of weights.

    Cells that some pairing of convolutions makes equal have equal moments; others have not, but for coincidences.
    """
    bank = Bank(seed)
    from_0 = bank.apply_all(bank.rng.normal(size=SIZE))  # (choice, size), the same on the three edges from node 0
    from_1 = bank.apply_all(from_0)  # (choice on 1<-0, choice, size)
    node_2 = from_0[None, :, None] + from_1[:, None, :]  # (choices on 1<-0, 2<-0, 2<-1, size)
    direction = bank.rng.normal(size=SIZE)
    last_0, last_1, last_2 = (values @ direction for values in (from_0, from_1, bank.apply_all(node_2)))
    first_choice = {name: index for index, (name, slot) in reversed(list(enumerate(bank.choices))) if slot == 0}
    orders = {n: np.array(list(permutations(range(N_SLOTS), n)), dtype=int) for n in range(N_SLOTS + 1)}
    moments = []
    for cell in CELLS:
        convolutions = [k for k, name in enumerate(cell) if name in bank.matrices]
        slots = orders[len(convolutions)]
        chosen = np.tile([first_choice[name] for name in cell], (len(slots), 1))
        chosen[:, convolutions] += slots
        a, b, c, d, e, f = chosen.T
        outputs = last_0[d] + last_1[a, e] + last_2[a, b, c, f]
        moments.append((outputs.mean(), (outputs**2).mean()))
    return np.array(moments)


@pytest.mark.parametrize("seed", [0, 1])
def test_classes_are_those_of_cells_that_are_equal_in_numbers(seed):
    moments = moments_of_cells(seed)
    classes = np.array([TSS.function_class(i) for i in range(len(TSS))])
    representatives = np.unique(classes)
    np.testing.assert_allclose(moments, moments[classes], rtol=1e-11, atol=1e-11)
    told_apart = Counter(map(tuple, np.round(moments[representatives], 7)))
    assert len(told_apart) == len(representatives)
