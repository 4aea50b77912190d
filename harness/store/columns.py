"""Which files of a table have the same columns: those that one version of the harness wrote.

DuckDB can find out itself (``union_by_name``), but then reads the footers of all files before every query and keeps
them, with the statistics of each column: with thousands of files that takes seconds and a gigabyte.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.store.files import StorePath, readable

_AT_ONCE = 16  # a network file system takes milliseconds for each, and answers many at a time


def by_columns(files: Sequence[StorePath]) -> list[list[StorePath]]:
    """Return Parquet files in groups of the same columns, in names, types and order; each group in the order given.

    Raises:
        StoreError: A file is damaged.
    """
    groups: dict[pa.Schema, list[StorePath]] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for file, columns in zip(files, pool.map(_columns, files), strict=True):
            groups.setdefault(columns, []).append(file)
    return list(groups.values())


def _columns(file: StorePath) -> pa.Schema:
    try:
        return pq.read_schema(readable(file)).remove_metadata()
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"{file} cannot be read: {str(error).splitlines()[0]}; `harness verify` names each damaged file: bring "
            "it back from a copy, or delete it, and `harness run` makes the rows that are missing then"
        ) from error
