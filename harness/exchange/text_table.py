"""Reads CSV files as text, and numbers out of them, so that every fault can be named by file, row and column.

Rows are counted as an editor shows them: the header is row 1.
"""

import csv
import difflib
import gzip
import hashlib
import math
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float64
from pyarrow import csv as arrow_csv

from harness.errors import DataError

FIRST_ROW = 2
"""Row of the first line below the header."""

_ROUNDING = 1e-6  # tables that were computed in float32 go beyond their bounds by so much
_NO_VALUE = ("", "nan", "NaN")
_MOST_OF_A_COLUMN = 5


class Numbers(NamedTuple):
    """The numbers of a column, NaN where there is no value, and what is wrong with them."""

    values: Float64[np.ndarray, " n"]
    faults: list[str]


@dataclass(frozen=True, slots=True)
class TextTable:
    """A CSV file as text.

    Attributes:
        path: The file.
        digest: SHA-256 of its text, after decompression.
        columns: Its columns, all of type string.
    """

    path: Path
    digest: str
    columns: pa.Table

    def __len__(self) -> int:
        return self.columns.num_rows

    def place(self, row: int, column: str) -> str:
        """Return where a value stands, for messages; ``row`` counts from 0 below the header."""
        return f"{self.path}, row {row + FIRST_ROW}, column {column}"


def read_table(path: Path) -> TextTable:
    """Return a CSV file, or one that gzip compressed.

    Raises:
        DataError: It is missing, no text, empty, or has a column twice or a row of another length than its header.
    """
    content = _content(path)
    header = _header(path, content)
    found: list[arrow_csv.InvalidRow] = []

    def keep(row: arrow_csv.InvalidRow) -> str:
        found.append(row)
        return "skip"

    try:
        columns = arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(use_threads=False),
            parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=keep),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: no sound CSV file: {error}") from error
    if found:
        first = found[0]
        raise DataError(
            f"{path}, row {first.number}: expected {first.expected_columns} columns as in the header, got "
            f"{first.actual_columns}; {len(found):,} such rows"
        )
    return TextTable(path, hashlib.sha256(content).hexdigest(), columns)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _header(path: Path, content: bytes) -> list[str]:
    try:
        line = content.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, row 1: expected names of columns in UTF-8: {error}") from error
    names = next(csv.reader([line]), [])
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}, row 1: the column {name!r} is there {names.count(name)} times")
    if not names:
        raise DataError(f"{path}: expected a CSV file with a header, the file is empty")
    return names


def column_faults(table: TextTable, required: Sequence[str], allowed: Collection[str] = ()) -> list[str]:
    """Return what is wrong with the names of the columns: those that lack, and those that nobody knows.

    Args:
        table: The file.
        required: Columns that must be there.
        allowed: Columns that may be there besides.
    """
    names = table.columns.column_names
    missing = [name for name in required if name not in names]
    extra = [name for name in names if name not in required and name not in allowed]
    faults = []
    for name in missing:
        near = difflib.get_close_matches(name, extra, n=1)
        hint = f"; is it {near[0]!r}, renamed?" if near else ""
        faults.append(f"{table.path}, row 1: the column {name} is missing{hint}")
    return faults + [f"{table.path}, row 1: the column {name!r} is not one of the published layout" for name in extra]


def numbers(
    table: TextTable, column: str, bounds: tuple[float | None, float | None], *, is_required: bool = False
) -> Numbers:
    """Return the numbers of a column, NaN where there is no value, and what is wrong with them.

    Args:
        table: The file.
        column: Name of the column.
        bounds: Smallest and largest possible value, None where there is no bound.
        is_required: Whether every row must have a value.
    """
    text = [value.strip() for value in table.columns[column].to_pylist()]
    absent = np.array([value in _NO_VALUE for value in text], dtype=bool)
    found = np.array([_number(value) for value in text], dtype=np.float64)
    low, high = (
        infinite if bound is None else bound for bound, infinite in zip(bounds, (-math.inf, math.inf), strict=True)
    )
    is_text = ~absent & np.isnan(found)
    is_outside = np.isinf(found) | (found < low - _ROUNDING) | (found > high + _ROUNDING)
    faults = _faults(table, column, is_text, "expected a number")
    faults += _faults(table, column, is_outside, f"expected a value in {_shown(low, high)}")
    if is_required:
        faults += _faults(table, column, absent, "expected a value")
    return Numbers(found, faults)


def _number(text: str) -> float:
    """Return the number that a text is, NaN where it is none; Python's own underscores are none in a file."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def _shown(low: float, high: float) -> str:
    return f"{'[' if math.isfinite(low) else '('}{low:g}, {high:g}{']' if math.isfinite(high) else ')'}"


def _faults(table: TextTable, column: str, is_wrong: np.ndarray, expected: str) -> list[str]:
    rows = np.flatnonzero(is_wrong)
    faults = [
        f"{table.place(int(row), column)}: {expected}, got {table.columns[column][int(row)].as_py()!r}"
        for row in rows[:_MOST_OF_A_COLUMN]
    ]
    if len(rows) > _MOST_OF_A_COLUMN:
        faults.append(f"{table.path}, column {column}: {len(rows) - _MOST_OF_A_COLUMN:,} more rows like these")
    return faults
