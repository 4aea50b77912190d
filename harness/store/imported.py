"""Writing tables of other people's numbers: one file per import, so that it is there as a whole or not at all."""

import pyarrow as pa
import pyarrow.parquet as pq

from harness.store.files import StoreRoot, commit
from harness.store.schema import IMPORT_IDENTITY, Table
from harness.store.seal import BLANK, SEAL_KEY, seal
from harness.store.writer import content_name


def import_name(rows: pa.Table) -> str:
    """Return the name of a file of imported rows: a hash of their origins and of the files that they come from.

    Args:
        rows: At least the columns of :data:`~harness.store.schema.IMPORT_IDENTITY`.
    """
    sources = rows.select(IMPORT_IDENTITY).group_by(list(IMPORT_IDENTITY)).aggregate([])
    return content_name(sources.to_pylist(), IMPORT_IDENTITY)


def write_import(root: StoreRoot, table: Table, rows: pa.Table) -> None:
    """Commit imported rows as one file.

    Args:
        root: The store.
        table: The table to which the rows belong.
        rows: The rows, with all of its columns.

    Raises:
        StoreError: The store cannot be written.
    """
    content = rows.select(table.schema.names).cast(table.schema)
    content = content.replace_schema_metadata({**table.schema.metadata, SEAL_KEY: BLANK})
    sink = pa.BufferOutputStream()
    pq.write_table(content, sink, compression="zstd", write_page_checksum=True)
    path = root.path / table.folder / f"{import_name(rows)}.parquet"
    commit(path, seal(sink.getvalue().to_pybytes()), "import")
