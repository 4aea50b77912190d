"""The objects of a table as a pyarrow dataset, which DuckDB reads column by column; it opens no object store itself."""

from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from harness.store.object_path import SCHEME, ObjectPath, filesystem

FILENAME = "filename"

_AT_ONCE = 32  # objects in hand: each costs two round trips, which overlap
_GAP = 2**20  # bytes between wanted columns that are read along rather than asked around: a round trip costs more


class ObjectDataset(ds.FileSystemDataset):
    """A dataset whose scans forget the footers that they have read; thousands of these would fill the memory."""

    def scanner(self, **options: Any) -> ds.Scanner:  # noqa: ANN401 - pyarrow's own options
        """Return a scanner; DuckDB calls this with the columns and the filter of a query."""
        return super().scanner(**options, cache_metadata=False, fragment_readahead=_AT_ONCE)


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
    fragments = [
        parquet.make_fragment(
            info.path,
            filesystem=client,
            partition_expression=ds.field(FILENAME) == f"{SCHEME}{info.path}",
            file_size=info.size,  # known from the listing: saves a request for each
        )
        for info in sorted(folder.infos(), key=lambda info: info.path)
        if info.path.endswith(".parquet") and info.is_file
    ]
    return ObjectDataset(fragments, schema.append(pa.field(FILENAME, pa.string())), parquet, client)
