"""Reads stored logits, model by model: every row is held against its digest."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.store.files import StoreRoot, seekable
from harness.store.logits import DAMAGE, StoredLogits, damaged, matrix_of
from harness.store.schema import MODEL_KEY, key_names
from harness.values import ModelKey

_OPEN_FILES = 8  # a parcel has a file for each data set; its neighbours may share them
_MODEL = key_names(MODEL_KEY)
_INDEX = (*_MODEL, "precision", "stored_as", "test_set")


class LogitsFile:
    """One file of stored logits, read row group by row group.

    Args:
        root: The store.
        name: Path of the file inside it.

    Raises:
        StoreError: It is missing or damaged.
    """

    def __init__(self, root: StoreRoot, name: str) -> None:
        self.path = root.path / name
        try:
            self._file = pq.ParquetFile(seekable(self.path), page_checksum_verification=True)
            self._groups: list[int] = []
            self._first: list[int] = []
            for i in range(self._file.num_row_groups):
                self._first.append(len(self._groups))
                self._groups += [i] * self._file.metadata.row_group(i).num_rows
            keys = self._file.read(columns=[*_INDEX], use_threads=False).to_pylist()
            self._rows = _grouped(tuple(row[name] for name in _INDEX) for row in keys)
        except DAMAGE as error:
            raise damaged(self.path, error) from error
        self._last: tuple[int, pa.Table] | None = None

    def __len__(self) -> int:
        return len(self._groups)

    def of(self, model: ModelKey, precision: str, stored_as: str, test_set: str) -> list[StoredLogits]:
        """Return the inferences of a model in a precision, stored in a type, whose gate stands on a test set.

        Raises:
            StoreError: One is damaged.
        """
        key = (*(getattr(model, name) for name in _MODEL), precision, stored_as, test_set)
        return [self.row(i) for i in self._rows.get(key, ())]

    def row(self, index: int) -> StoredLogits:
        """Return an inference by its place in the file.

        Raises:
            StoreError: It is damaged.
        """
        number = self._groups[index]
        at = index - self._first[number]
        try:
            group = self._group(number)
            (columns,) = group.drop_columns(["logits"]).slice(at, 1).to_pylist()
            content = group["logits"].slice(at, 1).chunk(0)[0].as_buffer()
            matrix = matrix_of({**columns, "logits": memoryview(content)})
        except (StoreError, *DAMAGE) as error:
            raise damaged(self.path, error) from error
        return StoredLogits({name: value for name, value in columns.items() if name != "digest"}, matrix)

    def _group(self, number: int) -> pa.Table:
        """Return a row group; the last one is kept, as rows are asked for in order."""
        if self._last is None or self._last[0] != number:
            self._last = (number, self._file.read_row_group(number, use_threads=False))
        return self._last[1]


def _grouped(keys: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[int]]:
    """Return the places of each key."""
    places: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(keys):
        places.setdefault(key, []).append(i)
    return places


@dataclass
class LogitsReader:
    """The stored logits of a store as a worker asks for them: model by model, in the order of the files.

    Attributes:
        root: The store.
        precision: The precision of the inferences.
        stored_as: The type in which they were stored.
    """

    root: StoreRoot
    precision: str
    stored_as: str
    _files: OrderedDict[str, LogitsFile] = field(default_factory=OrderedDict, init=False)

    def of(self, model: ModelKey, test_set: str, names: Iterable[str]) -> list[StoredLogits]:
        """Return the inferences of a model in some files, those of the file of the smallest name first.

        Args:
            model: The network.
            test_set: Identity of the test images on which its accuracy gate must stand.
            names: Paths of the files inside the store.

        Raises:
            StoreError: A file is missing or damaged.
        """
        wanted = (model, self.precision, self.stored_as, test_set)
        return [stored for name in sorted(names) for stored in self._file(name).of(*wanted)]

    def _file(self, name: str) -> LogitsFile:
        if name not in self._files:
            self._files[name] = LogitsFile(self.root, name)
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)
        self._files.move_to_end(name)
        return self._files[name]
