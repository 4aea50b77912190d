"""A trained cell as the least sums that compute the same: what is zero, uniform, equal or unused is gone.

In exact arithmetic and for finite values, by these rules:

* ``none`` is zero, and zero terms vanish. A *uniform* map, the same at all pixels, stays one under a skip connection,
  a pool or a 1x1 convolution; a convolution of zero is the shift of its BatchNorm. Such maps are vectors known here.
* A node that is another node is that node; a node of which only one skip connection is left is part of its target.
* Convolutions of one node that lead to the same target are one convolution, and so are the pools into one target.
* A node that does not reach the output is not computed.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from harness.networks.folding import Kernel, add_kernels, convolve_uniform, fold_operation
from harness.networks.network import Cell
from harness.networks.operations import AveragePool, Projection, ReluConvNorm, Zero
from harness.spaces import EDGES, N_NODES, Edge

INPUT = 0
"""The node that is the cell's input."""


class Argument(NamedTuple):
    """What a convolution is applied to."""

    node: int
    is_rectified: bool


@dataclass
class Sum:
    """The value of a node, as a sum of terms of earlier nodes.

    Attributes:
        shift: A vector that is added at all pixels.
        kernels: The convolution of each argument.
        pools: How often the pool of each node is added.
        skips: How often each node itself is added.
    """

    shift: Float64[Tensor, " c"]
    kernels: dict[Argument, Kernel] = field(default_factory=dict)
    pools: Counter[int] = field(default_factory=Counter)
    skips: Counter[int] = field(default_factory=Counter)

    @property
    def is_uniform(self) -> bool:
        """Whether the value is the same at all pixels of all images."""
        return not (self.kernels or self.pools or self.skips)

    @property
    def same_as(self) -> int | None:
        """The node of which this one is no more than another name."""
        is_alone = not (self.kernels or self.pools or self.shift.any())
        return next(iter(self.skips)) if is_alone and self.skips.total() == 1 else None

    @property
    def raw(self) -> set[int]:
        """Nodes that are used as they are, not only after a ReLU."""
        return {*self.pools, *self.skips, *(argument.node for argument in self.kernels if not argument.is_rectified)}

    @property
    def sources(self) -> set[int]:
        """Nodes that are used."""
        return self.raw | {argument.node for argument in self.kernels}

    def add_kernel(self, argument: Argument, kernel: Kernel) -> None:
        """Add a convolution; with one of the same argument it becomes one."""
        present = self.kernels.get(argument)
        self.kernels[argument] = kernel if present is None else add_kernels(present, kernel)

    def add_sum(self, other: "Sum") -> None:
        """Add all terms of another node."""
        self.shift = self.shift + other.shift
        self.pools += other.pools
        self.skips += other.skips
        for argument, kernel in other.kernels.items():
            self.add_kernel(argument, kernel)


def simplify(cell: Cell) -> dict[int, Sum]:
    """Return the nodes that reach the cell's output, but for the input, in the order of computation.

    The last one is the output. Without ``INPUT`` among the sources of any, the output does not depend on the images.
    """
    return _reaching(_Simplification(cell).nodes)


def depends_on_input(nodes: dict[int, Sum]) -> bool:
    """Return whether the output of :func:`simplify` depends on the cell's input."""
    return any(INPUT in node.sources for node in nodes.values())


def _reaching(nodes: dict[int, Sum]) -> dict[int, Sum]:
    """Return the nodes that the last one needs, and it."""
    reached = {max(nodes)}
    for i in reversed(nodes):
        if i in reached:
            reached |= nodes[i].sources
    return {i: node for i, node in nodes.items() if i in reached}


class _Simplification:
    """Goes through the edges of a cell in their order and gathers the sum of each node.

    Attributes:
        nodes: The sum of each node but the input.
    """

    def __init__(self, cell: Cell) -> None:
        edges = [(edge, layer) for edge, layer in zip(EDGES, cell.layers, strict=True) if not isinstance(layer, Zero)]
        self._n_uses = _count_uses([edge for edge, _ in edges])
        self.nodes: dict[int, Sum] = {}
        for target in range(1, N_NODES):
            value = Sum(torch.zeros(cell.c_out, dtype=torch.float64))
            for edge, layer in edges:
                if edge.target == target:
                    self._add(value, layer, edge.source)
            self.nodes[target] = value

    def _add(self, value: Sum, layer: nn.Module, source: int) -> None:
        if isinstance(layer, ReluConvNorm | Projection):
            self._add_convolution(value, layer, source)
        elif isinstance(layer, AveragePool) and isinstance(layer.preprocess, nn.Identity):
            self._add_pool(value, source)
        elif isinstance(layer, nn.Identity):
            self._add_skip(value, source)
        else:
            raise TypeError(f"layers: expected operations of the two search spaces, got {layer}")

    def _add_convolution(self, value: Sum, layer: ReluConvNorm | Projection, source: int) -> None:
        kernel, is_rectified = fold_operation(layer), isinstance(layer, ReluConvNorm)
        node = self.nodes.get(source)
        if node is not None and node.is_uniform:
            uniform = convolve_uniform(kernel, node.shift.relu() if is_rectified else node.shift)
            if uniform is not None:
                value.shift = value.shift + uniform
                return
        value.add_kernel(Argument(self._resolved(source), is_rectified), kernel)

    def _add_pool(self, value: Sum, source: int) -> None:
        node = self.nodes.get(source)
        if node is not None and node.is_uniform:
            value.shift = value.shift + node.shift
        else:
            value.pools[self._resolved(source)] += 1

    def _add_skip(self, value: Sum, source: int) -> None:
        node = self.nodes.get(source)
        if node is not None and (node.is_uniform or self._n_uses[source] == 1):
            value.add_sum(node)
        else:
            value.skips[self._resolved(source)] += 1

    def _resolved(self, source: int) -> int:
        """Return the node that a node is but another name of, or itself."""
        node = self.nodes.get(source)
        same = None if node is None else node.same_as
        return source if same is None else same


def _count_uses(edges: list[Edge]) -> Counter[int]:
    """Return how many edges on the way to the output leave each node."""
    n_uses = Counter({N_NODES - 1: 1})
    for edge in reversed(edges):  # in topological order: the targets are known first
        if n_uses[edge.target]:
            n_uses[edge.source] += 1
    return n_uses
