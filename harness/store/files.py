"""Files of the store: where they lie, how they are committed, and which are there. The root is a local folder.

A file is complete from the moment it has its name (:mod:`harness.atomic`), and its name says what it holds: if the name
exists, the write is done.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from harness.atomic import TEMPORARY_SUFFIX, write_file
from harness.errors import StoreError
from harness.store.schema import SCHEMA_VERSION, TABLES

_MARKER = "store.json"


def commit(path: Path, content: bytes, run_id: str) -> None:
    """Write ``content`` to ``path`` so that it is there completely or not at all; if it is there, do nothing.

    Raises:
        StoreError: The folder cannot be written.
    """
    if path.exists():
        return
    try:
        write_file(path, content, tag=run_id)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error}; make room or give another folder with results=...") from error


def is_unused(path: Path) -> bool:
    """Return whether nothing is at ``path``, or a folder with at most what a killed writer left."""
    if not path.exists():
        return True
    return path.is_dir() and all(inner.suffix == TEMPORARY_SUFFIX for inner in path.iterdir())


@dataclass(frozen=True, slots=True)
class StoreRoot:
    """The root folder of a store of this schema version."""

    path: Path

    @classmethod
    def existing(cls, root: str | Path) -> "StoreRoot":
        """Return the store at ``root``.

        Raises:
            StoreError: There is none, or it has another schema version.
        """
        marker = Path(root) / _MARKER
        if not marker.is_file():
            raise StoreError(f"no store at {root}: expected a folder with {_MARKER}; `harness run` makes one")
        _check_version(marker)
        return cls(Path(root))

    @classmethod
    def create(cls, root: str | Path) -> "StoreRoot":
        """Return the store at ``root``, made if there is none.

        Raises:
            StoreError: The folder cannot be written, is something else, or has another schema version.
        """
        path = Path(root)
        marker = path / _MARKER
        if not marker.exists():
            if not is_unused(path):
                raise StoreError(f"{path} is no store (no {_MARKER}) and not an empty folder; give another results=...")
            commit(marker, json.dumps({"schema_version": SCHEMA_VERSION}).encode(), "create")
        _check_version(marker)
        if not os.access(path, os.W_OK):
            raise StoreError(f"the store {path} is not writable; change its permissions or give another results=...")
        return cls(path)

    def table_files(self, folder: str) -> list[Path]:
        """Return the committed Parquet files of a table, sorted by path."""
        return sorted(path for path in (self.path / folder).rglob("*.parquet") if path.is_file())

    def leftovers(self) -> list[Path]:
        """Return temporary files that a killed writer left behind, sorted by path."""
        folders = [self.path / table.folder for table in TABLES]
        found = (path for folder in folders for path in folder.rglob(f"*{TEMPORARY_SUFFIX}"))
        return sorted((*found, *self.path.glob(f"*{TEMPORARY_SUFFIX}")))


def _check_version(marker: Path) -> None:
    try:
        version = json.loads(marker.read_text())["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{marker}: expected JSON with schema_version, got {error!r}") from error
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{marker.parent} is a store of schema version {version}, this harness reads and writes version "
            f"{SCHEMA_VERSION}; give another results=... or use the harness that wrote it"
        )
