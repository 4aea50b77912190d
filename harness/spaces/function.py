"""The function that a cell computes: which cells are the same network up to the names of their convolutions.

NATS-Bench's isomorphism compares strings. Here cells are compared by what they compute, in exact arithmetic and in
evaluation mode, for every finite input and all weights:

* ``none`` is zero, and so are a skip connection and a pool of zero; zero terms vanish from sums.
* A convolution (ReLU, convolution, BatchNorm) of zero is a *learned constant*: the shift of its BatchNorm, whatever its
  kernel. It is not zero.
* A pool of a sum is the sum of the pools, and a pool of a learned constant, the same at all pixels, is that constant.
* A convolution that is reached on two ways counts twice; two convolutions of the same input are two summands with
  weights of their own. NATS-Bench's strings do not tell these apart.
* What does not reach the output is left out.

Two cells are of one function class if some pairing of their convolutions makes them equal for all weights. What only
other weights can undo tells them apart: ``2*a`` is not ``a``, though a BatchNorm could be scaled to make it so.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby, permutations, product
from typing import NamedTuple

from harness.spaces.cell import EDGES, N_NODES, OPERATIONS

_INPUT = -1
_LETTERS = "abcdef"


class _Term(NamedTuple):
    """What is added up: the cell's input or the output of the convolution on an edge, pooled some times."""

    source: int
    n_pools: int = 0


_Sum = Counter[_Term]
"""How often each term occurs; an empty sum is zero."""


class _Convolution(NamedTuple):
    """The convolution on an edge: what it is called and what it is applied to; of zero it is a learned constant."""

    name: str
    argument: _Sum


_Convolutions = dict[int, _Convolution]


def cell_function(operations: tuple[str, ...]) -> str:
    """Return the formula that all cells of one function class share.

    ``x`` is the cell's input and ``pool`` an average pool. Letters are convolutions, each with its own weights;
    ``shift`` is a convolution of zero.

    Args:
        operations: One operation for each of ``EDGES``.

    Raises:
        ValueError: They are too many or too few, or one is unknown.

    Example:
        >>> cell_function(("nor_conv_3x3", "none", "skip_connect", "none", "skip_connect", "skip_connect"))
        '2*a where a = nor_conv_3x3(x)'
        >>> cell_function(("none", "none", "nor_conv_1x1", "skip_connect", "none", "avg_pool_3x3"))
        'a + x where a = shift'
    """
    _check(operations)
    nodes = [_Sum([_Term(_INPUT)])]
    convolutions: _Convolutions = {}
    for target in range(1, N_NODES):
        value = _Sum()
        for k, (operation, edge) in enumerate(zip(operations, EDGES, strict=True)):
            if edge.target == target:
                value += _apply(operation, k, nodes[edge.source], convolutions)
        nodes.append(value)
    return min(_spell(nodes[-1], convolutions, labels) for labels in _labellings(nodes[-1], convolutions))


def _check(operations: tuple[str, ...]) -> None:
    if len(operations) != len(EDGES):
        raise ValueError(f"operations: expected one for each of the {len(EDGES)} edges, got {len(operations)}")
    for operation in operations:
        if operation not in OPERATIONS:
            raise ValueError(f"operations: expected each among {', '.join(OPERATIONS)}, got {operation!r}")


def _apply(operation: str, k: int, value: _Sum, convolutions: _Convolutions) -> _Sum:
    """Return what the operation on edge ``k`` makes of a node's value; a convolution is noted down."""
    if operation == "none":
        return _Sum()
    if operation == "skip_connect":
        return value
    if operation == "avg_pool_3x3":
        return _Sum({_pooled(term, convolutions): n for term, n in value.items()})
    convolutions[k] = _Convolution(operation if value else "shift", value)
    return _Sum([_Term(k)])


def _pooled(term: _Term, convolutions: _Convolutions) -> _Term:
    # With four nodes nothing but a convolution of zero can be the same at all pixels before a pool.
    is_uniform = term.source != _INPUT and not convolutions[term.source].argument
    return term if is_uniform else term._replace(n_pools=term.n_pools + 1)


def _labellings(value: _Sum, convolutions: _Convolutions) -> Iterator[dict[int, str]]:
    """Yield the ways to name the convolutions that reach the output, in the order of what is known without names."""
    shapes = {k: _shape(k, convolutions) for k in sorted(_reached(value, convolutions))}
    alike = [list(group) for _, group in groupby(sorted(shapes, key=shapes.__getitem__), shapes.__getitem__)]
    for orders in product(*map(permutations, alike)):
        edges = [k for order in orders for k in order]
        yield dict(zip(edges, _LETTERS, strict=False))


def _reached(value: _Sum, convolutions: _Convolutions) -> set[int]:
    sources = {term.source for term in value} - {_INPUT}
    return sources.union(*(_reached(convolutions[k].argument, convolutions) for k in sources))


def _shape(k: int, convolutions: _Convolutions) -> str:
    """Spell a convolution without saying which other ones it reads."""
    sources = {term.source for term in convolutions[k].argument} - {_INPUT}
    return _spell_convolution(convolutions[k], {source: _shape(source, convolutions) for source in sources})


def _spell(value: _Sum, convolutions: _Convolutions, labels: Mapping[int, str]) -> str:
    named = (f"{label} = {_spell_convolution(convolutions[k], labels)}" for k, label in labels.items())
    where = ", ".join(named)
    return f"{_spell_sum(value, labels)} where {where}" if where else _spell_sum(value, labels)


def _spell_convolution(convolution: _Convolution, labels: Mapping[int, str]) -> str:
    argument = f"({_spell_sum(convolution.argument, labels)})" if convolution.argument else ""
    return convolution.name + argument


def _spell_sum(value: _Sum, labels: Mapping[int, str]) -> str:
    return " + ".join(sorted(_spell_term(term, n, labels) for term, n in value.items())) or "0"


def _spell_term(term: _Term, n: int, labels: Mapping[int, str]) -> str:
    factor = f"{n}*" if n > 1 else ""
    return factor + "pool(" * term.n_pools + labels.get(term.source, "x") + ")" * term.n_pools
