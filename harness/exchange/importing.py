"""Commits imported tables to a store, once for each file, and never two files under one name."""

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from harness.errors import ConfigError
from harness.store import StoreRoot
from harness.store.filters import PROTOCOLS
from harness.store.imported import write_import
from harness.store.reader import Store
from harness.store.schema import ROBUSTNESS_TABLE, Table

_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_origin(origin: str) -> str:
    """Return the name of an import if it can be one.

    Raises:
        ConfigError: It has other characters than letters, digits, ``_``, ``.`` and ``-``, or is that of a protocol.
    """
    if not _ORIGIN.fullmatch(origin):
        raise ConfigError(f"--origin: expected letters, digits, '_', '.' and '-', got {origin!r}")
    if origin in PROTOCOLS:
        raise ConfigError(f"--origin: {origin} is the name of a protocol; take another, such as published")
    return origin


def commit_tables(root: StoreRoot, table: Table, tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Commit the tables that the store does not hold yet, all of them at once; return these.

    Args:
        root: The store.
        table: The table of the store to which they belong.
        tables: The rows of each file.

    Raises:
        ConfigError: The store holds another file of the same networks under the same origin; nothing was changed.
        StoreError: The store cannot be written.
    """
    held = _sources(Store(root).sql(f"SELECT * FROM committed_{table.folder}"), table)
    found = [(rows, _sources(duckdb.from_arrow(rows), table)) for rows in tables]
    new = [(rows, sources) for rows, sources in found if not sources.items() <= held.items()]
    for rows, sources in new:
        for place in sources.keys() & held.keys():
            raise ConfigError(
                f"nothing was imported: {root.path} holds {'/'.join(place)} already, from another file (digest "
                f"{held[place][:12]}...); give --origin NAME to import {rows['file'][0]} beside it"
            )
    if new:
        write_import(root, table, pa.concat_tables(rows for rows, _ in new))
    return [rows for rows, _ in new]


def _sources(rows: duckdb.DuckDBPyRelation, table: Table) -> dict[tuple[str, ...], str]:
    """Return what one file alone may hold under an origin, and the digest of the file that holds it."""
    condition = ("condition",) if table is ROBUSTNESS_TABLE else ()
    columns = ("origin", "space", "dataset", *condition, "digest")
    return {tuple(place): digest for *place, digest in rows.project(", ".join(columns)).distinct().fetchall()}
