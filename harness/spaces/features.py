"""What can be said about an architecture without building it: operations, live edges, widths and cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from harness.spaces.cell import EDGES, live_edges
from harness.spaces.skeleton import Block, Skeleton

_KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


@dataclass(frozen=True, slots=True)
class Features:
    """Description of one architecture.

    Attributes:
        operations: Operation of each edge of the cell, in the order of ``EDGES``.
        live_edges: For each edge, whether it lies on a path without ``none`` from the cell's input to its output.
        kernel_parameters: 9 for each live 3x3 convolution and 1 for each live 1x1 convolution of the cell.
        widths: Channels of the three stages (tss) or of the five blocks (sss).
        parameters: Trainable parameters of the network, dead edges included as in NATS-Bench.
        multiply_adds: Multiply-adds of all convolutions and of the classifier, its bias included, for one image.
    """

    operations: tuple[str, ...]
    live_edges: tuple[bool, ...]
    kernel_parameters: int
    widths: tuple[int, ...]
    parameters: int
    multiply_adds: int


class _Convolution(NamedTuple):
    """A convolution without bias: kernel and output are squares of the given sides."""

    kernel: int
    c_in: int
    c_out: int
    side: int
    has_norm: bool = True

    @property
    def weights(self) -> int:
        return self.kernel**2 * self.c_in * self.c_out

    @property
    def parameters(self) -> int:
        return self.weights + 2 * self.c_out * self.has_norm  # a BatchNorm has a scale and a shift

    @property
    def multiply_adds(self) -> int:
        return self.weights * self.side**2


def describe(skeleton: Skeleton, *, num_classes: int, image_size: int) -> Features:
    """Return the features of a network.

    Args:
        skeleton: The network but for its classifier.
        num_classes: Outputs of the classifier, at least 1.
        image_size: Side of the square input in pixels, a multiple of 2 for each reduction.

    Raises:
        ValueError: ``num_classes`` or ``image_size`` is out of range.
    """
    shrinkage = 2 ** sum(block.kind == "reduction" for block in skeleton.blocks)
    if num_classes < 1:
        raise ValueError(f"num_classes: expected at least 1, got {num_classes}")
    if image_size < 1 or image_size % shrinkage:
        raise ValueError(f"image_size: expected a positive multiple of {shrinkage}, got {image_size}")
    convolutions = list(_convolutions(skeleton, image_size))
    c_last = skeleton.blocks[-1].c_out
    classifier = (c_last + 1) * num_classes
    live = live_edges(skeleton.operations)
    return Features(
        operations=skeleton.operations,
        live_edges=live,
        kernel_parameters=_kernel_parameters(skeleton.operations, live),
        widths=skeleton.widths,
        parameters=sum(convolution.parameters for convolution in convolutions) + 2 * c_last + classifier,
        multiply_adds=sum(convolution.multiply_adds for convolution in convolutions) + classifier,
    )


def _kernel_parameters(operations: tuple[str, ...], live: tuple[bool, ...]) -> int:
    return sum(
        _KERNEL_SIZES.get(operation, 0) ** 2 for operation, is_live in zip(operations, live, strict=True) if is_live
    )


def _convolutions(skeleton: Skeleton, side: int) -> Iterator[_Convolution]:
    yield _Convolution(3, 3, skeleton.blocks[0].c_in, side)
    for block in skeleton.blocks:
        if block.kind == "reduction":
            side //= 2
            yield from _reduction_convolutions(block, side)
        else:
            yield from _cell_convolutions(skeleton.operations, block, side)


def _reduction_convolutions(block: Block, side: int) -> Iterator[_Convolution]:
    yield _Convolution(3, block.c_in, block.c_out, side)
    yield _Convolution(3, block.c_out, block.c_out, side)
    yield _Convolution(1, block.c_in, block.c_out, side, has_norm=False)


def _cell_convolutions(operations: tuple[str, ...], block: Block, side: int) -> Iterator[_Convolution]:
    for operation, edge in zip(operations, EDGES, strict=True):
        c_in = block.c_in if edge.source == 0 else block.c_out
        changes_width = c_in != block.c_out and operation != "none"
        # Skip connections and pools that change the width do so through a 1x1 convolution.
        kernel = _KERNEL_SIZES.get(operation, int(changes_width))
        if kernel:
            yield _Convolution(kernel, c_in, block.c_out, side)
