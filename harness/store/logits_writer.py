"""Writes stored logits: inferences are collected on local scratch and committed as files of many."""

import contextlib
import tempfile
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from harness.errors import StoreError
from harness.store.files import StoreRoot, commit
from harness.store.logits import DTYPES, LOGITS_PARTITION, logits_file, row_digest
from harness.store.schema import LOGITS_IDENTITY, LOGITS_TABLE
from harness.store.seal import BLANK, SEAL_KEY, seal
from harness.store.writer import Row, content_name

_GROUP_BYTES = 8 * 2**20
_FILE_BYTES = 256 * 2**20  # a file is committed from memory
_SCHEMA = LOGITS_TABLE.schema.with_metadata({**LOGITS_TABLE.schema.metadata, SEAL_KEY: BLANK})


@dataclass
class _Scratch:
    """A logits file in the making, on local scratch without a name, so that a killed worker leaves nothing behind."""

    file: IO[bytes]
    writer: pq.ParquetWriter
    waiting: list[dict[str, Any]] = field(default_factory=list)
    waiting_bytes: int = 0
    identities: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls) -> "_Scratch":
        file = tempfile.TemporaryFile(prefix="logits-")  # noqa: SIM115 - LogitsWriter closes it
        writer = pq.ParquetWriter(
            file,
            _SCHEMA,
            compression={"logits": "zstd"},  # pyright: ignore[reportArgumentType] - packing short columns costs time
            use_dictionary=False,
            write_statistics=["arch_index"],  # pyright: ignore[reportArgumentType] - its stub knows but one form
            write_page_checksum=True,
        )
        return cls(file, writer)

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; a full row group is written out."""
        self.identities.append({name: row[name] for name in (*LOGITS_IDENTITY, *LOGITS_PARTITION)})
        self.waiting.append(row)
        self.waiting_bytes += len(row["logits"])
        if self.waiting_bytes >= _GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        self.writer.write_table(pa.Table.from_pylist(self.waiting, schema=_SCHEMA))
        self.waiting, self.waiting_bytes = [], 0

    def size(self) -> int:
        """Return the number of bytes so far."""
        return self.file.tell() + self.waiting_bytes

    def drop(self) -> None:
        """Give the scratch back; the writer first, which writes to it when it ends."""
        with contextlib.suppress(OSError):
            self.writer.close()
        self.file.close()

    def finish(self) -> bytes:
        """Return the bytes of the finished file, sealed."""
        if self.waiting:
            self._write_group()
        self.writer.close()
        self.file.seek(0)
        return seal(self.file.read())


@dataclass
class LogitsWriter:
    """Collects inferences on local scratch and commits them, one file per space and data set.

    Used in a ``with`` statement, which drops what is not committed.

    Attributes:
        root: The store.
        run_id: Name of the run.
    """

    root: StoreRoot
    run_id: str
    _open: dict[tuple[str, str], _Scratch] = field(default_factory=dict, init=False)

    def __enter__(self) -> "LogitsWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for scratch in self._open.values():
            scratch.drop()
        self._open.clear()

    def add(self, columns: Row, logits: Float32[np.ndarray, "n classes"], stored_as: str) -> None:
        """Take in one inference; a file that has grown to 256 MiB is committed.

        Args:
            columns: The columns of its row, but for those that follow from the other arguments.
            logits: The matrix; it must fit: see :func:`harness.store.logits.fits`.
            stored_as: Type to store it in, a key of :data:`harness.store.logits.DTYPES`.

        Raises:
            StoreError: There is no room.
        """
        content = np.ascontiguousarray(logits, dtype=DTYPES[stored_as]).tobytes()
        row = {**columns, "stored_as": stored_as, "n_images": logits.shape[0], "n_classes": logits.shape[1]}
        row = {column.name: row[column.name] for column in LOGITS_TABLE.columns if column.name in row}
        key = (row["space"], row["dataset"])
        try:
            if key not in self._open:
                self._open[key] = _Scratch.open()
            self._open[key].add({**row, "logits": content, "digest": row_digest(row, content)})
            is_full = self._open[key].size() >= _FILE_BYTES
        except OSError as error:
            raise _no_room(error) from error
        if is_full:
            self._commit(key)

    def commit(self) -> None:
        """Commit everything that was taken in.

        Raises:
            StoreError: There is no room, or the store cannot be written.
        """
        for key in list(self._open):
            self._commit(key)

    def _commit(self, key: tuple[str, str]) -> None:
        scratch = self._open[key]
        try:
            content = scratch.finish()
        except OSError as error:
            raise _no_room(error) from error
        name = content_name(scratch.identities, LOGITS_IDENTITY)
        commit(self.root.path / logits_file(*key, f"{name}.parquet"), content, self.run_id)
        self._open.pop(key).drop()


def _no_room(error: OSError) -> StoreError:
    return StoreError(f"cannot write logits to {tempfile.gettempdir()}: {error}; make room or set TMPDIR to a folder")
