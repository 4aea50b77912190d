"""What a search may see of the networks of a table: how they are built and which are neighbours, no values."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer

from harness import spaces


@dataclass(frozen=True, eq=False)
class Candidates:
    """The networks that a search may ask for, by place 0 ... n - 1, in the order of their indices.

    Two networks are neighbours where one choice tells them apart. A topology stands for all cells of its isomorphism
    class that are not here themselves, so two topologies are neighbours where a cell of the one is a choice away from a
    cell of the other.

    Attributes:
        space: Search space.
        n_objectives: How many values a search is told of each network.
        arch_index: Index of each network in its space, increasing.
        encodings: Choices of each network from 0: of topologies the operation of each edge of the cell, in the order of
            ``spaces.EDGES`` and ``spaces.OPERATIONS``; of sizes the width of each block, narrowest first.
        n_choices: How many values a choice has, such as 5 operations.
        is_ordered: Whether a larger number is more of the same: widths are ordered, operations are not.
    """

    space: str
    n_objectives: int
    arch_index: Int64[np.ndarray, " networks"]
    encodings: Int64[np.ndarray, "networks choices"]
    n_choices: int
    is_ordered: bool

    @classmethod
    def of(cls, space: str, arch_index: Integer[np.ndarray, " networks"], n_objectives: int = 1) -> "Candidates":
        """Return some networks of a search space.

        Args:
            space: Search space.
            arch_index: Their indices, increasing.
            n_objectives: How many values a search is told of each, at least 1.

        Raises:
            ValueError: There is no such search space, no index, or they do not increase.

        Example:
            >>> sizes = Candidates.of("sss", np.array([0, 1, 9]))
            >>> sizes.encodings.tolist(), [sizes.neighbours(place).tolist() for place in range(3)]
            ([[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 1]], [[1], [0, 2], [1]])
        """
        indices = arch_index.astype(np.int64)
        if not len(indices) or (np.diff(indices) <= 0).any():
            raise ValueError(f"arch_index: expected one or more increasing indices, got {indices[:5].tolist()} ...")
        codes = _codes(space)
        return cls(
            space=space,
            n_objectives=n_objectives,
            arch_index=indices,
            encodings=codes[indices],
            n_choices=int(codes.max()) + 1,
            is_ordered=space == "sss",
        )

    def __len__(self) -> int:
        return len(self.arch_index)

    def neighbours(self, place: int) -> Int64[np.ndarray, " n_neighbours"]:
        """Return the places of the networks that one choice tells from another, increasing."""
        starts, targets = self._edges
        return targets[starts[place] : starts[place + 1]]

    @cached_property
    def indicators(self) -> Float64[np.ndarray, "networks columns"]:
        """The encodings as zeros and ones, for models: a column per choice and value.

        A one says that the choice has the value; where choices are ordered, that it has the value or a larger one.
        """
        values = np.arange(self.n_choices)
        codes = self.encodings[:, :, None]
        chosen = codes >= values[1:] if self.is_ordered else codes == values
        return chosen.reshape(len(self), -1).astype(np.float64)

    @cached_property
    def _edges(self) -> "_Edges":
        return _edges(_codes(self.space), _owners(self.space, self.arch_index), len(self))


class Unasked:
    """The networks that a search has not asked for yet, in a random order.

    Searches that draw this order before anything else, with generators of the same seed, begin with the same networks.

    Args:
        candidates: The networks.
        rng: Generator of the order.
    """

    def __init__(self, candidates: Candidates, rng: np.random.Generator) -> None:
        self._candidates, self._rng = candidates, rng
        self._order = iter(rng.permutation(len(candidates)).tolist())
        self._is_asked = np.zeros(len(candidates), dtype=np.bool_)

    def __len__(self) -> int:
        return len(self._is_asked) - int(np.count_nonzero(self._is_asked))

    @property
    def is_asked(self) -> Bool[np.ndarray, " networks"]:
        """Which networks were taken."""
        return self._is_asked

    def take(self, place: int) -> int:
        """Take a network and return its place."""
        self._is_asked[place] = True
        return place

    def take_next(self) -> int:
        """Take the next network of the random order and return its place.

        Raises:
            IndexError: None is left.
        """
        for place in self._order:
            if not self._is_asked[place]:
                return self.take(place)
        raise IndexError(f"all {len(self._is_asked)} networks have been asked for")

    def neighbours(self, place: int) -> list[int]:
        """Return the neighbours of a network that are left, in random order."""
        around = self._candidates.neighbours(place)
        return self._rng.permutation(around[~self._is_asked[around]]).tolist()


def _codes(space: str) -> Int64[np.ndarray, "architectures choices"]:
    """Return the choices of every architecture of a space, by index, as numbers from 0."""
    stacks = spaces.get(space).stacks()
    choices = stacks.operations if len(stacks.operations) > 1 else stacks.channels
    return np.searchsorted(np.unique(choices), choices)


def _owners(space: str, indices: Int64[np.ndarray, " networks"]) -> Int64[np.ndarray, " architectures"]:
    """Return the place of the network that stands for each architecture of a space, -1 where none does.

    A network stands for itself; for others of its class the one of smallest index does.
    """
    of_space = spaces.get(space)
    classes = np.array([of_space.representative(i) for i in range(len(of_space))])
    first_of_class = np.full(len(of_space), -1)
    first_of_class[classes[indices][::-1]] = np.arange(len(indices))[::-1]
    owners = first_of_class[classes]
    owners[indices] = np.arange(len(indices))
    return owners


class _Edges(NamedTuple):
    """Pairs of neighbours, by the first of the pair."""

    starts: Int64[np.ndarray, " networks+1"]
    targets: Int64[np.ndarray, " edges"]


def _edges(
    codes: Int64[np.ndarray, "architectures choices"], owners: Int64[np.ndarray, " architectures"], n: int
) -> _Edges:
    """Return the neighbours of n networks that stand for the architectures of a space."""
    n_values = int(codes.max()) + 1
    powers = n_values ** np.arange(codes.shape[1])
    numbers = codes @ powers  # each architecture as one number, whose digits are its choices
    at_number = np.empty_like(owners)
    at_number[numbers] = owners
    found = []
    for digit, power in zip(codes.T, powers, strict=True):
        for step in range(1, n_values):
            others = at_number[numbers + ((digit + step) % n_values - digit) * power]
            is_edge = (owners >= 0) & (others >= 0) & (others != owners)
            found.append(owners[is_edge] * n + others[is_edge])
    sources, targets = np.divmod(np.unique(np.concatenate(found)), n)
    return _Edges(np.searchsorted(sources, np.arange(n + 1)), targets)
