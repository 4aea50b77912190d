"""The index of an archive while its records are being read: written now and then, so that a kill costs little."""

import time
from pathlib import Path

import pyarrow as pa

from harness.archives.archive import Archive
from harness.archives.index import Found, updated, write_index

SAVE_EVERY_S = 60.0
"""Seconds from one writing to the next: all that a kill loses. The index of a whole archive takes about 1 to write."""


class GrowingIndex:
    """The index of an archive and what was found since; on disk it is whole at every moment, at first as it was.

    Attributes:
        table: Its rows, without those that were added after it was last written.
        path: Where it was written; None if it was not.
    """

    def __init__(self, archive: Archive, known: Found, cache: Path) -> None:
        """Begin with what the index tells now.

        Args:
            archive: The archive.
            known: Its index as it is.
            cache: Where an index lies that cannot lie beside its records.
        """
        self.table = known.table
        self.path: Path | None = None
        self._archive = archive
        self._cache = cache
        self._is_written = known.is_current
        self._new: list[pa.Table] = []
        self._saved_at_s = time.monotonic()

    def add(self, rows: pa.Table) -> None:
        """Take in the rows of a record, and write the index if that was long ago.

        Raises:
            DataError: It cannot be written.
        """
        self._new.append(rows)
        self._is_written = False
        if time.monotonic() - self._saved_at_s >= SAVE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write the index, if it is not on disk as it is now.

        Raises:
            DataError: It cannot be written.
        """
        if self._is_written:
            return
        self.table, self._new = updated(self.table, self._new), []
        self.path = write_index(self._archive, self.table, self._cache)
        self._is_written = True
        self._saved_at_s = time.monotonic()
