"""Reads the accuracies under attacks and corruptions of Jung, Lukasik and Keuper (ICLR 2023), in two layouts.

The republished tables ``attack_acc.csv`` and ``corruption_acc.csv`` hold CIFAR-10: row i is architecture i, isomorphic
rows repeat their representative, corruptions have severity 3. The data set itself is a folder with ``meta.json`` and
``<data set>/<attack or corruption>_accuracy.json``, with all strengths, of the representatives alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from harness import spaces
from harness.datasets.json_file import read_json
from harness.errors import DataError
from harness.exchange.faults import Read, sound_tables
from harness.exchange.text_table import FIRST_ROW, TextTable, column_faults, numbers, read_table
from harness.store.published import ATTACKS, CORRUPTIONS, PUBLISHED_CORRUPTION_SEVERITY
from harness.store.schema import ROBUSTNESS_TABLE

_SPACE = "tss"
_CSV_DATASET = "cifar10"
_CSV_STEMS = ("attack_acc", "corruption_acc")
_META = "meta.json"
_JSON_DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
_SUFFIX = "_accuracy.json"
_ATTACK_KEYS = {
    "fgsm@Linf": "fgsm",
    "pgd@Linf": "pgd",
    "aa_apgd-ce@Linf": "apgd_ce",
    "aa_square@Linf": "square",
}
_CLEAN_KEY = "clean"
_SEVERITIES = (1.0, 2.0, 3.0, 4.0, 5.0)
_FRACTION = (0.0, 1.0)


class Shown(NamedTuple):
    """What networks were shown: a condition, and how strong it was."""

    condition: str
    strength: float


_UNSHIFTED = Shown("unshifted", 0.0)
_CSV_COLUMNS: dict[str, dict[str, Shown]] = {
    "attack_acc": {
        "clean_acc": _UNSHIFTED,
        **{attack.column(s): Shown(attack.condition, s) for attack in ATTACKS for s in attack.strengths},
    },
    "corruption_acc": {name: Shown(name, float(PUBLISHED_CORRUPTION_SEVERITY)) for name in CORRUPTIONS},
}


def read_robustness(path: Path, origin: str) -> list[pa.Table]:
    """Return the accuracies in a folder of either layout, or in one CSV file: a table of the store for each file.

    Args:
        path: The folder or file.
        origin: Name under which the rows are imported.

    Raises:
        DataError: There is no such file, or one has faults, each named by file, row and column or key.
    """
    if (path / _META).is_file():
        return _read_folder(path, origin)
    files = [file for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if _stem(file) in _CSV_STEMS]
    if not files:
        raise DataError(
            f"{path}: expected {_META} with the folders of the robustness data set, or {_CSV_STEMS[0]}.csv and "
            f"{_CSV_STEMS[1]}.csv, also compressed with gzip"
        )
    return sound_tables(_read_csv(file, origin) for file in files)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")


class _Source(NamedTuple):
    """Where rows come from: the columns that all rows of a file share."""

    origin: str
    file: str
    digest: str
    dataset: str


def _read_csv(path: Path, origin: str) -> Read:
    text = read_table(path)
    shown = _CSV_COLUMNS[_stem(path)]
    space = spaces.get(_SPACE)
    if faults := column_faults(text, list(shown)):
        return Read(None, faults)
    if len(text) != len(space):
        message = f"expected {len(space):,} rows below the header, one for each architecture, got {len(text):,}"
        return Read(None, [f"{path}: {message}"])
    read = {name: numbers(text, name, _FRACTION, is_required=True) for name in shown}
    faults = [fault for column in read.values() for fault in column.faults]
    values = {name: column.values for name, column in read.items()}
    representatives = np.array([space.representative(i) for i in range(len(space))])
    faults += _unequal_copies(text, values, representatives)
    if faults:
        return Read(None, faults)
    source = _Source(origin, path.name, text.digest, _CSV_DATASET)
    tables = [_table(source, shown[name], column, representatives) for name, column in values.items()]
    return Read(pa.concat_tables(tables), [])


def _unequal_copies(text: TextTable, values: Mapping[str, np.ndarray], representatives: np.ndarray) -> list[str]:
    """Return, of each column, an isomorphic row that does not repeat its representative: rows are out of order."""
    faults = []
    for name, column in values.items():
        for row in np.flatnonzero((column != column[representatives]) & np.isfinite(column))[:1]:
            other = representatives[row]
            faults.append(
                f"{text.place(int(row), name)}: expected {column[other]}, as in row {other + FIRST_ROW} of the "
                f"isomorphic architecture, got {column[row]}; are the rows in the order of the indices?"
            )
    return faults


def _table(source: _Source, shown: Shown, accuracies: np.ndarray, representatives: np.ndarray) -> pa.Table:
    """Return the rows of a column of a CSV file, of which row i is architecture i."""
    indices = np.arange(len(accuracies))
    copied_from = np.where(representatives == indices, np.nan, representatives)
    return _with_schema(source, shown, indices, accuracies, row=indices + FIRST_ROW, copied_from=copied_from)


def _with_schema(
    source: _Source, shown: Shown, indices: Sequence[int] | np.ndarray, accuracies: Sequence[float] | np.ndarray,
    **places: np.ndarray,
) -> pa.Table:  # fmt: skip
    n_rows = len(indices)
    shared = {**source._asdict(), **shown._asdict(), "space": _SPACE}
    columns = {"arch_index": indices, "acc": accuracies, **places}
    schema = ROBUSTNESS_TABLE.schema
    arrays = [
        pa.array(columns[field.name], field.type, from_pandas=True)
        if field.name in columns
        else pa.array([shared.get(field.name)] * n_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


class _Meta(NamedTuple):
    """What ``meta.json`` says: the architecture of each id, the ids that were evaluated, the bounds of each attack."""

    indices: dict[str, int]
    evaluated: frozenset[str]
    strengths: dict[str, tuple[float, ...]]


def _read_folder(path: Path, origin: str) -> list[pa.Table]:
    meta = _read_meta(path / _META)
    files = [file for dataset in _JSON_DATASETS for file in sorted((path / dataset).glob(f"*{_SUFFIX}"))]
    if not files:
        raise DataError(f"{path}: expected files such as {_JSON_DATASETS[0]}/pgd@Linf{_SUFFIX} beside {_META}")
    return sound_tables(_read_accuracies(file, meta, origin) for file in files)


def _read_meta(path: Path) -> _Meta:
    """Return what the file says.

    Raises:
        DataError: It is not what it should be.
    """
    try:
        content = _mapping(read_json(path.read_bytes(), path), str(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    listed = _mapping(content.get("ids"), f"{path}, key ids")
    ids = {name: _mapping(entry, f"{path}, key ids/{name}") for name, entry in listed.items()}
    bounds = _mapping(content.get("epsilons"), f"{path}, key epsilons")
    return _Meta(
        indices={name: _arch_index(entry, f"{path}, key ids/{name}") for name, entry in ids.items()},
        evaluated=frozenset(name for name, entry in ids.items() if entry.get("isomorph") == name),
        strengths={key: _bounds(bounds.get(key), f"{path}, key epsilons/{key}") for key in _ATTACK_KEYS},
    )


def _arch_index(entry: Mapping[str, object], place: str) -> int:
    try:
        return spaces.get(_SPACE).arch_index(str(entry.get("nb201-string")))
    except ValueError as error:
        raise DataError(f"{place}/nb201-string: {error}") from error


def _mapping(found: object, place: str) -> dict[str, object]:
    if not isinstance(found, dict):
        raise DataError(f"{place}: expected an object, got {_kind(found)}")
    return found


def _bounds(found: object, place: str) -> tuple[float, ...]:
    if not isinstance(found, list) or not found or not all(_is_number(value) for value in found):
        raise DataError(f"{place}: expected a list of numbers, got {_kind(found)}")
    return tuple(map(float, found))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(found: object) -> str:
    return "nothing" if found is None else f"{type(found).__name__} {str(found)[:40]!r}"


def _read_accuracies(path: Path, meta: _Meta, origin: str) -> Read:
    dataset, key = path.parent.name, path.name.removesuffix(_SUFFIX)
    shown = _shown(key, meta)
    if not shown:
        known = ", ".join((_CLEAN_KEY, *_ATTACK_KEYS, *CORRUPTIONS))
        return Read(None, [f"{path}: no attack or corruption is called {key!r}; known are {known}"])
    content = path.read_bytes()
    found: object = read_json(content, path)
    for step in (dataset, key, "accuracy"):
        found = _mapping(found, f"{path}, above key {step}").get(step)
    accuracies = _mapping(found, f"{path}, key {dataset}/{key}/accuracy")
    faults = [
        fault for name, value in accuracies.items() for fault in _entry_faults(path, name, value, len(shown), meta)
    ]
    if missing := sorted(meta.evaluated - set(accuracies), key=int):
        faults.append(f"{path}: {len(missing):,} evaluated architectures are missing: ids {', '.join(missing[:5])}")
    if faults:
        return Read(None, faults)
    source = _Source(origin, f"{dataset}/{path.name}", hashlib.sha256(content).hexdigest(), dataset)
    indices = [meta.indices[name] for name in accuracies]
    values = np.array([np.atleast_1d(np.asarray(value, float)) for value in accuracies.values()])
    tables = [_with_schema(source, one, indices, values[:, i]) for i, one in enumerate(shown)]
    return Read(pa.concat_tables(tables), [])


def _shown(key: str, meta: _Meta) -> list[Shown]:
    """Return what the numbers of a file stand for, in their order; nothing where the name is unknown."""
    if key == _CLEAN_KEY:
        return [_UNSHIFTED]
    if key in _ATTACK_KEYS:
        return [Shown(_ATTACK_KEYS[key], strength) for strength in meta.strengths[key]]
    return [Shown(key, severity) for severity in _SEVERITIES] if key in CORRUPTIONS else []


def _entry_faults(path: Path, name: str, value: object, n_numbers: int, meta: _Meta) -> list[str]:
    """Return what is wrong with the accuracies of one architecture; a list, or a number where there is but one."""
    place = f"{path}, id {name}"
    if name not in meta.indices:
        return [f"{place}: {_META} does not know it"]
    held = value if isinstance(value, list) else [value]
    if len(held) != n_numbers:
        return [f"{place}: expected {n_numbers} accuracies, got {len(held)}"]
    return [f"{place}: expected a number in [0, 1], got {_kind(v)}" for v in held if not _is_fraction(v)]


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
