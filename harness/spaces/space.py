"""What every search space is to the rest of the harness."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property, lru_cache
from numbers import Integral
from operator import index
from typing import ClassVar, SupportsIndex

import numpy as np
from jaxtyping import Int64

from harness.spaces.costs import Costs, Stacks, count_costs
from harness.spaces.features import CellFeatures, Features, describe, describe_cells
from harness.spaces.skeleton import Skeleton


class AbstractSpace(ABC):
    """An enumerated set of architectures in the order of NATS-Bench; immutable.

    Attributes:
        name: Name in keys, files and configurations.
    """

    name: ClassVar[str]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _enumerated(self) -> Iterable[str]:
        """Return the strings of all architectures in the order of their indices."""

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """The strings of all architectures, in the order of their indices."""
        return tuple(self._enumerated())

    def arch_str(self, i: SupportsIndex) -> str:
        """Return the string of an architecture.

        Args:
            i: Index in 0 ... ``len(self) - 1``.

        Raises:
            IndexError: The index is out of range; a negative one always is.
            TypeError: The index is no integer; a bool is none.
        """
        return self.strings[check_index(i, self)]

    @abstractmethod
    def arch_index(self, arch_str: str) -> int:
        """Return the index of a string; the inverse of :meth:`arch_str`.

        Raises:
            ValueError: The string is no architecture of this space; the message names the wrong token.
        """

    @abstractmethod
    def representative(self, i: SupportsIndex) -> int:
        """Return the smallest index of the isomorphism class of an architecture; errors as :meth:`arch_str`."""

    @abstractmethod
    def representatives(self) -> tuple[int, ...]:
        """Return the representatives of all classes in increasing order."""

    @abstractmethod
    def function_class(self, i: SupportsIndex) -> int:
        """Return the smallest index of the cells that compute the same function; errors as :meth:`arch_str`.

        See :mod:`harness.spaces.function`. The first question takes about a second, for the whole space.
        """

    @abstractmethod
    def skeleton(self, arch_str: str, *, channels: int = 16, cells: int = 5) -> Skeleton:
        """Return the blocks of a network, from which it can be built and its cost computed.

        Args:
            arch_str: String of the architecture.
            channels: Channels of the first stage; of tss only.
            cells: Cells in each stage; of tss only.

        Raises:
            ValueError: The string is no architecture of this space, or a number is out of range or does not apply.
        """

    @abstractmethod
    def stacks(self, *, channels: int = 16, cells: int = 5) -> Stacks:
        """Return the networks of all architectures in the order of their indices; arguments as :meth:`skeleton`."""

    @abstractmethod
    def widths(self) -> Int64[np.ndarray, "n stages"]:
        """Return `Features.widths` of all architectures at their default size, in the order of their indices."""

    def cell_features(self) -> CellFeatures:
        """Return the features of the cells of all architectures, in the order of their indices."""
        operations = self.stacks().operations
        return describe_cells(np.broadcast_to(operations, (len(self), operations.shape[1])))

    def costs(self, *, num_classes: int = 10, image_size: int = 32, channels: int = 16, cells: int = 5) -> Costs:
        """Return parameters and multiply-adds of all architectures in the order of their indices.

        Args:
            num_classes: Outputs of the classifier.
            image_size: Side of the input in pixels, a multiple of 4.
            channels: As in :meth:`skeleton`.
            cells: As in :meth:`skeleton`.

        Raises:
            TypeError: An argument is no integer.
            ValueError: An argument is out of range or does not apply.
        """
        _check_integers(num_classes=num_classes, image_size=image_size, channels=channels, cells=cells)
        return _costs(self, num_classes, image_size, channels, cells)

    def features(
        self, i: SupportsIndex, *, num_classes: int = 10, image_size: int = 32, channels: int = 16, cells: int = 5
    ) -> Features:
        """Return what can be said about an architecture without building it.

        Args:
            i: Index in 0 ... ``len(self) - 1``.
            num_classes: As in :meth:`costs`.
            image_size: As in :meth:`costs`.
            channels: As in :meth:`skeleton`.
            cells: As in :meth:`skeleton`.

        Raises:
            IndexError: The index is out of range.
            TypeError: An argument is no integer.
            ValueError: Another argument is out of range or does not apply.
        """
        number = check_index(i, self)
        costs = self.costs(num_classes=num_classes, image_size=image_size, channels=channels, cells=cells)
        skeleton = self.skeleton(self.arch_str(number), channels=channels, cells=cells)
        return describe(skeleton, int(costs.parameters[number]), int(costs.multiply_adds[number]))


_N_SIZES = 16  # sizes of which the costs are kept, at most half a megabyte each


@lru_cache(maxsize=_N_SIZES)
def _costs(space: AbstractSpace, num_classes: int, image_size: int, channels: int, cells: int) -> Costs:
    return count_costs(space.stacks(channels=channels, cells=cells), num_classes=num_classes, image_size=image_size)


def _check_integers(**numbers: object) -> None:
    """Refuse what is no integer before the cache, to which 10.0 and 10 are one."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name}: expected an integer, got {value!r}")


def check_index(i: SupportsIndex, space: AbstractSpace) -> int:
    """Return ``i`` as an int if it is an index of the space; see :meth:`AbstractSpace.arch_str` for the errors."""
    if isinstance(i, bool):
        raise TypeError(f"i: expected an integer index, got {i!r}")
    number = index(i)
    if not 0 <= number < len(space):
        raise IndexError(f"i: expected an index of {space.name} in 0..{len(space) - 1}, got {number}")
    return number
