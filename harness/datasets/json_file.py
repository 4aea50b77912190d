"""Reads a JSON file of other people's: every fault is a DataError that names the file.

What it should hold is left to the caller.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from harness.errors import DataError


def read_json(content: bytes, path: Path) -> object:
    """Return what a JSON file holds.

    Args:
        content: The content of the file.
        path: The file, for messages.

    Raises:
        DataError: It is no text, no JSON, nested too deeply, or says two things under one name.
    """
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a sound JSON file: {error}; fetch the file again") from error


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} occurs twice in one object")
        found[name] = value
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
