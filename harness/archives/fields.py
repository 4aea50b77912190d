"""Fields of other people's mappings, looked up one by one: there, and of the type that they must have.

Every refusal is a ``ValueError`` that names the field; who knows the file adds its name.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from harness.pickles import mapping, shown

_T = TypeVar("_T")


def required(holder: object, key: str, what: str, kind: type[_T]) -> _T:
    """Return a field of a mapping.

    Raises:
        ValueError: ``holder`` is no plain mapping, lacks the field, or has one of another type.
    """
    fields = mapping(holder, what)
    if key not in fields:
        raise ValueError(f"{what}: expected the field {key!r}, there are {some(fields)}")
    value = fields[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{what}: {key}: expected {kind.__name__}, got {shown(value)}")
    return value


def some(fields: Iterable[object]) -> str:
    """Return the first names of some fields, for a message."""
    names = [shown(name) for name in fields]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def count(raw: dict[str, Any], key: str, what: str) -> int:
    """Return a field that is a positive integer.

    Raises:
        ValueError: It is not.
    """
    value = required(raw, key, what, int)
    if value < 1:
        raise ValueError(f"{what}: {key}: expected a positive number, got {shown(value)}")
    return value


def number(value: object, what: str) -> float:
    """Return a value as a float if it is a number, Python's or numpy's; NaN and infinity are.

    Raises:
        ValueError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{what}: expected a number, got {shown(value)}")
    return float(value)
