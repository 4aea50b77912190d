"""The objects of a table as a pyarrow dataset, which DuckDB reads column by column; it opens no object store itself."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import FileSystem

from harness.store.object_path import SCHEME, ObjectPath, filesystem

FILENAME = "filename"

_AT_ONCE = 32  # objects in hand: each costs two round trips, which overlap
_GAP = 2**20  # bytes between wanted columns that are read along rather than asked around: a round trip costs more


class ObjectDataset(ds.FileSystemDataset):
    """A dataset whose scans forget the footers that they have read; thousands of these would fill the memory.

    So every scan has fragments of its own: of pyarrow 26, a scan that forgets a footer ends the process where another
    reads it, and a query may scan a dataset several times at once.

    Args:
        make_fragments: Makes the fragments.
        schema: The columns.
        parquet: How they are read.
        client: Where they are.
    """

    def __init__(
        self,
        make_fragments: Callable[[], list[ds.ParquetFileFragment]],
        schema: pa.Schema,
        parquet: ds.ParquetFileFormat,
        client: FileSystem,
    ) -> None:
        super().__init__(make_fragments(), schema, parquet, client)
        self._make_fragments = make_fragments

    def scanner(self, **options: Any) -> ds.Scanner:  # noqa: ANN401 - pyarrow's own options
        """Return a scanner; DuckDB calls this with the columns and the filter of a query."""
        anew = ds.FileSystemDataset(self._make_fragments(), self.schema, self.format, self.filesystem)
        return anew.scanner(**options, cache_metadata=False, fragment_readahead=_AT_ONCE)


def object_dataset(folder: ObjectPath, schema: pa.Schema) -> ObjectDataset:
    """Return the Parquet objects that are below a folder now; columns that one of them lacks are null.

    Args:
        folder: Folder of a table.
        schema: The columns. A column ``filename`` is added, which holds the URI of the object of a row.

    Raises:
        OSError: The object store does not list them.
    """
    cache = pa.CacheOptions(hole_size_limit=_GAP, range_size_limit=32 * _GAP)
    parquet = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(cache_options=cache))
    client = filesystem(folder.parts[0])
    there = sorted(folder.infos(), key=lambda info: info.path)
    infos = [info for info in there if info.path.endswith(".parquet") and info.is_file]

    def make_fragments() -> list[ds.ParquetFileFragment]:
        return [
            parquet.make_fragment(
                info.path,
                filesystem=client,
                partition_expression=ds.field(FILENAME) == f"{SCHEME}{info.path}",
                file_size=info.size,  # known from the listing: saves a request for each
            )
            for info in infos
        ]

    return ObjectDataset(make_fragments, schema.append(pa.field(FILENAME, pa.string())), parquet, client)
