"""Reading the store: lazy DuckDB relations over its Parquet files, one row per key.

Equal duplicates are legal (two drivers, an orphan worker): per key and fingerprint the row with most families counts,
then the one in the file with the smallest name. Rows that agree in everything but the network must have one
fingerprint, else reading is refused until one is named.
"""

import functools
import itertools
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from harness import spaces
from harness.errors import StoreError
from harness.store import views
from harness.store.files import StoreRoot
from harness.store.layouts import OOD_CONDITIONS, tidy_query, wide_query
from harness.store.schema import (
    ROW_KEY,
    TABLES,
    UNIT_KEY,
    Table,
    key_names,
)

Filter = str | int | Iterable[object]

_ROW_KEY = key_names(ROW_KEY)
_COMMONEST = "commonest"
_PROTOCOLS = ("clean", "paper")
_OF_CONDITION = ("condition", "severity", "calibrator")


class Store:
    """A store opened for reading; it sees the files that were committed when it was opened.

    Views for :meth:`sql`: ``measurements`` and ``paper_measurements`` (the rows of each protocol, one per key, without
    networks that fail the accuracy gate), ``all_measurements`` (of both, with them), ``failures`` (open ones),
    ``models``, ``runs``, and ``committed_measurements`` / ``committed_failures`` (every committed row, duplicates
    included, with ``filename``).

    Args:
        root: The store.
    """

    def __init__(self, root: StoreRoot) -> None:
        self.root = root
        self._numbers = itertools.count()
        self.connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        try:
            for table in TABLES:
                _register(self.connection, f"committed_{table.folder}", table, root.table_files(table.folder))
        except duckdb.Error as error:
            raise StoreError(
                f"a file of the store {root.path} cannot be read: {str(error).splitlines()[0]}; `harness verify` names "
                "each damaged file: delete it, and `harness run` makes its rows again"
            ) from error
        for view, query in views.VIEWS.items():
            self.connection.execute(f"CREATE VIEW {view} AS {query}")

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return the result of an SQL query over the views, lazily; ``.df()`` gives a pandas frame.

        Raises:
            StoreError: DuckDB does not understand the query; its message says where.
        """
        try:
            return self.connection.sql(query)
        except duckdb.Error as error:
            raise StoreError(
                f"the query cannot be answered: {error}\nThe views are {', '.join(views.VIEWS)}; `harness query "
                "--describe` explains the columns of measurements"
            ) from error

    def measurements(
        self,
        *,
        protocol: Filter = "clean",
        with_gate_failures: bool = False,
        isomorphs: str = "own",
        **filters: Filter,
    ) -> duckdb.DuckDBPyRelation:
        """Return the measurement rows, one per key, lazily; ``.df()`` gives a pandas frame.

        Args:
            protocol: ``clean``, ``paper``, or a list of both, which must not meet in one aggregate.
            with_gate_failures: Also rows of networks that fail the accuracy gate.
            isomorphs: ``own`` for the rows that were computed; ``all`` also gives every topology that has none the rows
                of its class's representative, told apart by a column ``origin``: ``computed`` or ``inherited``.
            filters: Key columns, or ``fingerprint``, and the value or list of values that they must have, such as
                ``calibrator="none"``. ``fingerprint="commonest"`` takes, of rows that should be comparable and were
                made from different inputs, those of which there are most.

        Raises:
            StoreError: A filter names another column, or rows that differ only in architecture and seed, and so should
                be comparable, have several fingerprints.
        """
        if isomorphs not in ("own", "all"):
            raise StoreError(f"isomorphs: expected own or all, got {isomorphs!r}")
        view = "all_measurements"
        if isomorphs == "all":
            self._make_isomorphs_view()
            view = "isomorph_measurements"
        _check_protocols(protocol)
        commonest = filters.get("fingerprint") == _COMMONEST
        chosen = {name: value for name, value in filters.items() if not (commonest and name == "fingerprint")}
        relation = self._filtered(view, {"protocol": protocol, **chosen}, (*_ROW_KEY, "fingerprint"))
        if not with_gate_failures:
            relation = relation.filter("gate IS DISTINCT FROM 'fail'")
        if commonest:
            return self.sql(views.commonest_fingerprints(self._named(relation)))
        self._refuse_mixed_fingerprints(relation)
        return relation

    def failures(self, **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return the last failure row of each unit and fingerprint that still lacks a wanted row, lazily.

        Args:
            filters: Columns of the unit, ``fingerprint`` or ``kind``, and the value or values that they must have.

        Raises:
            StoreError: A filter names another column.
        """
        return self._filtered("failures", filters, (*key_names(UNIT_KEY), "fingerprint", "kind"))

    def models(self) -> duckdb.DuckDBPyRelation:
        """Return one row per measured model: its key, string, representative and accuracy gate, lazily."""
        self._make_architectures()
        return self.sql("SELECT * FROM models JOIN architectures USING (space, arch_index) ORDER BY ALL")

    def wide(self, *, protocol: Filter = "clean", isomorphs: str = "own", **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return one row per network and setting with the published names (``pre_ECE_15``, ``auc_svhn``), lazily.

        Args:
            protocol: As for :meth:`measurements`.
            isomorphs: As for :meth:`measurements`.
            filters: As for :meth:`measurements`.

        Raises:
            StoreError: As for :meth:`measurements`.
        """
        chosen = self.measurements(protocol=protocol, with_gate_failures=False, isomorphs=isomorphs, **filters)
        elsewhere = {name: value for name, value in filters.items() if name not in _OF_CONDITION}
        shifted = self.measurements(
            protocol=protocol, with_gate_failures=False, isomorphs=isomorphs, condition=OOD_CONDITIONS, **elsewhere
        )
        self._make_architectures()
        return self.sql(wide_query(self._named(chosen), self._named(shifted), has_origin=isomorphs == "all"))

    def tidy(self, *, protocol: Filter = "clean", isomorphs: str = "own", **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return one row per value, with ``metric``, ``n_bins`` and ``value`` beside the key, lazily.

        Args:
            protocol: As for :meth:`measurements`.
            isomorphs: As for :meth:`measurements`.
            filters: As for :meth:`measurements`.

        Raises:
            StoreError: As for :meth:`measurements`.
        """
        chosen = self.measurements(protocol=protocol, with_gate_failures=False, isomorphs=isomorphs, **filters)
        return self.sql(tidy_query(self._named(chosen), has_origin=isomorphs == "all"))

    def _named(self, relation: duckdb.DuckDBPyRelation) -> str:
        """Return the name of a view of a relation, never used before: what was returned lazily must not change."""
        name = f"chosen_{next(self._numbers)}"
        relation.create_view(name)
        return name

    def _make_isomorphs_view(self) -> None:
        """Make the view in which topologies without rows of their own have those of their representative."""
        self._make_architectures()
        self.connection.execute(
            "CREATE OR REPLACE VIEW isomorphs AS SELECT arch_index AS member, representative FROM architectures "
            "WHERE space = 'tss' AND arch_index <> representative"
        )
        self.connection.execute(f"CREATE OR REPLACE VIEW isomorph_measurements AS {views.with_isomorphs()}")

    def _make_architectures(self) -> None:
        """Make a table of the strings and representatives of all architectures, once."""
        self.connection.register("architectures", _architectures())

    def _filtered(self, view: str, filters: Mapping[str, Filter], known: tuple[str, ...]) -> duckdb.DuckDBPyRelation:
        unknown = sorted(set(filters) - set(known))
        if unknown:
            raise StoreError(f"cannot filter by {', '.join(unknown)}; expected among {', '.join(known)}")
        relation = self.connection.table(view)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        for column, value in filters.items():
            values = [value] if isinstance(value, str | int) else list(value)
            values = _typed(column, types[column], values)
            constants = [duckdb.ConstantExpression(value) for value in values]
            chosen = duckdb.ColumnExpression(column).isin(*constants) if constants else "false"
            relation = relation.filter(chosen)
        return relation

    def _refuse_mixed_fingerprints(self, relation: duckdb.DuckDBPyRelation) -> None:
        mixed = self.sql(f"{views.mixed_fingerprints(self._named(relation))} LIMIT 1")
        for *key, fingerprints in mixed.fetchall():
            raise StoreError(
                f"rows of {'/'.join(map(str, key))} have several fingerprints: {', '.join(sorted(fingerprints))}; "
                "they were made from different inputs: choose with fingerprint=[...], one for each calibrator "
                'and split, or fingerprint="commonest"'
            )


@functools.cache
def _architectures() -> pa.Table:
    """The string and the representative of every architecture of every space."""
    tables = []
    for name in spaces.names():
        space = spaces.get(name)
        columns = {
            "space": pa.array([name] * len(space), pa.string()),
            "arch_index": pa.array(range(len(space)), pa.int32()),
            "arch_str": pa.array(space.strings, pa.string()),
            "representative": pa.array([space.representative(i) for i in range(len(space))], pa.int32()),
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def _check_protocols(protocol: Filter) -> None:
    for name in [protocol] if isinstance(protocol, str | int) else protocol:
        if name not in _PROTOCOLS:
            raise StoreError(f"protocol: expected {' or '.join(_PROTOCOLS)}, or a list of them, got {name!r}")


def _typed(column: str, sql_type: str, values: Sequence[object]) -> list[str] | list[int]:
    """Return the values of a filter as DuckDB takes them.

    Raises:
        StoreError: One is not of the column's type.
    """
    is_text = sql_type == "VARCHAR"
    for value in values:
        if not isinstance(value, str if is_text else numbers.Integral):
            kind = "a text" if is_text else "a whole number"
            raise StoreError(f"cannot filter {column} by {value!r}; expected {kind}, or a list of such")
    return [str(value) for value in values] if is_text else [int(str(value)) for value in values]


def _register(connection: duckdb.DuckDBPyConnection, view: str, table: Table, files: list[Path]) -> None:
    """Make a view of all rows of a table, with the columns of the code's schema; absent columns are null."""
    names = ", ".join(column.name for column in table.columns)
    connection.register(f"empty_{table.folder}", table.schema.empty_table())
    union = f"SELECT *, NULL::VARCHAR AS filename FROM empty_{table.folder}"
    if files:
        listed = ", ".join(map(_literal, files))
        union += (
            f" UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name = true, filename = true,"
            " hive_partitioning = false)"
        )
    connection.execute(f"CREATE VIEW {view} AS SELECT {names}, filename FROM ({union})")


def _literal(path: Path) -> str:
    """An SQL string that means this file and no other: DuckDB reads ``*``, ``?`` and ``[`` as patterns."""
    escaped = re.sub(r"([*?\[])", r"[\1]", str(path)).replace("'", "''")
    return f"'{escaped}'"
