"""``harness query "SQL"``: ask the store; the answer is printed, or written as CSV or Parquet."""

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path

import duckdb

from harness.cli.answer import print_answer
from harness.cli.output import print_table, say
from harness.config import Settings
from harness.errors import ConfigError, StoreError
from harness.metrics import MEASUREMENTS, REPLICATES_FAMILY, is_own_family, label_families
from harness.metrics.dictionary import Entry, entries
from harness.store import open_store
from harness.store.schema import MEASUREMENT_COLUMNS

_MOST = 100
_COLUMN_HEAD = ("column", "type", "unit", "meaning")
_MEASUREMENT_HEAD = ("column", "unit", "range", "better", "meaning")
_BUILT_IN = {m.name: m for m in (*MEASUREMENTS, *REPLICATES_FAMILY.measurements)}


def query(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print or write the answer to a query, or describe the columns; return 0."""
    if arguments.describe:
        if arguments.out is not None:
            raise ConfigError("--out writes the answer of a query, and --describe is none: redirect what it prints")
        _describe(settings.study.families, arguments.names)
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


def _describe(families: Sequence[str], names: Sequence[str]) -> None:
    """Print what the columns of the store mean, those of the user's own families that are named among them.

    Args:
        families: The families of the study.
        names: Columns, also measurements of the user's own families by name alone, which are shown with what computes
            them; none for all, the like of which then share a line.

    Raises:
        ConfigError: There is no such column.
    """
    others = [(c.name, str(c.type), c.unit, c.meaning) for c in MEASUREMENT_COLUMNS if c.name not in _BUILT_IN]
    own = [m for member in label_families(families) if is_own_family(member) for m in member.measurements]
    own_names = {m.name: f"own['{m.name}']" for m in own}
    if not names:
        rows = [(entry.name, *_described(entry)) for entry in entries(_BUILT_IN.values())]
        rows += [(own_names[m.name], *_described(entry)) for m in own for entry in entries([m])]
        print_table("columns of measurements", _COLUMN_HEAD, others)
        print_table("measurements, a column each", _MEASUREMENT_HEAD, rows)
        return
    shown = {**_BUILT_IN, **{own_names[m.name]: m for m in own}}
    chosen = [own_names.get(name, name) for name in names]
    _refuse_unknown(chosen, [*(row[0] for row in others), *shown])
    if described := [row for row in others if row[0] in chosen]:
        print_table("columns of measurements", _COLUMN_HEAD, described)
    for name, measurement in shown.items():
        if name in chosen:
            (entry,) = entries([measurement])
            values = (*_described(entry), entry.source, entry.published, entry.function)
            named = zip((*_MEASUREMENT_HEAD[1:], "source", "published as", "function"), values, strict=True)
            print_table("a measurement", ("column", name), [line for line in named if line[1]])


def _refuse_unknown(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "`harness query --describe` lists all"
            raise ConfigError(f"no column {name}; {hint}")


def _described(entry: Entry) -> tuple[str, str, str, str]:
    meaning = "; ".join(filter(None, (entry.definition, entry.formula, entry.legend)))
    return entry.unit, entry.range, entry.better, meaning


def _print(relation: duckdb.DuckDBPyRelation) -> None:
    rows = _with_zones_as_text(relation).limit(_MOST + 1).fetchall()
    print_answer(relation.columns, rows[:_MOST])
    if len(rows) > _MOST:
        say(f"... the first {_MOST} rows; --out FILE.csv or FILE.parquet writes all")


def _with_zones_as_text(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Return the rows with times of a zone as text: to give them to Python, DuckDB needs the package pytz.

    Columns are named by their places, for two may have one name.
    """
    has_zone = ("WITH TIME ZONE" in str(kind) for kind in relation.types)
    return relation.project(", ".join(f"#{i}::VARCHAR" if cast else f"#{i}" for i, cast in enumerate(has_zone, 1)))


def _write(relation: duckdb.DuckDBPyRelation, path: Path) -> None:
    writers = {".csv": relation.write_csv, ".parquet": relation.write_parquet}
    if path.suffix not in writers:
        raise ConfigError(f"--out: expected a file that ends in .csv or .parquet, got {path}")
    if path.exists():
        raise ConfigError(f"--out: {path} is there already; remove it or give another name")
    writers[path.suffix](str(path))
    say(f"written: {path}")
