"""The size search space of NATS-Bench: one fixed cell, and every choice of eight widths for five blocks."""

from collections.abc import Iterator
from itertools import product
from typing import ClassVar, Final, SupportsIndex, final

import numpy as np
from jaxtyping import Int64

from harness.spaces.cell import OPERATIONS
from harness.spaces.costs import Stacks
from harness.spaces.skeleton import BlockKind, Skeleton, stack_blocks
from harness.spaces.space import AbstractSpace, check_index

_WIDTHS = tuple(range(8, 65, 8))
_N_BLOCKS = 5
_OPERATIONS = ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_3x3")
_KINDS: tuple[BlockKind, ...] = ("cell", "reduction", "cell", "reduction", "cell")
_CHANNELS: Final = 16
_CELLS: Final = 5


@final
class SizeSpace(AbstractSpace):
    """32,768 networks of five blocks, each its own representative.

    The blocks are cell, reduction, cell, reduction, cell; the widths of the string are the channels of their outputs.

    Example:
        >>> space = SizeSpace()
        >>> space.arch_str(1), space.arch_index("64:64:64:64:64")
        ('8:8:8:8:16', 32767)
        >>> space.features(0).parameters
        11714
    """

    name: ClassVar[str] = "sss"

    def __len__(self) -> int:
        return len(_WIDTHS) ** _N_BLOCKS

    def _enumerated(self) -> Iterator[str]:
        return map(":".join, product(map(str, _WIDTHS), repeat=_N_BLOCKS))

    def arch_index(self, arch_str: str) -> int:
        """Return the index of a string of widths; see :meth:`AbstractSpace.arch_index`."""
        number = 0
        for width in parse_widths(arch_str):
            number = number * len(_WIDTHS) + _WIDTHS.index(width)
        return number

    def representative(self, i: SupportsIndex) -> int:
        """Return ``i`` itself: no two sizes are isomorphic."""
        return check_index(i, self)

    def representatives(self) -> tuple[int, ...]:
        """Return all indices in increasing order."""
        return tuple(range(len(self)))

    def function_class(self, i: SupportsIndex) -> int:
        """Return ``i`` itself: no two sizes have the same weights."""
        return check_index(i, self)

    def skeleton(self, arch_str: str, *, channels: int = _CHANNELS, cells: int = _CELLS) -> Skeleton:
        """Return the blocks of a network; see :meth:`AbstractSpace.skeleton`.

        Args:
            arch_str: Its widths.
            channels: Does not apply: the string holds all widths. Leave it at its default.
            cells: Does not apply: there is one block for each width. Leave it at its default.

        Raises:
            ValueError: The string is no architecture of this space, or ``channels`` or ``cells`` was given.
        """
        _check_defaults(channels, cells)
        widths = parse_widths(arch_str)
        return Skeleton(operations=_OPERATIONS, widths=widths, blocks=stack_blocks(_KINDS, widths))

    def stacks(self, *, channels: int = _CHANNELS, cells: int = _CELLS) -> Stacks:
        """Return all networks; see :meth:`AbstractSpace.stacks`. ``channels`` and ``cells`` do not apply."""
        _check_defaults(channels, cells)
        return Stacks(
            kinds=_KINDS,
            channels=self.widths(),
            operations=np.array([[OPERATIONS.index(operation) for operation in _OPERATIONS]]),
        )

    def widths(self) -> Int64[np.ndarray, "n stages"]:
        """Return the widths of the five blocks of each network."""
        places = np.indices((len(_WIDTHS),) * _N_BLOCKS).reshape(_N_BLOCKS, -1).T  # n blocks
        return np.array(_WIDTHS)[places]


def _check_defaults(channels: int, cells: int) -> None:
    if (channels, cells) != (_CHANNELS, _CELLS):
        raise ValueError(
            f"channels, cells: expected their defaults {_CHANNELS} and {_CELLS}, which do not apply to sss, "
            f"got {channels} and {cells}"
        )


def parse_widths(arch_str: str) -> tuple[int, ...]:
    """Return the five widths of a string.

    Args:
        arch_str: Widths joined by ``:``.

    Raises:
        ValueError: There are not five, or one is not in 8, 16 ... 64; the message names it and its position.

    Example:
        >>> parse_widths("8:16:24:64:8")
        (8, 16, 24, 64, 8)
    """
    tokens = arch_str.split(":")
    if len(tokens) != _N_BLOCKS:
        raise ValueError(f"arch_str: expected {_N_BLOCKS} widths joined by ':', got {len(tokens)} in {arch_str!r}")
    known = {str(width): width for width in _WIDTHS}
    for number, token in enumerate(tokens, start=1):
        if token not in known:
            raise ValueError(
                f"arch_str: expected a width of {', '.join(known)}, got {token!r} as width {number} of {arch_str!r}"
            )
    return tuple(known[token] for token in tokens)
