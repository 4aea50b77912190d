"""The cell of NAS-Bench-201: a graph of four nodes with one operation on each of its six edges.

Conversions between a cell's string and its operations, its isomorphism class, and which of its edges matter. How cells
are stacked into a network is the business of the spaces.

Reference:
    Dong and Yang, "NAS-Bench-201", ICLR 2020, section 2.1.
"""

from typing import NamedTuple

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operations of an edge, in the order in which NATS-Bench enumerates them."""

KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
"""The side of the kernel of each convolution among them."""

N_NODES = 4
"""Nodes of a cell: node 0 is its input, node 3 its output."""


class Edge(NamedTuple):
    """A directed edge between two nodes of a cell."""

    target: int
    source: int


EDGES = tuple(Edge(target, source) for target in range(1, N_NODES) for source in range(target))
"""The six edges in the order of a string and of a cell's layers: 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2."""


def format_cell(operations: tuple[str, ...]) -> str:
    """Return the string of a cell.

    Args:
        operations: One operation for each of ``EDGES``.

    Returns:
        The nodes 1, 2 and 3 joined by ``+``, each listing its incoming edges as ``|operation~source|``.

    Raises:
        ValueError: They are too many or too few.

    Example:
        >>> format_cell(("none", "skip_connect", "none", "nor_conv_3x3", "none", "avg_pool_3x3"))
        '|none~0|+|skip_connect~0|none~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|'
    """
    if len(operations) != len(EDGES):
        raise ValueError(f"operations: expected one for each of the {len(EDGES)} edges, got {len(operations)}")
    return _CELL.format(*operations)


_CELL = "+".join(
    "|" + "|".join(f"{{}}~{edge.source}" for edge in EDGES if edge.target == target) + "|"
    for target in range(1, N_NODES)
)
"""The string of a cell, with places for its operations."""


def _incoming(operations: tuple[str, ...], target: int) -> list[tuple[str, int]]:
    """Return operation and source of each edge into a node."""
    edges = zip(operations, EDGES, strict=True)
    return [(operation, edge.source) for operation, edge in edges if edge.target == target]


def parse_cell(arch_str: str) -> tuple[str, ...]:
    """Return the operations of a cell, one for each of ``EDGES``; the inverse of :func:`format_cell`.

    Args:
        arch_str: String of a cell.

    Raises:
        ValueError: The string is not a cell; the message names the first wrong token and its position.

    Example:
        >>> parse_cell("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
        ('none', 'none', 'none', 'skip_connect', 'none', 'none')
    """
    nodes = arch_str.split("+")
    if len(nodes) != N_NODES - 1:
        raise ValueError(f"arch_str: expected {N_NODES - 1} nodes joined by '+', got {len(nodes)} in {arch_str!r}")
    operations: list[str] = []
    position = 0
    for target, node in enumerate(nodes, start=1):
        operations += _parse_node(node, target, position)
        position += len(node) + 1
    return tuple(operations)


def _parse_node(node: str, target: int, position: int) -> list[str]:
    tokens = node[1:-1].split("|")
    if node != "|" + "|".join(tokens) + "|" or len(tokens) != target:
        raise ValueError(
            f"arch_str: expected {target} edge(s) into node {target}, each ending in '|' after a leading '|', "
            f"got {node!r} at position {position}"
        )
    operations = []
    position += 1
    for source, token in enumerate(tokens):
        operations.append(_parse_edge(token, Edge(target, source), position))
        position += len(token) + 1
    return operations


def _parse_edge(token: str, edge: Edge, position: int) -> str:
    operation, _, source = token.partition("~")
    where = f"on edge {edge.target}<-{edge.source}, got {token!r} at position {position}"
    if operation not in OPERATIONS:
        raise ValueError(f"arch_str: expected an operation of {', '.join(OPERATIONS)} {where}")
    if source != str(edge.source):
        raise ValueError(f"arch_str: expected '{operation}~{edge.source}' {where}")
    return operation


def isomorphism_class(operations: tuple[str, ...]) -> str:
    """Return the name that all cells of one isomorphism class share.

    A node is its incoming terms, sorted and joined by ``+``; node 0 is ``0`` and the class is the string of node 3. A
    term is ``#`` if its operation is ``none`` or its source is exactly ``#``, the source for ``skip_connect``, and
    ``(source)@operation`` otherwise. A ``#`` stays in its sum, so two zero terms are ``#+#``, which is not ``#``.

    Args:
        operations: One operation for each of ``EDGES``.

    Example:
        >>> isomorphism_class(("none", "skip_connect", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3"))
        '#+(#+0)@nor_conv_3x3+0'

    Reference:
        ``CellStructure.to_unique_str(consider_zero=True)`` of AutoDL-Projects. It is not equality of function: a
        convolution fed by zeros yields the shift of its BatchNorm, a learned constant.
    """
    nodes = ["0"]
    for target in range(1, N_NODES):
        terms = [_term(operation, nodes[source]) for operation, source in _incoming(operations, target)]
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def _term(operation: str, source: str) -> str:
    if operation == "none" or source == "#":
        return "#"
    return source if operation == "skip_connect" else f"({source})@{operation}"


def live_edges(operations: tuple[str, ...]) -> tuple[bool, ...]:
    """Return for each of ``EDGES`` whether it lies on a path without ``none`` from the cell's input to its output.

    Args:
        operations: One operation for each of ``EDGES``.

    Example:
        >>> live_edges(("none", "skip_connect", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3"))
        (False, True, False, True, False, True)
    """
    present = [edge for operation, edge in zip(operations, EDGES, strict=True) if operation != "none"]
    fed, used = {0}, {N_NODES - 1}
    # EDGES is in topological order, so one pass in each direction reaches everything.
    for edge in present:
        if edge.source in fed:
            fed.add(edge.target)
    for edge in reversed(present):
        if edge.target in used:
            used.add(edge.source)
    return tuple(edge in present and edge.source in fed and edge.target in used for edge in EDGES)
