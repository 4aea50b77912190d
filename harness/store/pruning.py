"""Removing rows that nobody reads any more: of inputs that are no longer wanted, and those superseded by others.

Files are immutable, so a file that loses some of its rows is written anew under another name, and then deleted. A kill
in between leaves rows in both, which are equal duplicates and legal; pruning again removes them.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.store import views
from harness.store.audit import check_files, check_rows, require_sound
from harness.store.files import StorePath, StoreRoot, readable, store_path
from harness.store.live import live_runs, live_workers
from harness.store.reader import Store
from harness.store.schema import ROW_KEY, VARIANT_KEY, key_names
from harness.store.writer import MEASUREMENT_IDENTITY, content_name, write_measurements

WANTED_BY = ("dataset", "protocol", "condition", "severity", *key_names(VARIANT_KEY))
"""What the study names of a row, and what decides the fingerprint that it must have."""

UNWANTED, SUPERSEDED = "other inputs", "superseded"


@dataclass(frozen=True, slots=True)
class FileToPrune:
    """A file that loses rows.

    Attributes:
        path: The file.
        dropped: Why each row goes that does, by the identity of the row.
    """

    path: StorePath
    dropped: Mapping[str, str]

    def count(self, reason: str) -> int:
        """Return the number of rows that go for a reason."""
        return sum(given == reason for given in self.dropped.values())


def find_prunable(root: StoreRoot, wanted: pa.Table) -> list[FileToPrune]:
    """Return the files that have rows to prune, in the order of their paths.

    A row goes if the study wants another fingerprint of its setting and the store has a row of its key with one that is
    wanted (what was not made again stays, and so do settings that the study does not name), or if another row of its
    key and fingerprint is the one that readers see. Either must have all of its families in the same versions or
    higher.

    Args:
        root: The store.
        wanted: The wanted fingerprints: the columns of :data:`WANTED_BY` and ``fingerprint``.

    Raises:
        StoreError: A run is at work on the store, or it is not sound: what is damaged is not to be written anew.
    """
    for sender in (*live_runs(root), *live_workers(root)):
        raise StoreError(f"run {sender.run_id} is at work on {root.path}; prune when it has ended")
    require_sound(check_files(root), "nothing was pruned")
    store = Store(root)
    require_sound(check_rows(store), "nothing was pruned")
    store.connection.register("wanted_fingerprints", wanted)
    dropped: dict[str, dict[str, str]] = defaultdict(dict)
    for reason, query in ((SUPERSEDED, _superseded()), (UNWANTED, _unwanted())):
        for filename, *identity in store.sql(query).fetchall():
            dropped[filename][json.dumps(identity)] = reason
    return [FileToPrune(store_path(filename), rows) for filename, rows in sorted(dropped.items())]


def prune(root: StoreRoot, files: list[FileToPrune]) -> None:
    """Remove the rows of :func:`find_prunable`: for each file the rest of its rows is committed, then it is deleted.

    Raises:
        StoreError: The store cannot be written.
    """
    written: set[StorePath] = set()
    for file in files:
        rows = pq.ParquetFile(readable(file.path), page_checksum_verification=True).read().to_pylist()
        kept = [row for row in rows if json.dumps([row[name] for name in MEASUREMENT_IDENTITY]) not in file.dropped]
        if kept:
            written.add(file.path.parent / f"{content_name(kept, MEASUREMENT_IDENTITY)}.parquet")
            write_measurements(root, kept, "prune")
        # After a prune that was killed, the rest of one file can be another one that was to go: now it is needed.
        if file.path not in written:
            file.path.unlink()


def _identity() -> str:
    return ", ".join(f"m.{name}" for name in MEASUREMENT_IDENTITY)


_COVERED = (
    "len(list_filter(m.families, lambda tag: len(list_filter(seen.families, lambda other: "
    "split_part(other, '@', 1) = split_part(tag, '@', 1) AND "
    "try_cast(split_part(other, '@', 2) AS INTEGER) >= try_cast(split_part(tag, '@', 2) AS INTEGER))) = 0)) = 0"
)
"""Whether the row ``seen`` has all families of the row ``m`` in the same versions or higher."""


def _unwanted() -> str:
    """The rows of whose setting the study wants another fingerprint, and of which there are such."""
    setting, key = ", ".join(WANTED_BY), ", ".join(key_names(ROW_KEY))
    return f"""
        WITH seen AS (
            SELECT {key}, families
            FROM committed_measurements SEMI JOIN wanted_fingerprints USING ({setting}, fingerprint)
        ),
        unwanted AS (SELECT * FROM committed_measurements ANTI JOIN wanted_fingerprints USING ({setting}, fingerprint))
        SELECT DISTINCT m.filename, {_identity()} FROM unwanted m JOIN seen USING ({key}) WHERE {_COVERED}
    """


def _superseded() -> str:
    """The rows that readers do not see because they see one with all of their families, at least as new."""
    key = ", ".join((*key_names(ROW_KEY), "fingerprint"))
    return (
        f"WITH seen AS (SELECT {key}, families, filename FROM committed_measurements QUALIFY {views.IS_SEEN}) "
        f"SELECT m.filename, {_identity()} FROM committed_measurements m JOIN seen USING ({key}) "
        f"WHERE (m.filename, m.families) <> (seen.filename, seen.families) AND {_COVERED}"
    )
