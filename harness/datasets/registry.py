"""The table of data sets: a name becomes a function that loads a part of it."""

from collections.abc import Callable

from harness.datasets import digits
from harness.datasets.images import ImageSet

_LOADERS: dict[str, Callable[[str], ImageSet]] = {"digits": digits.load}


def names() -> tuple[str, ...]:
    """Return the names of the known data sets."""
    return tuple(_LOADERS)


def load(name: str, part: str) -> ImageSet:
    """Return one part of a data set.

    Args:
        name: A name of :func:`names`.
        part: ``train`` or ``test``.

    Raises:
        ValueError: The data set or its part is unknown.
    """
    if name not in _LOADERS:
        raise ValueError(f"expected a data set among {', '.join(_LOADERS)}, got {name!r}")
    return _LOADERS[name](part)
