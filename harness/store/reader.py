"""Reading the store: lazy DuckDB relations over its Parquet files, one row per key.

Equal duplicates are legal (two drivers, an orphan worker): per key and fingerprint the row with most families counts,
then that of the highest versions, then the one in the file with the smallest name. Rows that agree in everything but
the network must have one fingerprint, else reading is refused until one is named.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
from jaxtyping import Float

from harness.errors import StoreError
from harness.metrics import MEASUREMENTS
from harness.store import views
from harness.store.architectures import COSTS, ON_DEMAND, tables_for, words_of
from harness.store.files import StoreRoot
from harness.store.filters import Filter, filtered, listed, require_protocols
from harness.store.layouts import OOD_CONDITIONS, tidy_query, wide_query
from harness.store.logits import matrix_of
from harness.store.schema import (
    LOGITS_IDENTITY,
    PUBLISHED_TABLE,
    ROBUSTNESS_TABLE,
    ROW_KEY,
    TABLES,
    UNIT_KEY,
    is_column,
    key_names,
)
from harness.store.spread import CLASS_COLUMNS, isomorph_spread_query, seed_spread_query
from harness.store.tables import make_view
from harness.values import FailureKind

_ROW_KEY = key_names(ROW_KEY)
_SPELLED = (
    "source", "space", "dataset", "hp", "condition", "split", "label_set", "calibrator", "fingerprint", "precision",
    "stored_as", "origin",
)  # fmt: skip
_FILTERS = (*_ROW_KEY, "fingerprint", "precision")
_IMPORT_FILTERS = ("origin", "space", "dataset", "arch_index", "copied_from")
_MOST_NAMED = 20
_COMMONEST = "commonest"
_OF_CONDITION = ("condition", "severity", "calibrator")


class Store:
    """A store opened for reading; it sees the files that were committed when it was opened.

    Views for :meth:`sql`: ``measurements`` and ``paper_measurements`` (the rows of each protocol, one per key, without
    networks that fail the accuracy gate), ``all_measurements`` (of both, with them), ``replicates`` (of resamples of
    the images, one row each, of the rows of ``measurements``), ``failures`` (open ones),
    ``models``, ``runs``, ``logits`` (stored inferences), ``labels`` (of their images), ``published`` and
    ``robustness`` (imported tables), and ``committed_measurements`` / ``committed_failures`` / ``committed_logits``
    (every committed row, duplicates included, with ``filename``).
    ``architectures``, ``features`` and ``costs`` tell what is known of every architecture.

    Args:
        root: The store.
    """

    def __init__(self, root: StoreRoot) -> None:
        self.root = root
        self._numbers = itertools.count()
        self._values: dict[tuple[str, str], set[str]] = {}
        self.connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        try:
            for table in TABLES:
                make_view(self.connection, f"committed_{table.folder}", table, root)
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
        self._provide(query)
        try:
            return self.connection.sql(query)
        except duckdb.Error as error:
            raise StoreError(
                f"the query cannot be answered: {error}\nThe views are {', '.join((*views.VIEWS, *ON_DEMAND))}; "
                "`harness query --describe` explains the columns of measurements"
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

        Measurements of the user's own families, which SQL reads as ``own['gap']``, are columns like all others here.

        Args:
            protocol: ``clean``, ``paper``, or a list of both, which must not meet in one aggregate.
            with_gate_failures: Also rows of networks that fail the accuracy gate.
            isomorphs: ``own`` for the rows that were computed; ``all`` also gives every topology that has none the rows
                of its class's representative, told apart by a column ``origin``: ``computed`` or ``inherited``.
            filters: Key columns, ``precision`` or ``fingerprint``, and the value or list of values that they must
                have, such as ``calibrator="none"``. ``fingerprint="commonest"`` takes, of rows that should be
                comparable and were made from different inputs, those of which there are most.

        Raises:
            StoreError: A filter names another column or a text that no row of the store has, or rows that differ only
                in architecture and seed, and so should be comparable, have several fingerprints.
        """
        relation = self._chosen(protocol, filters, with_gate_failures=with_gate_failures, isomorphs=isomorphs)
        shown = {name.lower(): name for name in self.own_names if not is_column(name)}
        return self.sql(views.with_own_columns(self._named(relation), shown.values())) if shown else relation

    @functools.cached_property
    def own_names(self) -> tuple[str, ...]:
        """The names of the measurements of the user's own families that rows hold, sorted; looked for once."""
        found = self.sql("SELECT DISTINCT unnest(map_keys(own)) AS name FROM committed_measurements ORDER BY name")
        return tuple(name for (name,) in found.fetchall())

    def _chosen(
        self, protocol: Filter, filters: Mapping[str, Filter], *, with_gate_failures: bool = False, isomorphs: str
    ) -> duckdb.DuckDBPyRelation:
        """Return the rows of :meth:`measurements` with the columns of the schema."""
        if isomorphs not in ("own", "all"):
            raise StoreError(f"isomorphs: expected own or all, got {isomorphs!r}")
        view = "all_measurements"
        if isomorphs == "all":
            self._make_isomorphs_view()
            view = "isomorph_measurements"
        protocol = listed("protocol", protocol)
        require_protocols(protocol)
        filters = {name: listed(name, value) for name, value in filters.items()}
        commonest = filters.get("fingerprint") == (_COMMONEST,)
        chosen = {name: value for name, value in filters.items() if not (commonest and name == "fingerprint")}
        relation = filtered(self.connection.table(view), {"protocol": protocol, **chosen}, _FILTERS)
        self._refuse_unheard_of("committed_measurements", chosen)
        if not with_gate_failures:
            relation = relation.filter(views.PASSES_GATE)
        if commonest:
            return self.sql(views.commonest_fingerprints(self._named(relation)))
        self._refuse_mixed_fingerprints(relation)
        return relation

    def failures(self, **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return the last failure row of each unit and fingerprint that still lacks a wanted row, lazily.

        Args:
            filters: Columns of the unit, ``fingerprint`` or ``kind``, and the value or values that they must have.

        Raises:
            StoreError: A filter names another column or kind.
        """
        values = {name: listed(name, value) for name, value in filters.items()}
        if unknown := set(values.get("kind", ())) - set(FailureKind):
            raise StoreError(f"kind: expected {' or '.join(FailureKind)}, got {', '.join(map(str, unknown))}")
        return filtered(self.connection.table("failures"), values, (*key_names(UNIT_KEY), "fingerprint", "kind"))

    def models(self) -> duckdb.DuckDBPyRelation:
        """Return one row per measured model: its key, string, representative and accuracy gate, lazily."""
        return self.sql("SELECT * FROM models JOIN architectures USING (space, arch_index) ORDER BY ALL")

    def logits(self, **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return the stored inferences, one row each, lazily: what was shown to which network, and the matrix as bytes.

        Args:
            filters: Columns of the model, ``condition``, ``severity``, ``images_hash``, ``normalisation`` or
                ``stored_as``, and the value or values that they must have.

        Raises:
            StoreError: A filter names another column, or a text that no row has.
        """
        filters = {name: listed(name, value) for name, value in filters.items()}
        found = filtered(self.connection.table("logits"), filters, LOGITS_IDENTITY)
        self._refuse_unheard_of("committed_logits", filters)
        return found

    def logits_of(self, **filters: Filter) -> Float[np.ndarray, "n classes"]:
        """Return the logits of one stored inference, in the type in which they were stored.

        Args:
            filters: As for :meth:`logits`; they must single out one inference.

        Raises:
            StoreError: They single out none or several, or the logits are not those that were written.
        """
        rows = self.logits(**filters).limit(2).to_arrow_table().to_pylist()
        if len(rows) != 1:
            raise StoreError(f"expected one stored inference, {filters} gives {len(self.logits(**filters))}")
        return matrix_of(rows[0])

    def wide(self, *, protocol: Filter = "clean", isomorphs: str = "own", **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return one row per network and setting with the published names (``pre_ECE_15``, ``auc_svhn``), lazily.

        Args:
            protocol: As for :meth:`measurements`.
            isomorphs: As for :meth:`measurements`.
            filters: As for :meth:`measurements`.

        Raises:
            StoreError: As for :meth:`measurements`.
        """
        chosen = self._chosen(protocol, filters, isomorphs=isomorphs)
        elsewhere = {name: value for name, value in filters.items() if name not in _OF_CONDITION}
        ood = sorted(self._held("committed_measurements", "condition") & set(OOD_CONDITIONS))
        shifted = self._chosen(protocol, {"condition": ood, **elsewhere}, isomorphs=isomorphs)
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
        chosen = self._chosen(protocol, filters, isomorphs=isomorphs)
        return self.sql(tidy_query(self._named(chosen), has_origin=isomorphs == "all"))

    def replicates(self, *, protocol: Filter = "clean", **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return what was measured of resamples of the images, one row per row and resample, lazily.

        Columns are the key, ``replicate`` and the measurements of `harness.metrics.resampling.HEADLINE`. A replicate
        has the same images for all networks that were scored on equally many.

        Args:
            protocol: As for :meth:`measurements`.
            filters: As for :meth:`measurements`.

        Raises:
            StoreError: As for :meth:`measurements`.
        """
        return self.sql(views.replicates(self._named(self._chosen(protocol, filters, isomorphs="own"))))

    def published(self, **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return imported published tables with the names of :meth:`wide`, lazily; ``origin`` tells whose they are.

        Args:
            filters: ``origin``, ``space``, ``dataset``, ``arch_index`` or ``copied_from``, and the value or values that
                they must have.

        Raises:
            StoreError: A filter names another column, or a text that no row has.
        """
        return self._imported(PUBLISHED_TABLE.folder, filters, _IMPORT_FILTERS)

    def robustness(self, **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return imported accuracies on attacked and corrupted images, a row per network and strength, lazily.

        Args:
            filters: As for :meth:`published`, or ``condition``.

        Raises:
            StoreError: As for :meth:`published`.
        """
        return self._imported(ROBUSTNESS_TABLE.folder, filters, (*_IMPORT_FILTERS, "condition"))

    def _imported(self, table: str, filters: Mapping[str, Filter], known: Sequence[str]) -> duckdb.DuckDBPyRelation:
        values = {name: listed(name, value) for name, value in filters.items()}
        found = filtered(self.connection.table(table), values, known)
        self._refuse_unheard_of(f"committed_{table}", values)
        return found

    def seed_spread(self, *names: str, protocol: Filter = "clean", **filters: Filter) -> duckdb.DuckDBPyRelation:
        """Return how much measurements differ between trainings of one network, lazily.

        A row is a network without its seed, a setting and a ``measurement``, with ``n_seeds``, ``mean``, ``sd``,
        ``min`` and ``max`` over the seeds that have a value. ``sd`` divides by ``n_seeds - 1``; of one seed it is null.

        Args:
            names: Measurements, such as ``ECE_15``, of the user's own families too, or ``temperature``.
            protocol: As for :meth:`measurements`.
            filters: As for :meth:`measurements`.

        Raises:
            StoreError: A name is no measurement, there is none, or as for :meth:`measurements`.
        """
        values = self._values_of(names)
        return self.sql(seed_spread_query(self._named(self._chosen(protocol, filters, isomorphs="own")), values))

    def isomorph_spread(
        self, *names: str, classes: str = "isomorphism", protocol: Filter = "clean", **filters: Filter
    ) -> duckdb.DuckDBPyRelation:
        """Return how much measurements differ between isomorphic networks of the same seed, lazily.

        A row is a class, a seed, a setting and a ``measurement``, with ``n_members``, ``mean``, ``sd``, ``min`` and
        ``max`` over the members that were computed and have a value. The class is named by its smallest index, in
        ``representative`` or ``function_class``. Classes of one member are rows too, with ``sd`` null.

        Args:
            names: As for :meth:`seed_spread`.
            classes: ``isomorphism`` for NATS-Bench's classes, ``function`` for cells that compute the same function.
            protocol: As for :meth:`measurements`.
            filters: As for :meth:`measurements`.

        Raises:
            StoreError: As for :meth:`seed_spread`, or there are no such classes.
        """
        if classes not in CLASS_COLUMNS:
            raise StoreError(f"classes: expected {' or '.join(CLASS_COLUMNS)}, got {classes!r}")
        values = self._values_of(names)
        rows = self._named(self._chosen(protocol, filters, isomorphs="own"))
        return self.sql(isomorph_spread_query(rows, values, classes))

    def _values_of(self, names: Sequence[str]) -> dict[str, str]:
        """Return the SQL of the value of each of some measurements."""
        known = {name: views.own_value(name) for name in self.own_names}
        known |= {name: f'"{name}"' for name in (*(m.name for m in MEASUREMENTS), "temperature")}
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            got = ", ".join(unknown) or "none"
            raise StoreError(f"names: expected measurements, got {got}; `harness query --describe` lists them")
        return {name: known[name] for name in names}

    def _named(self, relation: duckdb.DuckDBPyRelation) -> str:
        """Return the name of a view of a relation, never used before: what was returned lazily must not change."""
        name = f"chosen_{next(self._numbers)}"
        relation.create_view(name)
        return name

    def _make_isomorphs_view(self) -> None:
        """Make the view in which topologies without rows of their own have those of their representative."""
        self._provide("architectures")
        self.connection.execute(
            "CREATE OR REPLACE VIEW isomorphs AS SELECT arch_index AS member, representative FROM architectures "
            "WHERE space = 'tss' AND arch_index <> representative"
        )
        self.connection.execute(f"CREATE OR REPLACE VIEW isomorph_measurements AS {views.with_isomorphs()}")

    def _provide(self, query: str) -> None:
        """Make the tables of architectures that a query names; what they hold is computed once in a process.

        Raises:
            StoreError: It names costs without their source, where networks of several are trained on one data set.
        """
        for name, table in tables_for(query).items():
            self.connection.register(name, table)
        words = words_of(query)
        if "costs" in words:
            self.connection.execute(f"CREATE OR REPLACE VIEW costs AS {COSTS}")
            if "source" not in words:
                self._refuse_several_sources()

    def _refuse_several_sources(self) -> None:
        """Refuse to tell costs apart by data set and architecture alone, where these stand for several networks."""
        several = self.connection.sql(
            "SELECT list_sort(list(DISTINCT source)) AS sources FROM committed_measurements GROUP BY space, dataset "
            "HAVING len(sources) > 1 ORDER BY sources LIMIT 1"
        ).fetchall()
        for (sources,) in several:
            raise StoreError(
                f"costs: the store has rows of {', '.join(sources)}, whose networks may differ in size: name the "
                "source, as in JOIN costs USING (source, space, arch_index, dataset)"
            )

    def _refuse_unheard_of(self, table: str, filters: Mapping[str, Filter]) -> None:
        """Refuse a text that no row has: misspelled, or not made yet. Numbers, of networks say, may be missing."""
        for column in set(filters) & set(_SPELLED):
            held = self._held(table, column)
            unheard_of = set(map(str, listed(column, filters[column]))) - held
            if held and unheard_of:
                shown = sorted(held)[:_MOST_NAMED]
                more = f" and {len(held) - len(shown)} more" if len(shown) < len(held) else ""
                raise StoreError(
                    f"{column}: no row of {self.root.path} has {', '.join(sorted(unheard_of))}; "
                    f"the rows have {', '.join(shown)}{more}"
                )

    def _held(self, table: str, column: str) -> set[str]:
        """Return the texts that a column has in any row of a table."""
        if (table, column) not in self._values:
            found = self.sql(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")
            self._values[table, column] = {value for (value,) in found.fetchall()}
        return self._values[table, column]

    def _refuse_mixed_fingerprints(self, relation: duckdb.DuckDBPyRelation) -> None:
        mixed = self.sql(f"{views.mixed_fingerprints(self._named(relation))} LIMIT 1")
        for *key, precisions, fingerprints in mixed.fetchall():
            precisions = [f'precision="{name}"' for name in sorted(precisions)]
            by_precision = f"by {' or '.join(precisions)}, or " if len(precisions) > 1 else ""
            raise StoreError(
                f"rows of {'/'.join(map(str, key))} have several fingerprints: {', '.join(sorted(fingerprints))}; "
                f"they were made from different inputs: choose {by_precision}with fingerprint=[...], one for each "
                'calibrator and split, or fingerprint="commonest"'
            )
