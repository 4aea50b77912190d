"""Parameters and multiply-adds of all networks of a space at once, from operations and widths alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int64

from harness.spaces.cell import EDGES, KERNEL_SIZES, OPERATIONS
from harness.spaces.skeleton import BlockKind

Integers: TypeAlias = Int64[np.ndarray, "#n"]
"""A number for each network; one number where all share it."""

_KERNEL_SIZES = np.array([KERNEL_SIZES.get(name, 0) for name in OPERATIONS])
_NONE = OPERATIONS.index("none")


class Costs(NamedTuple):
    """What the networks of a space cost, in the order of their indices; read-only.

    Attributes:
        parameters: Trainable parameters, dead edges included as in NATS-Bench.
        multiply_adds: Multiply-adds of all convolutions and of the classifier, its bias included, for one image.
    """

    parameters: Int64[np.ndarray, " n"]
    multiply_adds: Int64[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Stacks:
    """The networks of a space but for their number of classes; they differ in operations, in widths, or in both.

    Attributes:
        kinds: Kinds of the blocks, which all networks share.
        channels: Output channels of each block; the first block's are those of the stem too.
        operations: Number in ``OPERATIONS`` of the operation on each edge of the cell.
    """

    kinds: tuple[BlockKind, ...]
    channels: Int64[np.ndarray, "#n blocks"]
    operations: Int64[np.ndarray, "#n edges"]


class _Convolutions(NamedTuple):
    """A convolution without bias in each network; kernel and output are squares of given sides, kernel 0 is none."""

    kernel: Integers | int
    c_in: Integers
    c_out: Integers
    side: int
    has_norm: bool = True

    @property
    def weights(self) -> Integers:
        return self.c_in * self.c_out * self.kernel**2

    @property
    def parameters(self) -> Integers:
        shifts_and_scales = 2 * self.c_out * np.minimum(self.kernel, 1)  # of the BatchNorm, where there is a kernel
        return self.weights + shifts_and_scales * self.has_norm

    @property
    def multiply_adds(self) -> Integers:
        return self.weights * self.side**2


def count_costs(stacks: Stacks, *, num_classes: int, image_size: int) -> Costs:
    """Return what the networks cost.

    Args:
        stacks: The networks but for their classifier.
        num_classes: Outputs of the classifier, at least 1.
        image_size: Side of the square input in pixels, a multiple of 2 for each reduction.

    Raises:
        ValueError: ``num_classes`` or ``image_size`` is out of range.
    """
    shrinkage = 2 ** stacks.kinds.count("reduction")
    if num_classes < 1:
        raise ValueError(f"num_classes: expected at least 1, got {num_classes}")
    if image_size < 1 or image_size % shrinkage:
        raise ValueError(f"image_size: expected a positive multiple of {shrinkage}, got {image_size}")
    c_last = stacks.channels[:, -1]
    classifier = (c_last + 1) * num_classes
    n = max(len(stacks.channels), len(stacks.operations))
    parameters = np.zeros(n, np.int64) + 2 * c_last + classifier
    multiply_adds = np.zeros(n, np.int64) + classifier
    for convolutions in _all_convolutions(stacks, image_size):
        parameters += convolutions.parameters
        multiply_adds += convolutions.multiply_adds
    parameters.setflags(write=False)
    multiply_adds.setflags(write=False)
    return Costs(parameters, multiply_adds)


def _all_convolutions(stacks: Stacks, side: int) -> Iterator[_Convolutions]:
    widths = stacks.channels.T
    yield _Convolutions(3, np.array([3]), widths[0], side)
    for kind, c_in, c_out in zip(stacks.kinds, [widths[0], *widths[:-1]], widths, strict=True):
        if kind == "reduction":
            side //= 2
            yield from _of_reduction(c_in, c_out, side)
        else:
            yield from _of_cell(stacks.operations, c_in, c_out, side)


def _of_reduction(c_in: Integers, c_out: Integers, side: int) -> Iterator[_Convolutions]:
    yield _Convolutions(3, c_in, c_out, side)
    yield _Convolutions(3, c_out, c_out, side)
    yield _Convolutions(1, c_in, c_out, side, has_norm=False)


def _of_cell(
    operations: Int64[np.ndarray, "#n edges"], c_in: Integers, c_out: Integers, side: int
) -> Iterator[_Convolutions]:
    for operation, edge in zip(operations.T, EDGES, strict=True):
        source = c_in if edge.source == 0 else c_out
        # Skip connections and pools that change the width do so through a 1x1 convolution.
        projection = (source != c_out) & (operation != _NONE)
        yield _Convolutions(np.maximum(_KERNEL_SIZES[operation], projection), source, c_out, side)
