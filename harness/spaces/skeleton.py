"""What a network of either space is made of, as data: one cell, and the widths of the blocks that are stacked.

A builder (``harness.networks``) reads it; what all networks of a space cost, ``costs`` counts from the same widths.
Not said here because all networks share it: a 3x3 stem without ReLU, and the head of BatchNorm, ReLU, global average
pooling and a linear classifier.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["cell", "reduction"]


@dataclass(frozen=True, slots=True)
class Block:
    """One element of the stack.

    Attributes:
        kind: ``cell``, which keeps the resolution, or ``reduction``, the residual block that halves it.
        c_in: Channels of its input.
        c_out: Channels of its output.
    """

    kind: BlockKind
    c_in: int
    c_out: int


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A network but for its number of classes.

    Attributes:
        operations: Operation of each edge of every cell, in the order of ``EDGES``.
        widths: Channels by which the space describes the network: three stages in tss, five blocks in sss.
        blocks: The stack, from stem to head; never empty.
    """

    operations: tuple[str, ...]
    widths: tuple[int, ...]
    blocks: tuple[Block, ...]


def stack_blocks(kinds: Sequence[BlockKind], channels: Sequence[int]) -> tuple[Block, ...]:
    """Return blocks of the given kinds and output channels, each fed by the one before it.

    Args:
        kinds: Kind of each block.
        channels: Output channels of each block; the first block's are those of the stem too.

    Example:
        >>> stack_blocks(["cell", "reduction"], [16, 32])
        (Block(kind='cell', c_in=16, c_out=16), Block(kind='reduction', c_in=16, c_out=32))
    """
    inputs = [channels[0], *channels[:-1]]
    return tuple(Block(kind, c_in, c_out) for kind, c_in, c_out in zip(kinds, inputs, channels, strict=True))
