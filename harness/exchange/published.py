"""Reads the published tables of the study: six CSV files, ``{cifar10,cifar100,ImageNet}_{tss,sss}.csv``.

A file holds every architecture of its space. In the files of topologies an isomorphic row repeats the numbers and the
string of its representative; such rows are marked with what they were copied from.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from harness import spaces
from harness.datasets import DATASETS
from harness.errors import DataError
from harness.exchange.faults import Read, sound_tables
from harness.exchange.text_table import FIRST_ROW, Numbers, TextTable, column_faults, numbers, read_table
from harness.store.published import PUBLISHED_COLUMNS, Group, PublishedColumn, published_names
from harness.store.schema import PUBLISHED_TABLE

PUBLISHED_DATASETS = {"ImageNet16-120": "ImageNet"}
"""Data sets that the names of the files call otherwise."""

_DATASETS = {PUBLISHED_DATASETS.get(name, name): name for name in DATASETS}
_NAME = re.compile(rf"({'|'.join(_DATASETS)})_({'|'.join(spaces.names())})\.csv(\.gz)?")
_COMPLETE = "cifar10"  # the data set that was attacked, corrupted and told from other images; others may lack these
_MOST_INDICES = 5


class PublishedFile(NamedTuple):
    """A file of the published layout: where it lies, and of which networks it tells."""

    path: Path
    space: str
    dataset: str


def file_name(space: str, dataset: str) -> str:
    """Return the published name of a file.

    Example:
        >>> file_name("tss", "ImageNet16-120")
        'ImageNet_tss.csv'
    """
    return f"{PUBLISHED_DATASETS.get(dataset, dataset)}_{space}.csv"


def find_files(path: Path) -> list[PublishedFile]:
    """Return the published files in a folder, or the one that is named.

    Raises:
        DataError: There is none, or two files hold the same table.
    """
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [
        PublishedFile(candidate, match[2], _DATASETS[match[1]])
        for candidate in candidates
        if (match := _NAME.fullmatch(candidate.name)) and candidate.is_file()
    ]
    if not files:
        raise DataError(f"{path}: expected cifar10_tss.csv, ImageNet_sss.csv or the like, or a folder of such files")
    for file in files:
        if [other[1:] for other in files].count(file[1:]) > 1:
            raise DataError(f"{file.path}: the folder holds this table twice, compressed and not; remove one of them")
    return files


def read_published(files: Iterable[PublishedFile], origin: str, *, is_partial: bool = False) -> list[pa.Table]:
    """Return the rows of published files, a table of the store's columns for each.

    Args:
        files: The files.
        origin: Name under which the rows are imported.
        is_partial: Whether files may lack architectures.

    Raises:
        DataError: A file has faults; the message names those of all files by file, row and column.
    """
    return sound_tables(_read(file, origin, is_partial=is_partial) for file in files)


def _read(file: PublishedFile, origin: str, *, is_partial: bool) -> Read:
    text = read_table(file.path)
    if faults := _layout_faults(text, file):
        return Read(None, faults)
    indices, faults = _indices(text, file.space, is_partial=is_partial)
    values = _values(text, file.space)
    faults += [fault for column in values.values() for fault in column.faults]
    if indices is None:
        return Read(None, faults)
    copied_from, more = _copies(text, file.space, indices)
    columns = {
        "origin": [origin] * len(text),
        "file": [file.path.name] * len(text),
        "digest": [text.digest] * len(text),
        "row": np.arange(len(text)) + FIRST_ROW,
        "space": [file.space] * len(text),
        "dataset": [file.dataset] * len(text),
        "arch_index": indices,
        "copied_from": copied_from,
        "arch": text.columns["arch"],
        **{name: column.values for name, column in values.items()},
    }
    faults += more
    return Read(None if faults else _with_schema(columns), faults)


def _with_schema(columns: Mapping[str, Any]) -> pa.Table:
    """Return the columns in the order and the types of the store; columns that the file lacks are null."""
    schema = PUBLISHED_TABLE.schema
    n_rows = len(columns["arch_index"])
    arrays = [
        pa.nulls(n_rows, field.type) if field.name not in columns else _as_array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _as_array(values: object, of_type: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray):
        return values
    return pa.array(values, of_type, from_pandas=True)


def _layout_faults(text: TextTable, file: PublishedFile) -> list[str]:
    """Return what is wrong with the columns; what was not published of a data set may lack, but as a whole group."""
    known = [column for column in PUBLISHED_COLUMNS if file.space in column.holds]
    may_lack = [c for c in known if c.group is not Group.STUDY and file.dataset != _COMPLETE]
    present = {c.group for c in may_lack if c.name in text.columns.column_names}
    lacking = {c.name for c in may_lack if c.group not in present}
    names = published_names(file.space)
    return column_faults(text, [name for name in names if name not in lacking], names)


class _Indices(NamedTuple):
    """The index of each row, None where one is wrong, and what is wrong with them."""

    values: np.ndarray | None
    faults: list[str]


def _indices(text: TextTable, space_name: str, *, is_partial: bool) -> _Indices:
    space = spaces.get(space_name)
    found, faults = numbers(text, "config", (0.0, len(space) - 1.0), is_required=True)
    broken = np.flatnonzero(np.isfinite(found) & (found != np.round(found)))
    faults += [f"{text.place(int(row), 'config')}: expected a whole number, got {found[row]}" for row in broken]
    if faults:
        return _Indices(None, faults)
    indices = found.astype(np.int64)
    values, first = np.unique(indices, return_index=True)
    for row in np.setdiff1d(np.arange(len(indices)), first)[:_MOST_INDICES]:
        earlier = int(first[np.searchsorted(values, indices[row])]) + FIRST_ROW
        faults.append(f"{text.place(int(row), 'config')}: the index {indices[row]} is in row {earlier} already")
    missing = np.setdiff1d(np.arange(len(space)), values)
    if len(missing) and not is_partial:
        shown = ", ".join(map(str, missing[:_MOST_INDICES])) + (", ..." if len(missing) > _MOST_INDICES else "")
        faults.append(
            f"{text.path}, column config: {len(missing):,} of the {len(space):,} indices of {space_name} are missing: "
            f"{shown}; --partial takes a file that holds some"
        )
    return _Indices(None if faults else indices, faults)


class _Copies(NamedTuple):
    """Of each row the architecture whose string it has in place of its own, and what is wrong with the strings."""

    copied_from: list[int | None]
    faults: list[str]


def _copies(text: TextTable, space_name: str, indices: np.ndarray) -> _Copies:
    space = spaces.get(space_name)
    copied_from: list[int | None] = []
    faults = []
    for row, (index, arch) in enumerate(zip(indices.tolist(), text.columns["arch"].to_pylist(), strict=True)):
        representative = space.representative(index)
        if arch not in (space.strings[index], space.strings[representative]):
            expected = f"expected {space.strings[index]}, the architecture {index}, or what it is isomorphic to"
            faults.append(f"{text.place(row, 'arch')}: {expected}, got {arch!r}")
        is_own = arch == space.strings[index]
        copied_from.append(None if is_own else representative)
    return _Copies(copied_from, faults)


def _values(text: TextTable, space_name: str) -> dict[str, Numbers]:
    return {
        column.name: numbers(text, column.name, column.range, is_required=column.name == "acc")
        for column in _present(text, space_name)
    }


def _present(text: TextTable, space_name: str) -> list[PublishedColumn]:
    names = set(text.columns.column_names)
    return [column for column in PUBLISHED_COLUMNS if space_name in column.holds and column.name in names]


def n_copies(rows: pa.Table) -> int:
    """Return how many rows repeat the numbers of an isomorphic architecture."""
    return len(rows) - rows["copied_from"].null_count
