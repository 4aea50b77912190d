"""Writes our own rows as a data set to hand on: sorted Parquet files, checksums, what columns mean, a data card.

The same is said for machines in Croissant metadata.

Nothing that was imported is in it, nor rows of networks that fail the accuracy gate.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.exchange.croissant import ReleasedColumn, ReleasedFile, describe_release
from harness.exchange.folder import new_folder
from harness.store.filters import PROTOCOLS, filtered
from harness.store.reader import Store
from harness.store.schema import MEASUREMENT_COLUMNS, MODEL_KEY, ROW_KEY, SCHEMA_VERSION, key_names

COLUMNS_FILE, CARD_FILE, SUMS_FILE, CROISSANT_FILE = "columns.csv", "README.md", "SHA256SUMS", "croissant.json"
_ORDER = ", ".join((*key_names(ROW_KEY), "fingerprint"))
_LEFT_OUT = ("seconds",)  # differs between two evaluations of the same inputs
_TITLE = "Calibration measurements of neural architectures"
_OWN_FAMILY = "measurement of a family of the user's own"
_CARD = """\
# {title}

{n_rows:,} rows of {n_models:,} trained networks, written from a store of the NAS calibration harness (schema version
{version}). A row is one network x protocol x condition x split x label set x calibrator.

| file | rows | networks | conditions |
|---|---|---|---|
{files}

* `{columns}` lists every column with its type, unit and meaning. A value that is undefined is null, with the reason in
  `reasons`. Calibrator `none` is before calibration, `temperature` after it.
* `clean` and `paper` are two protocols and must not meet in one aggregate.
* Networks: {sources}.
* Left out: the store's {n_failed:,} rows of networks that do not reproduce the accuracy that their archive recorded,
  tables that were imported, and the time that each row took. Rows are sorted by their key.
* `{croissant}` describes files and columns for machines (https://mlcommons.org/croissant).
* `{sums}` has the SHA-256 of each file: `sha256sum -c {sums}`.

## Before you use it

* Calibrators are fitted on a part of the test images (`split`, `split_seed`); what they give is scored on the others.
* Isomorphic topologies were trained apart and differ; a listed architecture is itself, never a copy.
* A licence and how to cite it are for you to add, here and in `{croissant}` (`license`, `citeAs`, `url`,
  `datePublished`, `creator`): the numbers are yours, the networks and images are other people's.
"""


class Part(NamedTuple):
    """A file of a release: whose networks it holds, its rows, networks and conditions."""

    name: str
    n_rows: int
    n_models: int
    n_conditions: int


def export_release(store: Store, out: Path, filters: Mapping[str, Any]) -> list[Part]:
    """Write a file for each space, data set and protocol, and what belongs to them.

    Args:
        store: The store.
        out: The folder to make.
        filters: Key columns and the values that rows must have.

    Raises:
        ConfigError: ``out`` is there already.
        StoreError: The store has no rows, or comparable ones that were made from different inputs.
    """
    rows = {name: store.measurements(protocol=name, **filters) for name in PROTOCOLS}
    places = [(p, *place) for p in PROTOCOLS for place in rows[p].project("space, dataset").distinct().fetchall()]
    if not places:
        raise StoreError(f"{store.root.path} has no rows of its own to export; imported tables are not exported")
    shown = (*(name for name in rows["clean"].columns if name not in _LEFT_OUT),)
    with new_folder(out) as folder:
        parts = [_write(rows[p], folder, (space, dataset, p), shown) for p, space, dataset in sorted(places)]
        columns = [*_columns(rows["clean"])]
        (folder / COLUMNS_FILE).write_text(_dictionary(columns))
        hashes = {part.name: _sha256(folder / part.name) for part in parts}
        (folder / CROISSANT_FILE).write_text(_croissant(folder, parts, columns, hashes))
        (folder / CARD_FILE).write_text(_card(store, list(rows.values()), parts))
        (folder / SUMS_FILE).write_text(_sums(folder, hashes))
    return parts


def _write(rows: duckdb.DuckDBPyRelation, folder: Path, place: tuple[str, str, str], shown: Sequence[str]) -> Part:
    space, dataset, protocol = place
    columns = ", ".join(f'"{name}"' for name in shown)
    chosen = filtered(rows, {"space": space, "dataset": dataset}, ["space", "dataset"]).project(columns)
    table: pa.Table = chosen.order(_ORDER).to_arrow_table()
    name = f"{space}-{dataset}-{protocol}.parquet"
    pq.write_table(table, folder / name, compression="zstd", write_page_checksum=True)
    model = "DISTINCT (source, arch_index, hp, seed)"
    n_models, n_conditions = chosen.aggregate(f"count({model}), count(DISTINCT (condition, severity))").fetchall()[0]
    return Part(name, len(table), n_models, n_conditions)


class _Column(NamedTuple):
    """A column of the files, as ``columns.csv`` describes it; of the user's own families there is but the name."""

    name: str
    sql_type: str
    type: str
    unit: str
    meaning: str


def _columns(rows: duckdb.DuckDBPyRelation) -> Iterator[_Column]:
    """Yield the columns that are written, in order."""
    known = {column.name: column for column in MEASUREMENT_COLUMNS}
    for name, sql_type in zip(rows.columns, map(str, rows.types), strict=True):
        if name in _LEFT_OUT:
            continue
        if name in known:
            yield _Column(name, sql_type, str(known[name].type), known[name].unit, known[name].meaning)
        else:
            yield _Column(name, sql_type, sql_type, "", _OWN_FAMILY)


def _dictionary(columns: Sequence[_Column]) -> str:
    """Return the columns with type, unit and meaning, as CSV."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(("column", "type", "unit", "meaning"))
    writer.writerows((column.name, column.type, column.unit, column.meaning) for column in columns)
    return written.getvalue()


def _croissant(folder: Path, parts: Sequence[Part], columns: Sequence[_Column], hashes: Mapping[str, str]) -> str:
    files = [ReleasedFile(name, digest, (folder / name).stat().st_size) for name, digest in hashes.items()]
    described = [
        ReleasedColumn(
            column.name, column.sql_type, f"{column.meaning} ({column.unit})" if column.unit else column.meaning
        )
        for column in columns
    ]
    text = f"{sum(part.n_rows for part in parts):,} rows of measurements of trained networks; {CARD_FILE} says more."
    return describe_release(_TITLE, text, f"{SCHEMA_VERSION}.0.0", files, described)


def _card(store: Store, rows: Sequence[duckdb.DuckDBPyRelation], parts: Sequence[Part]) -> str:
    sources = sorted({source for some in rows for (source,) in some.project("source").distinct().fetchall()})
    models = {key for some in rows for key in some.project(", ".join(key_names(MODEL_KEY))).distinct().fetchall()}
    failed = store.sql("SELECT count(*) FROM all_measurements WHERE gate = 'fail'").fetchall()
    return _CARD.format(
        title=_TITLE,
        n_rows=sum(part.n_rows for part in parts),
        n_models=len(models),
        version=SCHEMA_VERSION,
        files="\n".join(f"| `{p.name}` | {p.n_rows:,} | {p.n_models:,} | {p.n_conditions} |" for p in parts),
        columns=COLUMNS_FILE,
        sources=", ".join(f"`{source}`" for source in sources),
        n_failed=failed[0][0],
        sums=SUMS_FILE,
        croissant=CROISSANT_FILE,
    )


def _sums(folder: Path, hashes: Mapping[str, str]) -> str:
    """Return the hash of each file, of some of which it is known."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS_FILE)
    return "".join(f"{hashes.get(path.name) or _sha256(path)}  {path.name}\n" for path in files)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
