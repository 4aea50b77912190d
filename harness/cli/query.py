"""``harness query "SQL"``: ask the store; the answer is printed, or written as CSV or Parquet."""

import argparse
from pathlib import Path

import duckdb

from harness.cli.output import print_table, say
from harness.config import Settings
from harness.errors import ConfigError, StoreError
from harness.metrics import MEASUREMENTS
from harness.store import open_store
from harness.store.schema import MEASUREMENT_COLUMNS

_MOST = 100


def query(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print or write the answer to a query, or describe the columns; return 0."""
    if arguments.describe:
        _describe()
        return 0
    if arguments.sql is None:
        raise ConfigError('expected a query, such as harness query "SELECT * FROM models", or --describe')
    relation = open_store(str(settings.store)).sql(_one_statement(arguments.sql))
    if relation is None:
        raise ConfigError(f"expected a query that gives rows, got {arguments.sql!r}")
    try:
        if arguments.out is None:
            _print(relation)
        else:
            _write(relation, Path(arguments.out))
    except duckdb.Error as error:
        raise StoreError(f"the query cannot be answered: {error}") from error
    return 0


def _one_statement(sql: str) -> str:
    try:
        number = len(duckdb.extract_statements(sql))
    except duckdb.Error as error:
        raise StoreError(f"the query cannot be answered: {error}") from error
    if number != 1:
        raise ConfigError(f"expected one query, got {number} in {sql!r}")
    return sql


def _describe() -> None:
    higher = {m.name: m.higher_is_better for m in MEASUREMENTS}
    direction = {True: "higher", False: "lower", None: ""}
    rows = [(c.name, str(c.type), c.unit, direction[higher.get(c.name)], c.meaning) for c in MEASUREMENT_COLUMNS]
    print_table("columns of measurements", ("column", "type", "unit", "better", "meaning"), rows)


def _print(relation: duckdb.DuckDBPyRelation) -> None:
    rows = relation.limit(_MOST + 1).fetchall()
    print_table("", relation.columns, rows[:_MOST])
    if len(rows) > _MOST:
        say(f"... the first {_MOST} rows; --out FILE.csv or FILE.parquet writes all")


def _write(relation: duckdb.DuckDBPyRelation, path: Path) -> None:
    writers = {".csv": relation.write_csv, ".parquet": relation.write_parquet}
    if path.suffix not in writers:
        raise ConfigError(f"--out: expected a file that ends in .csv or .parquet, got {path}")
    if path.exists():
        raise ConfigError(f"--out: {path} is there already; remove it or give another name")
    writers[path.suffix](str(path))
    say(f"written: {path}")
