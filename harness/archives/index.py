"""The index of an archive: a Parquet table of what each record holds, so that nothing opens records to find it out.

A row is a training run; a record that cannot be read is one row with its problem. Every row carries size and time of
its file, so that a changed archive is noticed. The index lies beside the records, or in a folder of the user's where
the archive is read-only.
"""

import contextlib
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.archives.archive import Archive
from harness.archives.naming import INDEX_FILE
from harness.archives.record import Record
from harness.atomic import write_data, write_file
from harness.errors import DataError

_VERSION = "1"
_ANY_MAY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_BY_NAME = pa.map_(pa.string(), pa.float64())


class Column(NamedTuple):
    """A column of the index."""

    name: str
    type: pa.DataType
    meaning: str


COLUMNS = (
    Column("arch_index", pa.int32(), "index of the architecture in its space"),
    Column("file_bytes", pa.int64(), "size of the record's file"),
    Column("file_mtime_ns", pa.int64(), "when the file was last changed, in ns since 1970"),
    Column("sha256", pa.string(), "SHA-256 of the file"),
    Column("problem", pa.string(), "why the record cannot be read; null where it can, and all below is null where not"),
    Column("dataset", pa.string(), "data set of the training run"),
    Column("hp", pa.string(), "training budget key"),
    Column("seed", pa.int64(), "training seed"),
    Column(
        "seed_position", pa.int32(), "place of the seed among those that the record lists, from 0; null if unlisted"
    ),
    Column("epochs", pa.int32(), "training epochs"),
    Column("num_classes", pa.int32(), "outputs of the classifier"),
    Column("channels", pa.int32(), "channels of the first stage; null in the size space"),
    Column("cells", pa.int32(), "cells per stage; null in the size space"),
    Column("parameters", pa.int64(), "recorded number of parameters"),
    Column("multiply_adds", pa.int64(), "recorded multiply-adds of one forward pass"),
    Column("recorded_accuracy", pa.float64(), "accuracy in [0, 1] on the whole test set, the reference of the gate"),
    Column("recorded_loss", pa.float64(), "cross-entropy on the whole test set"),
    Column("accuracies", _BY_NAME, "accuracy in [0, 1] on each evaluation set after the last epoch"),
    Column("losses", _BY_NAME, "cross-entropy on each evaluation set after the last epoch"),
    Column("train_accuracy", pa.float64(), "accuracy in [0, 1] on the training set during the last epoch"),
    Column("train_loss", pa.float64(), "cross-entropy on the training set during the last epoch"),
    Column("has_weights", pa.bool_(), "whether the record holds the trained weights"),
)
"""Every column of the index."""

SCHEMA = pa.schema([(column.name, column.type) for column in COLUMNS])


class Stamp(NamedTuple):
    """What a file looks like from outside."""

    n_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the records of an archive have in common.

    Attributes:
        first_seeds: The seed that most records list first, by (dataset, hp): all that any record has.
        channels: Channels of the first stage; None in the size space.
        cells: Cells per stage; None in the size space.
        with_weights: The (dataset, hp) of which some record holds weights.
        seeds: All seeds that some record has, ascending, by (dataset, hp); empty where one record stands for all.
    """

    first_seeds: Mapping[tuple[str, str], int]
    channels: int | None
    cells: int | None
    with_weights: frozenset[tuple[str, str]]
    seeds: Mapping[tuple[str, str], tuple[int, ...]]


class Found(NamedTuple):
    """The index of an archive as it is now.

    Attributes:
        table: Rows of the files that have not changed since.
        n_changed: Records that are new or changed, and files that are gone.
        problem: Why the index cannot be used; None if it can, or if there is none.
        exists: Whether there is one.
    """

    table: pa.Table
    n_changed: int
    problem: str | None = None
    exists: bool = True

    @property
    def is_current(self) -> bool:
        """Whether it tells of every record that there is."""
        return self.exists and self.problem is None and not self.n_changed

    @property
    def is_outdated(self) -> bool:
        """Whether there is one that does not tell of the records as they are."""
        return self.exists and not self.is_current


def record_rows(record: Record, stamp: Stamp, sha256: str) -> list[dict[str, Any]]:
    """Return the rows of a record."""
    rows = []
    for trial in record.info.values():
        listed = record.seeds.get((trial.dataset, trial.hp), ())
        told = {name: value for name, value in asdict(trial).items() if name in SCHEMA.names}
        rows.append(
            {
                **told,
                "arch_index": record.arch_index,
                **_stamp_columns(stamp, sha256),
                "seed_position": listed.index(trial.seed) if trial.seed in listed else None,
                "accuracies": list(trial.accuracies.items()),
                "losses": list(trial.losses.items()),
                "recorded_accuracy": trial.recorded.accuracy,
                "recorded_loss": trial.recorded.loss,
            }
        )
    return rows


def problem_rows(arch_index: int, stamp: Stamp, sha256: str | None, problem: str) -> list[dict[str, Any]]:
    """Return the row of a record that cannot be read."""
    return [{"arch_index": arch_index, **_stamp_columns(stamp, sha256), "problem": problem}]


def _stamp_columns(stamp: Stamp, sha256: str | None) -> dict[str, Any]:
    return {"file_bytes": stamp.n_bytes, "file_mtime_ns": stamp.mtime_ns, "sha256": sha256}


def file_stamp(path: Path) -> Stamp:
    """Return size and time of a file.

    Raises:
        OSError: There is none.
    """
    found = path.stat()
    return Stamp(found.st_size, found.st_mtime_ns)


def stamps(archive: Archive) -> dict[int, Stamp]:
    """Return size and time of the files of an archive's records; zeros for a link that leads nowhere."""
    return {i: _stamp_if_there(archive.record_path(i)) for i in archive.held}


def _stamp_if_there(path: Path) -> Stamp:
    try:
        return file_stamp(path)
    except OSError:
        return Stamp(0, 0)


def present(archive: Archive, cache: Path, name: str) -> Path | None:
    """Return the file about an archive that counts: one in the cache could not be written beside, so it is newer."""
    beside, cached = _places(archive, cache, name)
    return next((path for path in (cached, beside) if path.exists()), None)


def _places(archive: Archive, cache: Path, name: str) -> tuple[Path, Path]:
    """Return where a file about an archive may lie: beside its records, or in the cache where these are read-only."""
    folder = archive.path.resolve()
    tag = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return archive.path / name, cache / f"{folder.name}-{tag}-{name}"


def find_index(archive: Archive, cache: Path) -> Found:
    """Return what the index of an archive tells of the records as they are now."""
    now = stamps(archive)
    empty = SCHEMA.empty_table()
    path = present(archive, cache, INDEX_FILE)
    if path is None:
        return Found(empty, len(now), exists=False)
    try:
        table = _read(path, archive)
    except DataError as error:
        return Found(empty, len(now), str(error))
    then = _stamps_of(table)
    same = [i for i, stamp in now.items() if then.get(i) == stamp]
    kept = table.filter(pc.field("arch_index").isin(same))
    return Found(kept, len(now) + len(then.keys() - now.keys()) - len(same))


def write_index(archive: Archive, table: pa.Table, cache: Path) -> Path:
    """Write the index of an archive beside its records, or else into the cache, and return its path.

    Raises:
        DataError: It cannot be written in either place.
    """
    ordered = table.cast(SCHEMA).sort_by("arch_index")
    sink = io.BytesIO()
    pq.write_table(ordered.replace_schema_metadata({"archive": _identity(archive)}), sink, write_page_checksum=True)
    return write_beside(archive, INDEX_FILE, sink.getvalue(), cache)


def write_beside(archive: Archive, name: str, content: bytes, cache: Path) -> Path:
    """Write a file about an archive beside its records, or else into the cache, and return its path.

    Raises:
        DataError: It cannot be written in either place.
    """
    beside, cached = _places(archive, cache, name)
    if not _is_read_only(archive.path):
        with contextlib.suppress(OSError):
            write_file(beside, content)
            cached.unlink(missing_ok=True)
            return beside
    write_data(cached, content)
    return cached


def _is_read_only(folder: Path) -> bool:
    """Return whether a folder is not to be written into; root could write into those that nobody may, and must not."""
    return not folder.stat().st_mode & _ANY_MAY_WRITE or not os.access(folder, os.W_OK)


def summary(table: pa.Table) -> Summary:
    """Return what the records of an index have in common.

    Raises:
        ValueError: It tells of no record that can be read.
    """
    runs = table.filter(pc.field("dataset").is_valid())
    if not runs.num_rows:
        raise ValueError("the index tells of no record that can be read")
    first = runs.filter(pc.field("seed_position") == 0)
    counted = first.group_by(["dataset", "hp", "seed"]).aggregate([("arch_index", "count")]).to_pylist()
    ranked = sorted(counted, key=lambda row: (row["arch_index_count"], -row["seed"]))
    first_seeds = {(row["dataset"], row["hp"]): row["seed"] for row in ranked}
    sample = runs.slice(0, 1).to_pylist()[0]
    return Summary(first_seeds, sample["channels"], sample["cells"], pairs_with_weights(runs), _seeds(runs))


def pairs_with_weights(table: pa.Table) -> frozenset[tuple[str, str]]:
    """Return the (dataset, hp) of which some record of an index holds weights."""
    found = table.filter(pc.field("has_weights")).group_by(["dataset", "hp"]).aggregate([])
    return frozenset(zip(found["dataset"].to_pylist(), found["hp"].to_pylist(), strict=True))


def _seeds(runs: pa.Table) -> dict[tuple[str, str], tuple[int, ...]]:
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for row in runs.group_by(["dataset", "hp", "seed"]).aggregate([]).sort_by("seed").to_pylist():
        key = (row["dataset"], row["hp"])
        found[key] = (*found.get(key, ()), row["seed"])
    return found


def record_summary(record: Record) -> Summary:
    """Return the same of one record, which stands for all where there is no index.

    A record with any weights is taken to have all: which are stripped of others it does not tell.
    """
    trial = next(iter(record.info.values()))
    first_seeds = {key: listed[0] for key, listed in record.seeds.items()}
    with_weights = frozenset(first_seeds) if record.has_weights else frozenset[tuple[str, str]]()
    return Summary(first_seeds, trial.channels, trial.cells, with_weights, {})


def problems(table: pa.Table) -> dict[int, str]:
    """Return why records cannot be read, by architecture."""
    bad = table.filter(pc.field("problem").is_valid())
    return dict(zip(bad["arch_index"].to_pylist(), bad["problem"].to_pylist(), strict=True))


def hashes(table: pa.Table) -> dict[int, str | None]:
    """Return the SHA-256 of the files, by architecture."""
    return dict(zip(table["arch_index"].to_pylist(), table["sha256"].to_pylist(), strict=True))


def updated(table: pa.Table, new: Iterable[pa.Table]) -> pa.Table:
    """Return the rows of an index with the new ones in the place of those of the same records."""
    joined = pa.concat_tables([SCHEMA.empty_table(), *new])
    others = table.filter(~pc.field("arch_index").isin(sorted(hashes(joined))))
    return pa.concat_tables([others, joined]).combine_chunks()  # of one chunk for each record, a filter takes seconds


def _stamps_of(table: pa.Table) -> dict[int, Stamp]:
    columns = (table[name].to_pylist() for name in ("arch_index", "file_bytes", "file_mtime_ns"))
    return {i: Stamp(n_bytes, mtime_ns) for i, n_bytes, mtime_ns in zip(*columns, strict=True)}


def _read(path: Path, archive: Archive) -> pa.Table:
    try:
        # From memory: an index that is replaced while it is read stays whole.
        table = pq.read_table(pa.BufferReader(path.read_bytes()), page_checksum_verification=True)
        told = (table.schema.metadata or {}).get(b"archive", b"").decode()
        if table.schema.remove_metadata() != SCHEMA or told != _identity(archive):
            raise ValueError("it is of another archive or another version")
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be used: {error}") from error
    return table.replace_schema_metadata(None)


def _identity(archive: Archive) -> str:
    return json.dumps([_VERSION, archive.space, archive.source, archive.is_converted])
