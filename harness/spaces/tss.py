"""The topology search space of NATS-Bench: every cell of five operations on six edges, in a network of fixed widths."""

import random
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import product
from typing import ClassVar, SupportsIndex, final

import numpy as np
from jaxtyping import Int64

from harness.spaces.cell import EDGES, OPERATIONS, format_cell, isomorphism_class, parse_cell
from harness.spaces.costs import Stacks
from harness.spaces.function import cell_function
from harness.spaces.skeleton import BlockKind, Skeleton, stack_blocks
from harness.spaces.space import AbstractSpace, check_index

_CHANNELS = 16  # of the first stage in NATS-Bench
_CELLS = 5  # in each stage of NATS-Bench
_SHUFFLE_SEED = 88  # NATS-Bench shuffled the enumeration once, with Python's generator seeded so


@final
class TopologySpace(AbstractSpace):
    """15,625 cells in 6,466 isomorphism and 5,234 function classes; three stages of equal cells at C, 2C, 4C channels.

    Example:
        >>> space = TopologySpace()
        >>> space.arch_str(0)
        '|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|'
        >>> len(space), len(space.representatives()), space.features(0).parameters
        (15625, 6466, 129306)
    """

    name: ClassVar[str] = "tss"

    def __len__(self) -> int:
        return len(OPERATIONS) ** len(EDGES)

    def _enumerated(self) -> Iterator[str]:
        return map(format_cell, self._cells)

    def arch_index(self, arch_str: str) -> int:
        """Return the index of a cell's string; see :meth:`AbstractSpace.arch_index`."""
        return self._indices[parse_cell(arch_str)]

    def representative(self, i: SupportsIndex) -> int:
        """Return the smallest index of the cell's isomorphism class; see :meth:`AbstractSpace.representative`."""
        return self._origins[check_index(i, self)]

    def representatives(self) -> tuple[int, ...]:
        """Return the 6,466 representatives in increasing order."""
        return tuple(i for i, origin in enumerate(self._origins) if i == origin)

    def function_class(self, i: SupportsIndex) -> int:
        """Return the smallest index of the cell's function class; see :meth:`AbstractSpace.function_class`."""
        return self._functions[check_index(i, self)]

    def skeleton(self, arch_str: str, *, channels: int = _CHANNELS, cells: int = _CELLS) -> Skeleton:
        """Return the blocks of a network; see :meth:`AbstractSpace.skeleton`.

        Args:
            arch_str: String of the cell.
            channels: Channels C of the first stage, at least 1.
            cells: Cells in each stage, at least 1.

        Raises:
            ValueError: The string is no cell, or a number is less than 1.
        """
        return Skeleton(
            operations=parse_cell(arch_str),
            widths=_stage_widths(channels, cells),
            blocks=stack_blocks(_kinds(cells), _block_widths(channels, cells)),
        )

    def stacks(self, *, channels: int = _CHANNELS, cells: int = _CELLS) -> Stacks:
        """Return all networks; see :meth:`AbstractSpace.stacks`."""
        return Stacks(
            kinds=_kinds(cells),
            channels=np.array([_block_widths(channels, cells)]),
            operations=np.array([[OPERATIONS.index(operation) for operation in cell] for cell in self._cells]),
        )

    def widths(self) -> Int64[np.ndarray, "n stages"]:
        """Return 16, 32 and 64 for each network."""
        return np.tile(_stage_widths(_CHANNELS, _CELLS), (len(self), 1))

    @cached_property
    def _cells(self) -> tuple[tuple[str, ...], ...]:
        cells = list(product(OPERATIONS, repeat=len(EDGES)))
        random.Random(_SHUFFLE_SEED).shuffle(cells)
        return tuple(cells)

    @cached_property
    def _indices(self) -> dict[tuple[str, ...], int]:
        return {cell: i for i, cell in enumerate(self._cells)}

    @cached_property
    def _origins(self) -> tuple[int, ...]:
        return _firsts(map(isomorphism_class, self._cells))

    @cached_property
    def _functions(self) -> tuple[int, ...]:
        return _firsts(map(cell_function, self._cells))


def _firsts(classes: Iterable[str]) -> tuple[int, ...]:
    """Return for each cell the index of the first one of its class."""
    first_of_class: dict[str, int] = {}
    return tuple(first_of_class.setdefault(name, i) for i, name in enumerate(classes))


def _stage_widths(channels: int, cells: int) -> tuple[int, int, int]:
    if channels < 1 or cells < 1:
        raise ValueError(f"channels, cells: expected at least 1 each, got {channels} and {cells}")
    return channels, 2 * channels, 4 * channels


def _block_widths(channels: int, cells: int) -> list[int]:
    """Return the output channels of each block; a reduction has those of the stage that it leads to."""
    first, second, third = _stage_widths(channels, cells)
    return [first] * cells + [second] * (1 + cells) + [third] * (1 + cells)


def _kinds(cells: int) -> tuple[BlockKind, ...]:
    stage: tuple[BlockKind, ...] = ("cell",) * cells
    return (*stage, "reduction", *stage, "reduction", *stage)
