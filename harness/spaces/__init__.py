"""The two NATS-Bench search spaces: which architectures there are, in which order, and what follows from a string.

Everything here is arithmetic on strings and integers; the modules themselves are built in ``harness.networks``.
"""

from harness.spaces.cell import EDGES, N_NODES, OPERATIONS, Edge
from harness.spaces.costs import Costs
from harness.spaces.features import Features
from harness.spaces.function import cell_function
from harness.spaces.registry import get, names
from harness.spaces.skeleton import Block, Skeleton
from harness.spaces.space import AbstractSpace

__all__ = [
    "EDGES",
    "N_NODES",
    "OPERATIONS",
    "AbstractSpace",
    "Block",
    "Costs",
    "Edge",
    "Features",
    "Skeleton",
    "cell_function",
    "get",
    "names",
]
