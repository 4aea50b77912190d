"""What can be said about an architecture without building it: operations, live edges, widths and cost."""

from dataclasses import dataclass

from harness.spaces.cell import KERNEL_SIZES, live_edges
from harness.spaces.skeleton import Skeleton


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


def describe(skeleton: Skeleton, parameters: int, multiply_adds: int) -> Features:
    """Return the features of a network.

    Args:
        skeleton: The network but for its classifier.
        parameters: Trainable parameters, from :class:`harness.spaces.costs.Costs`.
        multiply_adds: Multiply-adds for one image, from the same.
    """
    live = live_edges(skeleton.operations)
    return Features(
        operations=skeleton.operations,
        live_edges=live,
        kernel_parameters=_kernel_parameters(skeleton.operations, live),
        widths=skeleton.widths,
        parameters=parameters,
        multiply_adds=multiply_adds,
    )


def _kernel_parameters(operations: tuple[str, ...], live: tuple[bool, ...]) -> int:
    return sum(
        KERNEL_SIZES.get(operation, 0) ** 2 for operation, is_live in zip(operations, live, strict=True) if is_live
    )
