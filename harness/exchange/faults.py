"""Faults of other people's files, gathered so that a user sees all of them at once and not one at every try."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from harness.errors import DataError

_MOST_SHOWN = 20


class Read(NamedTuple):
    """The rows of a file, or what is wrong with it, each fault with file, row and column."""

    table: pa.Table | None
    faults: list[str]


def sound_tables(read: Iterable[Read]) -> list[pa.Table]:
    """Return the rows of some files if none of them has a fault.

    Raises:
        DataError: There is a fault in one.
    """
    files = list(read)
    refuse([fault for file in files for fault in file.faults])
    return [file.table for file in files if file.table is not None]


def refuse(faults: Sequence[str]) -> None:
    """Refuse files with faults; the first twenty are named.

    Args:
        faults: What is wrong, each with file, row and column.

    Raises:
        DataError: There is one.
    """
    if not faults:
        return
    shown = "\n  ".join(faults[:_MOST_SHOWN])
    more = f"\n  and {len(faults) - _MOST_SHOWN:,} more" if len(faults) > _MOST_SHOWN else ""
    number = f"{len(faults):,} fault{'s' * (len(faults) > 1)}"
    raise DataError(f"nothing was imported: {number}\n  {shown}{more}")
