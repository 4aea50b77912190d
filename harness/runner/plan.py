"""What is wanted, less what the store has: the units to make, as parcels of work.

The wanted units are a cross join of what the study names, the done ones are read from the store, and the difference is
an anti-join in DuckDB: there is no Python object per unit until a parcel is handed out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from harness.archives import Archive, Record
from harness.datasets import UNSHIFTED, Library
from harness.metrics import OOD_FAMILY, family
from harness.runner.fingerprint import row_fingerprint
from harness.runner.inference import PRECISION
from harness.runner.protocols import PROTOCOLS, AbstractProtocol
from harness.store.reader import Store
from harness.store.schema import MODEL_KEY, UNIT_KEY, VARIANT_KEY, key_names
from harness.values import ModelKey, Parcel, Study, UnitKey, WantedRow, WantedUnit, unit_fingerprint

SETTING = ("dataset", "protocol", "condition", "severity")

_UNIT = ", ".join(key_names(UNIT_KEY))
_VARIANT = ", ".join(key_names(VARIANT_KEY))
_SETTING = ", ".join(SETTING)


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a study that one archive can serve.

    Attributes:
        source: Name of the archive.
        space: Its search space.
        arch_indices: The wanted architectures of which it has records.
        hps: The wanted budgets that it has.
        n_held: Number of architectures of which it has records at all.
        first_seeds: The seed that its records list first, by (dataset, hp).
    """

    source: str
    space: str
    arch_indices: Int64[np.ndarray, " n"]
    hps: tuple[str, ...]
    n_held: int
    first_seeds: Mapping[tuple[str, str], int]


class Wanted(NamedTuple):
    """What a unit of some setting must hold: its rows, and the families to measure in them."""

    rows: tuple[WantedRow, ...]
    families: tuple[str, ...]


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


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        counts: Units per partition.
        to_do: One row per unit to make, in the order of the archives' records, with its families and attempt.
        wanted: What the units of every setting (dataset, protocol, condition, severity) must hold.
    """

    counts: tuple[PartitionCount, ...]
    to_do: pa.Table
    wanted: Mapping[tuple[Any, ...], Wanted]

    def __len__(self) -> int:
        return self.to_do.num_rows

    def parcels(self, records: int) -> Iterator[Parcel]:
        """Yield the units to make in parcels of at most ``records`` archive records, in index order."""
        units = (self._unit(row) for batch in self.to_do.to_batches(max_chunksize=4096) for row in batch.to_pylist())
        for (_, space), of_archive in groupby(units, key=lambda u: (u.key.model.source, u.key.model.space)):
            held: list[WantedUnit] = []
            n_records = 0
            for _, of_record in groupby(of_archive, key=lambda u: u.key.model.arch_index):
                if n_records == records:
                    yield Parcel(space, tuple(held))
                    held, n_records = [], 0
                held += of_record
                n_records += 1
            yield Parcel(space, tuple(held))

    def _unit(self, row: Mapping[str, Any]) -> WantedUnit:
        model = ModelKey(**{name: row[name] for name in key_names(MODEL_KEY)})
        key = UnitKey(model, row["protocol"], row["condition"], row["severity"])
        rows = self.wanted[tuple(row[name] for name in SETTING)].rows
        return WantedUnit(key, rows, frozenset(row["present"]), tuple(row["families"]), row["attempt"])


def halve(parcel: Parcel) -> Sequence[Parcel]:
    """Part a parcel in two, between records where it has several, else between units; a single unit stays whole."""
    if len(parcel.units) < 2:
        return [parcel]
    records = [list(units) for _, units in groupby(parcel.units, key=lambda unit: unit.key.model.arch_index)]
    first_half = records[: len(records) // 2]
    middle = sum(map(len, first_half)) if first_half else len(parcel.units) // 2
    return [Parcel(parcel.space, parcel.units[:middle]), Parcel(parcel.space, parcel.units[middle:])]


def select(study: Study, archive: Archive, source: str, arch_indices: Sequence[int], sample: Record) -> Selection:
    """Return what an archive can serve of a study: listed architectures with a record, budgets that it has.

    Args:
        study: What is wanted.
        archive: The archive.
        source: Its name.
        arch_indices: The architectures that the study lists.
        sample: One of its records, whose budgets and first seeds stand for all; a worker that meets another first seed
            records an absence.
    """
    held = np.intersect1d(np.asarray(arch_indices, dtype=np.int64), np.asarray(archive.held, dtype=np.int64))
    if study.limit is not None:
        held = held[: study.limit]
    budgets = {hp for _, _, hp in sample.info}
    first_seeds = {(dataset, hp): sample.first_seed(dataset, hp) for dataset, _, hp in sample.info}
    hps = tuple(hp for hp in study.hps if hp in budgets)
    return Selection(source, archive.space, held, hps, len(archive.held), first_seeds)


def make_plan(
    study: Study,
    selections: Sequence[Selection],
    library: Library,
    store: Store | None,
    *,
    make: Collection[str] = ("missing",),
) -> Plan:
    """Return the plan of a study.

    Args:
        study: What is wanted.
        selections: What the archives can serve of it.
        library: The data sets and conditions.
        store: The store as it stands; None if there is none yet.
        make: The states of the units to make: among missing, failed and absent.

    Raises:
        DataError: A data set or condition cannot be read.
    """
    wanted = wanted_settings(study, library)
    connection = duckdb.connect() if store is None else store.connection
    connection.register("wanted_units", _wanted_units(study, selections))
    connection.register("wanted_rows", _rows_table(wanted))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE plan AS {_plan_query(has_store=store is not None)}")
    chosen = "state IN (" + ", ".join(f"'{state}'" for state in make) + ")"
    to_do = connection.sql(
        f"SELECT {_UNIT}, present, families, attempt FROM plan WHERE {chosen} "
        "ORDER BY source, space, arch_index, dataset, hp, seed, protocol, condition, severity"
    ).to_arrow_table()
    return Plan(_counts(connection), to_do, wanted)


def wanted_settings(study: Study, library: Library) -> dict[tuple[Any, ...], Wanted]:
    """Return what the units of every setting (dataset, protocol, condition, severity) of a study must hold.

    A condition that does not serve a data set makes no setting.
    """
    return {
        (dataset, name, condition, severity): _wanted(study, library, PROTOCOLS[name], dataset, condition, severity)
        for dataset in study.datasets
        for name in study.protocols
        for condition, severity in study.conditions
        if library.serves(condition, dataset)
    }


def _wanted(
    study: Study, library: Library, protocol: AbstractProtocol, dataset: str, condition: str, severity: int
) -> Wanted:
    test = library.load(dataset, "test")
    shifted = None if condition == UNSHIFTED else library.shifted(dataset, condition, severity)
    rows = tuple(
        WantedRow(variant, row_fingerprint(protocol, test, shifted, variant, PRECISION))
        for variant in protocol.variants(study)
    )
    of_labels = study.families if shifted is None or shifted.labels is not None else ()
    of_shift = () if shifted is None else (OOD_FAMILY.name,)
    return Wanted(rows, tuple(sorted((*of_labels, *of_shift))))


def _rows_table(wanted: Mapping[tuple[Any, ...], Wanted]) -> pa.Table:
    """The wanted rows of every setting as a table, each with the fingerprint and the families of its unit."""
    records = [
        {
            **dict(zip(SETTING, setting, strict=True)),
            "split": row.variant.split,
            "split_seed": row.variant.split_seed,
            "label_set": row.variant.label_set,
            "calibrator": row.variant.calibrator,
            "fingerprint": row.fingerprint,
            "unit_fingerprint": unit_fingerprint(r.fingerprint for r in unit.rows),
            "wanted_families": list(unit.families),
            "wanted_tags": [family(name).tag for name in unit.families],
        }
        for setting, unit in wanted.items()
        for row in unit.rows
    ]
    return pa.Table.from_pylist(records)


def _wanted_units(study: Study, selections: Sequence[Selection]) -> pa.Table:
    """Every combination of model and setting that is wanted, as a table.

    Of protocols that take the first seed alone, all seeds where it is not known; the workers know.
    """
    axes = duckdb.connect()
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
    for name, table in (
        ("models", models),
        ("first_seeds", pa.Table.from_pylist(first_seeds)),
        ("datasets", pa.table({"dataset": pa.array(study.datasets, pa.string())})),
        ("seeds", pa.table({"seed": pa.array(study.seeds, pa.int32())})),
        ("protocols", pa.table({"protocol": pa.array(study.protocols, pa.string()), "takes_first": takes_first})),
        ("conditions", pa.table({"condition": conditions, "severity": pa.array(severities, pa.int8())})),
    ):
        axes.register(name, table)
    return axes.sql(
        f"SELECT {_UNIT} FROM (SELECT * FROM models, datasets, seeds, protocols, conditions) "
        "LEFT JOIN first_seeds USING (source, space, dataset, hp) "
        "WHERE NOT takes_first OR seed = coalesce(first_seed, seed)"
    ).to_arrow_table()


def _plan_query(*, has_store: bool) -> str:
    """Every wanted unit with its state, the families to measure and the number of the next attempt."""
    settings = (
        f"SELECT {_SETTING}, any_value(unit_fingerprint) AS fingerprint, count(*) AS n_rows, "
        f"any_value(wanted_families) AS wanted_families FROM wanted_rows GROUP BY {_SETTING}"
    )
    if not has_store:
        return (
            f"WITH settings AS ({settings}) SELECT {_UNIT}, 'missing' AS state, []::VARCHAR[] AS present, "
            f"wanted_families AS families, 1 AS attempt FROM wanted_units JOIN settings USING ({_SETTING})"
        )
    return f"""
        WITH settings AS ({settings}),
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
        absent AS (
            SELECT {_UNIT}, max(attempt) AS visits
            FROM committed_failures WHERE kind = 'absent' GROUP BY {_UNIT}
        )
        SELECT {_UNIT},
               CASE WHEN len(present) = n_rows THEN 'done' WHEN attempts IS NOT NULL THEN 'failed'
                    WHEN visits IS NOT NULL THEN 'absent' ELSE 'missing' END AS state,
               coalesce(present, []) AS present,
               list_sort(list_distinct(list_concat(wanted_families,
                   list_transform(coalesce(measured, []), lambda f: split_part(f, '@', 1))))) AS families,
               greatest(coalesce(attempts, 0), coalesce(visits, 0)) + 1 AS attempt
        FROM wanted_units JOIN settings USING ({_SETTING})
             LEFT JOIN found USING ({_UNIT})
             LEFT JOIN failed USING ({_UNIT}, fingerprint)
             LEFT JOIN absent USING ({_UNIT})
    """


def _counts(connection: duckdb.DuckDBPyConnection) -> tuple[PartitionCount, ...]:
    states = ("done", "missing", "failed", "absent")
    counted = ", ".join(f"count(*) FILTER (state = '{state}')" for state in states)
    found = connection.sql(
        f"SELECT space, dataset, protocol, count(*), {counted} FROM plan GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return tuple(PartitionCount(*row) for row in found)
