"""Rows become immutable Parquet files, one per partition, each named by what it holds."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.store.files import StoreRoot, commit
from harness.store.schema import (
    FAILURE_TABLE,
    MEASUREMENT_TABLE,
    ROW_KEY,
    RUN_TABLE,
    UNIT_KEY,
    Table,
    key_names,
)
from harness.store.seal import BLANK, SEAL_KEY, seal
from harness.values import Failure, ModelKey, UnitKey, Variant

Row = Mapping[str, Any]

DIGEST_KEY = b"harness_content_sha256"
PARTITION = ("space", "dataset", "protocol")
MEASUREMENT_IDENTITY = (*key_names(ROW_KEY), "fingerprint", "families")
FAILURE_IDENTITY = (*key_names(UNIT_KEY), "fingerprint", "run_id", "attempt")


def model_columns(model: ModelKey) -> dict[str, Any]:
    """Return the key columns of a model."""
    return {
        "source": model.source,
        "space": model.space,
        "arch_index": model.arch_index,
        "dataset": model.dataset,
        "hp": model.hp,
        "seed": model.seed,
    }


def unit_columns(unit: UnitKey) -> dict[str, Any]:
    """Return the key columns of a unit."""
    return {
        **model_columns(unit.model),
        "protocol": unit.protocol,
        "condition": unit.condition,
        "severity": unit.severity,
    }


def variant_columns(variant: Variant) -> dict[str, Any]:
    """Return the key columns that tell the rows of one unit apart."""
    return {
        "split": variant.split,
        "split_seed": variant.split_seed,
        "label_set": variant.label_set,
        "calibrator": variant.calibrator,
    }


def failure_row(failure: Failure, run_id: str) -> dict[str, Any]:
    """Return the row of a failure."""
    return {
        **unit_columns(failure.unit.key),
        "fingerprint": failure.unit.fingerprint,
        "row_fingerprints": list(failure.unit.row_fingerprints),
        "families": list(failure.unit.wanted_tags),
        "kind": failure.kind.value,
        "stage": failure.stage,
        "type": failure.type,
        "message": failure.message,
        "traceback": failure.traceback,
        "run_id": run_id,
        "attempt": failure.unit.attempt,
    }


def content_name(rows: Iterable[Row], identity: Sequence[str]) -> str:
    """Return the name of a file: a hash of the identifying columns of its rows, whatever their order."""
    held = sorted(json.dumps([row[column] for column in identity]) for row in rows)
    return hashlib.sha256("\n".join(held).encode()).hexdigest()[:32]


def to_parquet(rows: Sequence[Row], table: Table) -> bytes:
    """Return rows as the bytes of one Parquet file of a table, with page checksums and a seal.

    Raises:
        ValueError: A row has a column that the table does not know.
    """
    known = {column.name for column in table.columns}
    unknown = sorted(set().union(*rows) - known)
    if unknown:
        raise ValueError(f"expected columns of the table {table.folder}, got also {', '.join(unknown)}")
    content = pa.Table.from_pylist(list(rows), schema=table.schema)
    metadata = {**table.schema.metadata, DIGEST_KEY: content_digest(content), SEAL_KEY: BLANK}
    content = content.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(content, sink, compression="zstd", write_page_checksum=True)
    return seal(sink.getvalue().to_pybytes())


def content_digest(content: pa.Table) -> bytes:
    """Return a SHA-256 of all values of a table, which its file carries so that any change of one is found."""
    return hashlib.sha256(json.dumps(content.to_pylist(), sort_keys=True).encode()).hexdigest().encode()


def _write_partitioned(
    root: StoreRoot, table: Table, rows: Sequence[Row], identity: Sequence[str], run_id: str
) -> None:
    partitions = defaultdict(list)
    for row in rows:
        partitions[tuple(row[column] for column in PARTITION)].append(row)
    for values, members in partitions.items():
        folder = root.path / table.folder
        for column, value in zip(PARTITION, values, strict=True):
            folder /= f"{column}={value}"
        name = content_name(members, identity)
        commit(folder / f"{name}.parquet", to_parquet(members, table), run_id)


def write_measurements(root: StoreRoot, rows: Sequence[Row], run_id: str) -> None:
    """Commit measurement rows, one file per partition.

    Raises:
        StoreError: The store cannot be written.
    """
    _write_partitioned(root, MEASUREMENT_TABLE, rows, MEASUREMENT_IDENTITY, run_id)


def write_failures(root: StoreRoot, failures: Sequence[Failure], run_id: str) -> None:
    """Commit failure rows, one file per partition.

    Raises:
        StoreError: The store cannot be written.
    """
    rows = [failure_row(failure, run_id) for failure in failures]
    _write_partitioned(root, FAILURE_TABLE, rows, FAILURE_IDENTITY, run_id)


def write_run(root: StoreRoot, row: Row) -> None:
    """Commit the row that describes a run.

    Raises:
        StoreError: The store cannot be written.
    """
    commit(root.path / RUN_TABLE.folder / f"{row['run_id']}.parquet", to_parquet([row], RUN_TABLE), row["run_id"])
