"""The topology search space of NATS-Bench: every cell of five operations on six edges, in a network of fixed widths."""

import random
from functools import cached_property
from itertools import product
from typing import ClassVar, Literal, SupportsIndex, final

from harness.spaces.cell import EDGES, OPERATIONS, format_cell, isomorphism_class, parse_cell
from harness.spaces.skeleton import Skeleton, stack_blocks
from harness.spaces.space import AbstractSpace, check_index

_SHUFFLE_SEED = 88  # NATS-Bench shuffled the enumeration once, with Python's generator seeded so


@final
class TopologySpace(AbstractSpace):
    """15,625 cells in 6,466 isomorphism classes; three stages of equal cells at C, 2C and 4C channels.

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

    def arch_str(self, i: SupportsIndex) -> str:
        """Return the string of a cell; see :meth:`AbstractSpace.arch_str`."""
        return format_cell(self._cells[check_index(i, self)])

    def arch_index(self, arch_str: str) -> int:
        """Return the index of a cell's string; see :meth:`AbstractSpace.arch_index`."""
        return self._indices[parse_cell(arch_str)]

    def representative(self, i: SupportsIndex) -> int:
        """Return the smallest index of the cell's isomorphism class; see :meth:`AbstractSpace.representative`."""
        return self._origins[check_index(i, self)]

    def representatives(self) -> tuple[int, ...]:
        """Return the 6,466 representatives in increasing order."""
        return tuple(i for i, origin in enumerate(self._origins) if i == origin)

    def skeleton(self, arch_str: str, *, channels: int = 16, cells: int = 5) -> Skeleton:
        """Return the blocks of a network; see :meth:`AbstractSpace.skeleton`.

        Args:
            arch_str: String of the cell.
            channels: Channels C of the first stage, at least 1.
            cells: Cells in each stage, at least 1.

        Raises:
            ValueError: The string is no cell, or a number is less than 1.
        """
        if channels < 1 or cells < 1:
            raise ValueError(f"channels, cells: expected at least 1 each, got {channels} and {cells}")
        stage: list[Literal["cell", "reduction"]] = ["cell"] * cells
        widths = (channels, 2 * channels, 4 * channels)
        first, second, third = ([width] * cells for width in widths)
        return Skeleton(
            operations=parse_cell(arch_str),
            widths=widths,
            blocks=stack_blocks(
                [*stage, "reduction", *stage, "reduction", *stage],
                [*first, widths[1], *second, widths[2], *third],
            ),
        )

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
        first_of_class: dict[str, int] = {}
        return tuple(first_of_class.setdefault(isomorphism_class(cell), i) for i, cell in enumerate(self._cells))
