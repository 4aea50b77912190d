"""Proof that a store is sound: every file is whole and is what its name says, and duplicates agree.

Each check returns findings; an empty list from all of them is the proof. What a run should have written is the
planner's business, not the audit's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.metrics import MEASUREMENTS
from harness.store.files import StoreRoot
from harness.store.reader import Store
from harness.store.schema import (
    FAILURE_TABLE,
    MEASUREMENT_TABLE,
    MODEL_KEY,
    ROW_KEY,
    RUN_TABLE,
    SCHEMA_VERSION,
    Column,
    Table,
    key_names,
)
from harness.store.writer import (
    DIGEST_KEY,
    FAILURE_IDENTITY,
    MEASUREMENT_IDENTITY,
    PARTITION,
    content_digest,
    content_name,
)

_IDENTITIES = ((MEASUREMENT_TABLE, MEASUREMENT_IDENTITY), (FAILURE_TABLE, FAILURE_IDENTITY))
GATE_TOLERANCE = 0.01
_ROUNDING = 1e-8
_MAY_DIFFER = frozenset({"families", "reasons", "run_id", "device", "seconds"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: which check found it, where, and what is wrong."""

    check: str
    where: str
    message: str


def check_files(root: StoreRoot) -> Iterator[Finding]:
    """Yield what is wrong with the files of a store, one by one."""
    for path in root.leftovers():
        yield Finding(
            "leftovers", str(path), "a temporary file of a writer that was killed; `verify --clean` removes it"
        )
    for table, identity in _IDENTITIES:
        for path in root.table_files(table.folder):
            yield from check_file(path, table, identity)
    for path in root.table_files(RUN_TABLE.folder):
        yield from _check_schema(path, RUN_TABLE)


def check_file(path: Path, table: Table, identity: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with one file: its bytes, its schema, its name, its folder."""
    broken = list(_check_schema(path, table))
    if broken:
        yield from broken
        return
    try:
        read = pq.ParquetFile(path, page_checksum_verification=True).read()
    except (OSError, pa.ArrowException) as error:
        yield Finding("bytes", str(path), f"a page does not match its checksum; delete it and run again: {error}")
        return
    rows = read.select([*dict.fromkeys((*identity, *PARTITION))]).to_pylist()
    if content_digest(read) != (read.schema.metadata or {}).get(DIGEST_KEY):
        yield Finding("content", str(path), "the values are not those that were written; delete it and run again")
    if content_name(rows, identity) != path.stem:
        yield Finding("name", str(path), "the name is not the hash of what the file holds")
    folders = dict(part.split("=", 1) for part in path.parts if "=" in part)
    if any(str(row[column]) != folders.get(column) for row in rows for column in PARTITION):
        yield Finding("folder", str(path), "the file holds rows of another partition than its folder")


def _check_schema(path: Path, table: Table) -> Iterator[Finding]:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        yield Finding("bytes", str(path), f"no readable Parquet file, delete it and run again: {error}")
        return
    found = (schema.metadata or {}).get(b"harness_schema_version", b"none").decode()
    if found != str(SCHEMA_VERSION):
        yield Finding("schema", str(path), f"expected schema version {SCHEMA_VERSION}, got {found}")
    types = {column.name: column.type for column in table.columns}
    for field in schema:
        if not field.type.equals(types.get(field.name, field.type)):
            yield Finding("schema", str(path), f"{field.name}: expected {types[field.name]}, got {field.type}")


def check_rows(store: Store) -> Iterator[Finding]:
    """Yield the keys whose duplicate rows disagree, and the models whose rows come from different weights."""
    key = ", ".join((*key_names(ROW_KEY), "fingerprint"))
    compared = [
        column
        for column in MEASUREMENT_TABLE.columns
        if column not in ROW_KEY and column.name not in _MAY_DIFFER and column.name != "fingerprint"
    ]
    doubled = (
        f"WITH keys AS (SELECT {key} FROM committed_measurements GROUP BY {key} HAVING count(*) > 1), "
        f"doubled AS (SELECT * FROM committed_measurements SEMI JOIN keys USING ({key})) "
    )
    differing = " OR ".join(map(_differs, compared))
    for row in store.sql(f"{doubled} SELECT {key} FROM doubled GROUP BY {key} HAVING {differing}").fetchall():
        yield Finding("duplicates", "/".join(map(str, row)), "rows of one key and fingerprint hold unequal values")
    # Of equal families, a value cannot be there in one row and null in another.
    half_null = " OR ".join(f'count("{m.name}") NOT IN (0, count(*))' for m in MEASUREMENTS)
    query = f"{doubled} SELECT {key} FROM doubled GROUP BY {key}, families HAVING {half_null}"
    for row in store.sql(query).fetchall():
        yield Finding("duplicates", "/".join(map(str, row)), "a value is null in one of two rows of one key")
    model = ", ".join(key_names(MODEL_KEY))
    query = f"SELECT {model} FROM committed_measurements GROUP BY {model} HAVING count(DISTINCT weights_hash) > 1"
    for row in store.sql(query).fetchall():
        message = (
            "rows come from different weights: the record changed between two runs; give the archive another source"
        )
        yield Finding("weights", "/".join(map(str, row)), message)


def _differs(column: Column) -> str:
    """Return the SQL condition that a column has unequal values; numbers may differ by rounding.

    Rows are measured again when families are added, perhaps by a later version whose sums run in another order.
    """
    name = f'"{column.name}"'
    if column.type == pa.float64():
        largest = f"greatest(abs(max({name})), abs(min({name})))"
        return f"max({name}) - min({name}) > {_ROUNDING} * {largest} + {_ROUNDING**2}"
    if column.type == pa.list_(pa.float64()):
        name = f"list_transform({name}, lambda v: round(v, 9))"
    return f"min({name}) <> max({name})"


def gate_counts(store: Store, test_sets: Sequence[str] | None = None) -> dict[str, int]:
    """Return the number of models of each verdict of the accuracy gate: pass, warn, fail, unrecorded.

    Args:
        store: The store.
        test_sets: Only what was found on these test sets; None for all, a model counting once for each.
    """
    chosen = "" if test_sets is None else f"WHERE test_set IN ({', '.join(map(repr, test_sets))})"
    return dict(store.sql(f"SELECT gate, count(*) FROM models {chosen} GROUP BY gate ORDER BY gate").fetchall())


def check_gate(store: Store, test_sets: Sequence[str] | None = None) -> Iterator[Finding]:
    """Yield a finding if over 1 % of the models of a store fail the accuracy gate; arguments as `gate_counts`."""
    counts = gate_counts(store, test_sets)
    failed, total = counts.get("fail", 0), sum(counts.values())
    if failed > GATE_TOLERANCE * total:
        message = (
            f"{failed} of {total} models do not reproduce the accuracy that their archive recorded, more than "
            f"{GATE_TOLERANCE:.0%}; are data set and normalisation those of the archive?"
        )
        yield Finding("gate", str(store.root.path), message)


def count_duplicates(store: Store) -> int:
    """Return the number of measurement rows beyond the first of their key, fingerprint and families."""
    key = ", ".join((*key_names(ROW_KEY), "fingerprint", "families"))
    found = store.sql(
        f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM committed_measurements GROUP BY {key})"
    )
    return int(found.fetchall()[0][0])


def remove_leftovers(root: StoreRoot) -> int:
    """Delete the temporary files of killed writers and return their number; no writer may be at work."""
    leftovers = root.leftovers()
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)
