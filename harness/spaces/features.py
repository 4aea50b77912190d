"""What can be said about an architecture without building it: operations, live edges, widths and cost."""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from harness.spaces.cell import EDGES, KERNEL_SIZES, OPERATIONS, live_edges
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


class CellFeatures(NamedTuple):
    """The features of many cells, of which each is that of `Features`.

    Attributes:
        operations: Number in ``OPERATIONS`` of the operation on each edge.
        live_edges: Whether each edge is live.
        kernel_parameters: A number for each cell.
    """

    operations: Int64[np.ndarray, "n edges"]
    live_edges: Bool[np.ndarray, "n edges"]
    kernel_parameters: Int64[np.ndarray, " n"]


def describe_cells(operations: Int64[np.ndarray, "n edges"]) -> CellFeatures:
    """Return the features of cells at once: which edges are live follows from which of them are ``none``.

    Args:
        operations: Number in ``OPERATIONS`` of the operation on each edge.
    """
    present = operations != OPERATIONS.index("none")
    live = _LIVE_EDGES[present @ 2 ** np.arange(len(EDGES))[::-1]]
    areas = np.array([KERNEL_SIZES.get(name, 0) ** 2 for name in OPERATIONS])
    return CellFeatures(operations, live, (areas[operations] * live).sum(axis=1))


_LIVE_EDGES = np.array([live_edges(cell) for cell in product(("none", "skip_connect"), repeat=len(EDGES))])
"""For each set of present edges, in the order of counting with a binary digit for each edge, which are live."""


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
