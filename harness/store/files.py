"""Files of the store: where they lie, how they are committed, and which are there.

The root is a local folder or a place in an object store. A file is complete from the moment it has its name
(:mod:`harness.atomic`, :mod:`harness.store.object_path`), and its name says what it holds: if the name exists, the
write is done.
"""

import json
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from harness.atomic import TEMPORARY_SUFFIX, write_file
from harness.errors import StoreError
from harness.store.object_path import SCHEME, ObjectPath, explained, reach
from harness.store.schema import SCHEMA_VERSION, TABLES

StorePath = Path | ObjectPath

_MARKER = "store.json"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def is_uri(location: str) -> bool:
    """Return whether a location is a URI and no folder.

    Example:
        >>> is_uri("s3://bucket/store"), is_uri("results/store")
        (True, False)
    """
    return _URI.match(location) is not None


def store_path(location: str | StorePath) -> StorePath:
    """Return the path that a folder or a URI means.

    Raises:
        StoreError: It is a URI of another kind than ``s3://BUCKET/PATH``.
    """
    if not isinstance(location, str):
        return location
    if location.startswith(SCHEME):
        return ObjectPath.from_uri(location)
    if is_uri(location):
        raise StoreError(f"store: expected a folder, or s3://BUCKET/PATH, got {location}")
    return Path(location)


def commit(path: StorePath, content: bytes, run_id: str) -> None:
    """Write ``content`` to ``path`` so that it is there completely or not at all; if it is there, do nothing.

    Raises:
        StoreError: The store cannot be written.
    """
    try:
        if not path.exists():
            replace_file(path, content, tag=run_id)
    except OSError as error:
        if isinstance(path, ObjectPath):
            raise StoreError(explained(f"cannot write {path}", error)) from error
        raise StoreError(f"cannot write {path}: {error}; make room or give another folder with results=...") from error


def replace_file(path: StorePath, content: bytes, *, tag: str = "") -> None:
    """Write ``content`` to ``path``, whatever was there; a reader finds the old file or the new one.

    Args:
        path: The file; folders are made.
        content: All of its bytes.
        tag: Tells whose temporary file it is that a killed writer left; object stores need none.

    Raises:
        OSError: It cannot be written.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
    else:
        write_file(path, content, tag=tag)


def changed_at(folder: StorePath) -> float:
    """Return when a file of a folder was last made, replaced or removed, in seconds since the epoch.

    Of an object store, which keeps no such time of a folder, when the newest object below it was made; 0 where none is.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not isinstance(folder, ObjectPath):
        return folder.stat().st_mtime
    return max((info.mtime.timestamp() for info in folder.infos() if info.mtime is not None), default=0.0)


def readable(path: StorePath) -> Path | pa.BufferReader:
    """Return what pyarrow can read the file from: its path, or the bytes of the object.

    What fails afterwards is the fault of the content and not of the network.

    Raises:
        OSError: The object store does not give it.
    """
    return pa.BufferReader(path.read_bytes()) if isinstance(path, ObjectPath) else path


def seekable(path: StorePath) -> Path | pa.NativeFile:
    """Return what pyarrow can read parts of a large file from: its path, or the object, of which it asks for parts.

    Raises:
        OSError: The object store does not give it.
    """
    return path.open() if isinstance(path, ObjectPath) else path


def files_below(folder: StorePath, pattern: str) -> list[StorePath]:
    """Return the files at any depth of a folder whose names match, sorted by path; objects in one listing."""
    if isinstance(folder, ObjectPath):
        return sorted(folder.rglob(pattern))
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def is_unused(path: StorePath) -> bool:
    """Return whether nothing is at ``path``, or a folder with at most what a killed writer left.

    Raises:
        StoreError: It is in an object store that does not answer, or has no such bucket.
    """
    if isinstance(path, ObjectPath):
        reach(path)
    if not path.exists():
        return True
    return path.is_dir() and all(inner.suffix == TEMPORARY_SUFFIX for inner in path.iterdir())


@dataclass(frozen=True, slots=True)
class StoreRoot:
    """The root of a store of this schema version; it is a value, and workers open their own connections."""

    path: StorePath

    @classmethod
    def existing(cls, root: str | StorePath) -> "StoreRoot":
        """Return the store at ``root``.

        Raises:
            StoreError: There is none, it cannot be reached, or it has another schema version.
        """
        path = store_path(root)
        if not _has_marker(path):
            raise StoreError(f"no store at {path}: expected a folder with {_MARKER}; `harness run` makes one")
        _check_version(path / _MARKER)
        return cls(path)

    @classmethod
    def create(cls, root: str | StorePath) -> "StoreRoot":
        """Return the store at ``root``, made if there is none.

        Raises:
            StoreError: The place cannot be reached or written, is something else, or has another schema version.
        """
        path = store_path(root)
        # Another driver may make it between the first look and the second.
        if not (_has_marker(path) or is_unused(path) or _has_marker(path)):
            raise StoreError(f"{path} is no store (no {_MARKER}) and not an empty folder; give another results=...")
        if isinstance(path, ObjectPath):
            _probe(path)
        commit(path / _MARKER, json.dumps({"schema_version": SCHEMA_VERSION}).encode(), "create")
        _check_version(path / _MARKER)
        if isinstance(path, Path) and not os.access(path, os.W_OK):
            raise StoreError(f"the store {path} is not writable; change its permissions or give another results=...")
        return cls(path)

    def table_files(self, folder: str) -> list[StorePath]:
        """Return the committed Parquet files of a table, sorted by path."""
        return files_below(self.path / folder, "*.parquet")

    def relative(self, path: StorePath) -> str:
        """Return where a file lies inside the store."""
        return str(path).removeprefix(f"{self.path}/")

    def table_bytes(self, folder: str) -> int:
        """Return the size of the committed Parquet files of a table."""
        place = self.path / folder
        if isinstance(place, ObjectPath):
            return sum(info.size for info in place.infos() if info.is_file)
        return sum(Path(path).stat().st_size for path in self.table_files(folder) if isinstance(path, Path))

    def foreign_files(self) -> list[StorePath]:
        """Return what lies in the folders of the tables and is neither a Parquet nor a temporary file, sorted."""
        found = (path for table in TABLES for path in files_below(self.path / table.folder, "*"))
        return sorted(path for path in found if path.suffix not in (".parquet", TEMPORARY_SUFFIX))

    def leftovers(self) -> list[StorePath]:
        """Return temporary files that a killed writer left behind, sorted by path."""
        found = (path for table in TABLES for path in files_below(self.path / table.folder, f"*{TEMPORARY_SUFFIX}"))
        return sorted((*found, *self.path.glob(f"*{TEMPORARY_SUFFIX}")))


def _has_marker(path: StorePath) -> bool:
    """Return whether there is a store, of whatever version.

    Raises:
        StoreError: The place cannot be reached.
    """
    if not isinstance(path, ObjectPath):
        return (path / _MARKER).is_file()
    reach(path)
    try:
        return (path / _MARKER).is_file()
    except OSError as error:
        raise StoreError(explained(f"cannot read the store {path}", error)) from error


def _probe(path: ObjectPath) -> None:
    """Write, read and remove a small object.

    Raises:
        StoreError: One of these is not possible or not allowed.
    """
    probe = path / f"probe-{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
    try:
        probe.write_bytes(b"probe")
        probe.read_bytes()
        probe.unlink()
    except OSError as error:
        raise StoreError(explained(f"the store {path} is not writable", error)) from error


def _check_version(marker: StorePath) -> None:
    try:
        version = json.loads(marker.read_text())["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{marker}: expected JSON with schema_version, got {error!r}") from error
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{marker.parent} is a store of schema version {version}, this harness reads and writes version "
            f"{SCHEMA_VERSION}; give another results=... or use the harness that wrote it"
        )
