"""Where the wanted units stand, by an anti-join in DuckDB: which the store has, and what the others can be made from.

Tables hold what is wanted, views of the store what there is; a query over both gives every unit its state.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from harness.runner.protocols import PROTOCOLS
from harness.runner.selection import Selection
from harness.runner.stored import as_text
from harness.runner.wanted import Setting, Wanted
from harness.store.logits import logits_file_sql
from harness.store.reader import Store
from harness.store.schema import MODEL_KEY, UNIT_KEY, VARIANT_KEY, key_names
from harness.store.sql import sql_texts
from harness.store.writer import variant_columns
from harness.values import Study

STATES = ("done", "missing", "failed", "absent")

_UNIT = ", ".join(key_names(UNIT_KEY))
_VARIANT = ", ".join(key_names(VARIANT_KEY))
_SETTING = ", ".join(Setting._fields)


@dataclass(frozen=True, slots=True)
class PartitionCount:
    """Units of one partition of the store: all that are wanted, and where they stand."""

    space: str
    dataset: str
    protocol: str
    total: int
    done: int
    missing: int
    failed: int
    absent: int


@dataclass(frozen=True, slots=True)
class UnitStates:
    """The wanted units with their states, in the table ``plan`` of a connection, until the next plan.

    Attributes:
        connection: The connection, which is the store's where there is one.
        served: The query of the units of which logits are stored.
    """

    connection: duckdb.DuckDBPyConnection
    served: str

    def counts(self) -> tuple[PartitionCount, ...]:
        """Return how many units of each partition are in each state."""
        counted = ", ".join(f"count(*) FILTER (state = '{state}')" for state in STATES)
        found = self.connection.sql(
            f"SELECT space, dataset, protocol, count(*), {counted} FROM plan GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        return tuple(PartitionCount(*row) for row in found)

    def to_do(self, make: Collection[str], *, only_served: bool) -> pa.Table:
        """Return the units in some states, in the order of the archives' records: their keys, and how to make them.

        Args:
            make: The states.
            only_served: Only units of which all logits are stored.
        """
        return self.connection.sql(
            f"WITH served AS ({self.served}) "
            f"SELECT {_UNIT}, present, families, attempt, logits FROM plan LEFT JOIN served USING ({_UNIT}) "
            f"WHERE state IN {sql_texts(make)} {'AND is_served' if only_served else ''} "
            "ORDER BY source, space, arch_index, dataset, hp, seed, protocol, condition, severity"
        ).to_arrow_table()


def find_states(
    study: Study,
    selections: Sequence[Selection],
    wanted: Mapping[Setting, Wanted],
    store: Store | None,
    stored_as: str,
) -> UnitStates:
    """Return where the units of a study stand.

    Args:
        study: What is wanted.
        selections: What the archives can serve of it.
        wanted: What the units of every setting must hold.
        store: The store as it stands; None if there is none yet.
        stored_as: Type of the stored logits that may take the place of inferences.
    """
    connection = duckdb.connect() if store is None else store.connection
    for name, table in _axes(study, selections).items():
        connection.register(name, table)
    connection.register("wanted_rows", _rows_table(wanted))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE plan AS {_compact(_plan_query(has_store=store is not None), study, selections)}"
    )
    connection.register("needed_logits", _needed_table(wanted, study.precision, stored_as))
    return UnitStates(connection, _served_query(has_store=store is not None))


def _axes(study: Study, selections: Sequence[Selection]) -> dict[str, pa.Table]:
    """Return what wanted units are a cross join of, as tables by name."""
    models = pa.concat_tables(
        pa.table(
            {
                "source": pa.array([s.source] * len(s.arch_indices), pa.string()),
                "space": pa.array([s.space] * len(s.arch_indices), pa.string()),
                "arch_index": pa.array(s.arch_indices, pa.int32()),
                "hp": pa.array([hp] * len(s.arch_indices), pa.string()),
            }
        )
        for s in selections
        for hp in s.hps
    )
    first_seeds = [
        {"source": s.source, "space": s.space, "dataset": dataset, "hp": hp, "first_seed": seed}
        for s in selections
        for (dataset, hp), seed in s.first_seeds.items()
    ]
    conditions, severities = zip(*study.conditions, strict=True)
    takes_first = [PROTOCOLS[name].takes_first_seed_only for name in study.protocols]
    return {
        "wanted_models": models,
        "first_seeds": pa.Table.from_pylist(first_seeds),
        "wanted_datasets": pa.table({"dataset": pa.array(study.datasets, pa.string())}),
        "wanted_seeds": pa.table({"seed": pa.array(study.seeds, pa.int32())}),
        "wanted_protocols": pa.table({"protocol": study.protocols, "takes_first": takes_first}),
        "wanted_conditions": pa.table({"condition": conditions, "severity": pa.array(severities, pa.int8())}),
    }


def _rows_table(wanted: Mapping[Setting, Wanted]) -> pa.Table:
    """The wanted rows of every setting as a table, each with the fingerprint and the families of its unit."""
    records = [
        {
            **setting._asdict(),
            **variant_columns(row.variant),
            "fingerprint": row.fingerprint,
            "unit_fingerprint": unit.fingerprint,
            "wanted_families": [member.name for member in unit.families],
            "wanted_tags": list(unit.tags),
        }
        for setting, unit in wanted.items()
        for row in unit.rows
    ]
    return pa.Table.from_pylist(records)


def _needed_table(wanted: Mapping[Setting, Wanted], precision: str, stored_as: str) -> pa.Table:
    """The inferences that the units of every setting are computed from, numbered and as the store names them."""
    records = [
        {
            **setting._asdict(),
            "images_hash": shown.images_hash,
            "normalisation": as_text(shown.normalisation),
            "test_set": unit.test_set,
            "precision": precision,
            "stored_as": stored_as,
            "number": number,
            "n_needed": len(unit.inferences),
        }
        for setting, unit in wanted.items()
        for number, shown in enumerate(unit.inferences)
    ]
    return pa.Table.from_pylist(records)


_WANTED_UNITS = f"""
    SELECT {_UNIT}
    FROM (SELECT * FROM wanted_models, wanted_datasets, wanted_seeds, wanted_protocols, wanted_conditions)
         LEFT JOIN first_seeds USING (source, space, dataset, hp)
    WHERE NOT takes_first OR seed = coalesce(first_seed, seed)
"""
"""Every combination of model and setting that is wanted.

Of protocols that take the first seed alone, all seeds where it is not known; the workers know.
"""


def _plan_query(*, has_store: bool) -> str:
    """Every wanted unit with its state, the families to measure and the number of the next attempt."""
    settings = (
        f"SELECT {_SETTING}, any_value(unit_fingerprint) AS fingerprint, count(*) AS n_rows, "
        f"any_value(wanted_families) AS wanted_families FROM wanted_rows GROUP BY {_SETTING}"
    )
    if not has_store:
        return (
            f"WITH settings AS ({settings}), wanted_units AS ({_WANTED_UNITS}) SELECT {_UNIT}, 'missing' AS state, "
            "NULL::VARCHAR[] AS present, NULL::VARCHAR[] AS families, 1 AS attempt "
            f"FROM wanted_units JOIN settings USING ({_SETTING})"
        )
    return f"""
        WITH settings AS ({settings}),
        wanted_units AS ({_WANTED_UNITS}),
        found AS (
            SELECT {_UNIT},
                   list(DISTINCT fingerprint) FILTER (list_has_all(families, wanted_tags)) AS present,
                   list_distinct(flatten(list(families))) AS measured
            FROM committed_measurements JOIN wanted_rows USING ({_SETTING}, {_VARIANT}, fingerprint)
            GROUP BY {_UNIT}
        ),
        failed AS (
            SELECT {_UNIT}, fingerprint, max(attempt) AS attempts
            FROM committed_failures WHERE kind <> 'absent' GROUP BY {_UNIT}, fingerprint
        ),
        tried AS (
            SELECT {_UNIT}, max(attempt) FILTER (kind = 'absent') AS visits,
                   max(attempt) FILTER (kind <> 'absent') AS any_attempts
            FROM committed_failures GROUP BY {_UNIT}
        )
        SELECT {_UNIT},
               CASE WHEN len(present) = n_rows THEN 'done' WHEN attempts > coalesce(visits, 0) THEN 'failed'
                    WHEN visits >= coalesce(any_attempts, 0) THEN 'absent' ELSE 'missing' END AS state,
               present,
               CASE WHEN len(measured) > 0 THEN list_sort(list_distinct(list_concat(wanted_families,
                   list_transform(measured, lambda f: split_part(f, '@', 1))))) END AS families,
               greatest(coalesce(attempts, 0), coalesce(visits, 0)) + 1 AS attempt
        FROM wanted_units JOIN settings USING ({_SETTING})
             LEFT JOIN found USING ({_UNIT})
             LEFT JOIN failed USING ({_UNIT}, fingerprint)
             LEFT JOIN tried USING ({_UNIT})
    """


def _served_query(*, has_store: bool) -> str:
    """The units of which logits are stored: in which files, and whether these are all that the unit needs."""
    if not has_store:
        return f"SELECT {_UNIT}, []::VARCHAR[] AS logits, false AS is_served FROM plan WHERE false"
    model = ", ".join(f"stored.{name}" for name in key_names(MODEL_KEY))
    return f"""
        SELECT {model}, protocol, needed.condition, needed.severity,
               list_distinct(list({logits_file_sql("stored")})) AS logits,
               len(list_distinct(list(number))) = any_value(n_needed) AS is_served
        FROM committed_logits stored
             JOIN needed_logits needed USING (dataset, images_hash, normalisation, test_set, precision, stored_as)
        GROUP BY {model}, protocol, needed.condition, needed.severity
    """


def _compact(query: str, study: Study, selections: Sequence[Selection]) -> str:
    """Return a query of units with the columns of few values as enumerations: a byte, and the same order."""
    values: dict[str, Collection[str]] = {
        "source": {s.source for s in selections},
        "space": {s.space for s in selections},
        "dataset": study.datasets,
        "hp": study.hps,
        "protocol": study.protocols,
        "condition": {condition for condition, _ in study.conditions},
        "state": STATES,
    }
    cast = ", ".join(f"{name}::ENUM{sql_texts(sorted(among))} AS {name}" for name, among in values.items())
    return f"SELECT * REPLACE ({cast}) FROM ({query})"
