"""The files of a table as a view of DuckDB, whichever version of the harness wrote them, in a folder or a bucket."""

import re

import duckdb

from harness.store.columns import by_columns
from harness.store.files import StorePath, StoreRoot
from harness.store.object_dataset import object_dataset
from harness.store.object_path import ObjectPath
from harness.store.schema import Table
from harness.store.sql import sql_text


def make_view(connection: duckdb.DuckDBPyConnection, view: str, table: Table, root: StoreRoot) -> None:
    """Make a view of all rows of a table, with the columns of the code's schema; absent columns are null."""
    names = ", ".join(column.name for column in table.columns)
    connection.register(f"empty_{table.folder}", table.schema.empty_table())
    nothing = f"SELECT *, NULL::VARCHAR AS filename FROM empty_{table.folder}"
    union = " UNION ALL BY NAME ".join([nothing, *_rows_of_files(connection, table, root)])
    connection.execute(f"CREATE VIEW {view} AS SELECT {names}, filename FROM ({union})")


def _rows_of_files(connection: duckdb.DuckDBPyConnection, table: Table, root: StoreRoot) -> list[str]:
    """Return queries that together give the rows of a table's files, with the names of these."""
    if isinstance(root.path, ObjectPath):
        connection.register(f"objects_{table.folder}", object_dataset(root.path / table.folder, table.schema))
        return [f"SELECT * FROM objects_{table.folder}"]
    return [
        f"SELECT * FROM read_parquet([{', '.join(map(_literal, group))}], filename = true, hive_partitioning = false)"
        for group in by_columns(root.table_files(table.folder))
    ]


def _literal(path: StorePath) -> str:
    """An SQL string that means this file and no other: DuckDB reads ``*``, ``?`` and ``[`` as patterns."""
    return sql_text(re.sub(r"([*?\[])", r"[\1]", str(path)))
