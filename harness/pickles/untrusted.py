"""How to look at a value that came out of somebody else's pickle: name it in a message, use it as a mapping."""

from collections import OrderedDict
from typing import Any

_SHOWN = (str, bytes, int, float, type(None))
_MAX_SHOWN = 80


def shown(value: object) -> str:
    """Return a short text for a value, of containers only the type.

    The text of nested tuples that refer to one another grows exponentially, so it must not be made.
    """
    if type(value) in _SHOWN:
        return f"{value!r:.{_MAX_SHOWN}}"
    return f"a {type(value).__name__}"


def is_plain_mapping(value: object) -> bool:
    """Return whether a value is a dictionary whose methods are its own.

    A pickle can give an ``OrderedDict`` instance attributes, ``items`` among them; ``_metadata`` is torch's.
    """
    return type(value) is dict or (type(value) is OrderedDict and set(vars(value)) <= {"_metadata"})


def mapping(value: object, what: str) -> dict[Any, Any]:
    """Return the value if it is a plain mapping.

    Raises:
        ValueError: It is not; the message begins with ``what``.
    """
    if not isinstance(value, dict) or not is_plain_mapping(value):
        raise ValueError(f"{what}: expected a mapping, got {shown(value)}")
    return value
