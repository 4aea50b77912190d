"""The search spaces by name."""

from functools import cache

from harness.spaces.space import AbstractSpace
from harness.spaces.sss import SizeSpace
from harness.spaces.tss import TopologySpace

_SPACES: dict[str, type[AbstractSpace]] = {space.name: space for space in (TopologySpace, SizeSpace)}


def names() -> tuple[str, ...]:
    """Return the names of the search spaces.

    Example:
        >>> names()
        ('tss', 'sss')
    """
    return tuple(_SPACES)


@cache
def get(name: str) -> AbstractSpace:
    """Return a search space, the same object at every call.

    Args:
        name: One of :func:`names`.

    Raises:
        ValueError: There is no such space.

    Example:
        >>> get("sss").arch_str(0)
        '8:8:8:8:8'
    """
    if name not in _SPACES:
        raise ValueError(f"search space: expected one of {', '.join(names())}, got {name!r}")
    return _SPACES[name]()
