"""What is wanted, less what the store has: the units to make, as parcels of work.

The wanted units are a cross join of what the study names, the done ones are read from the store, and the difference is
an anti-join in DuckDB (:mod:`harness.runner.unit_states`): there is no Python object per unit until a parcel is handed
out. A plan and its parcels follow from the study, the part and the store alone; who works on them, and how many, is not
in it.
"""

import functools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.datasets import AbstractLibrary
from harness.errors import ConfigError
from harness.metrics import FAMILIES, OTHER_FAMILIES, label_families
from harness.runner.selection import Selection
from harness.runner.unit_states import PartitionCount, find_states
from harness.runner.wanted import Setting, Wanted, wanted_settings
from harness.store.logits import LOSSLESS
from harness.store.reader import Store
from harness.store.schema import MODEL_KEY, key_names
from harness.values import ModelKey, Parcel, Study, UnitKey, WantedUnit

_PARCELS = 256
"""Parcels of a small plan, if it has so many records: enough for each of many workers to have some, and for the
progress to move; a plan of more than 256 full parcels has full ones."""

_MODEL = key_names(MODEL_KEY)
_OF_UNIT = ("present", "families", "attempt", "logits")


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        counts: Units per partition.
        to_do: One row per unit to make, in the order of the archives' records, with its attempt; with the
            fingerprints that are present and the families to measure where these are not none and the wanted ones.
        wanted: What the units of every setting (dataset, protocol, condition, severity) must hold.
        places: What the study names for each wanted family, by its name: of one of the user's own a file or a module.
        n_unserved: Number of units in the states to make that are left out, as not all of their logits are stored.
    """

    counts: tuple[PartitionCount, ...]
    to_do: pa.Table
    wanted: Mapping[Setting, Wanted]
    places: Mapping[str, str]
    n_unserved: int = 0

    def __len__(self) -> int:
        return self.to_do.num_rows

    @property
    def n_records(self) -> int:
        """The number of archive records that hold units to make."""
        return self.to_do.group_by(["source", "space", "arch_index"]).aggregate([]).num_rows

    @property
    def to_infer(self) -> set[tuple[str, str, str]]:
        """The (space, dataset, hp) of the units to make of which no logits are stored."""
        found = self.to_do.filter(pc.field("logits").is_null()).group_by(["space", "dataset", "hp"]).aggregate([])
        return set(zip(*(found[name].to_pylist() for name in ("space", "dataset", "hp")), strict=True))

    def parcel_records(self, most: int) -> int:
        """Return how many archive records a parcel of this plan holds: at most ``most``, fewer in a small plan."""
        return max(1, min(most, math.ceil(self.n_records / _PARCELS)))

    def parcels(self, records: int) -> Iterator[Parcel]:
        """Yield the units to make in parcels of at most ``records`` archive records, in index order."""
        for (_, space), of_archive in groupby(self._units(), key=lambda u: (u.key.model.source, u.key.model.space)):
            held: list[WantedUnit] = []
            n_records = 0
            for _, of_record in groupby(of_archive, key=lambda u: u.key.model.arch_index):
                if n_records == records:
                    yield Parcel(space, tuple(held))
                    held, n_records = [], 0
                held += of_record
                n_records += 1
            yield Parcel(space, tuple(held))

    def _units(self) -> Iterator[WantedUnit]:
        """Yield the units to make; what several have in common is one object, which a parcel then carries once."""
        model_key = functools.lru_cache(maxsize=1)(ModelKey)  # the units of a model follow one another
        tags = {setting: wanted.tags for setting, wanted in self.wanted.items()}
        families = {setting: self._placed(m.name for m in wanted.families) for setting, wanted in self.wanted.items()}
        for batch in self.to_do.to_batches(max_chunksize=4096):
            parts = (_rows_of(batch, names) for names in (_MODEL, Setting._fields, _OF_UNIT))
            for model, setting, (present, measured, attempt, logits) in zip(*parts, strict=True):
                yield WantedUnit(
                    UnitKey(model_key(*model), *setting[1:]),
                    self.wanted[setting].rows,
                    frozenset(present or ()),
                    self._placed(measured) if measured else families[setting],
                    attempt,
                    tuple(logits or ()),
                    tags[setting],
                )

    def _placed(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return families as a study names them."""
        return tuple(self.places.get(name, name) for name in names)


def _rows_of(batch: pa.RecordBatch, names: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """Return the rows of some columns; equal values of an enumeration are one object."""
    return zip(*(_values(batch[name]) for name in names), strict=True)


def _values(column: pa.Array) -> list[Any]:
    if not isinstance(column, pa.DictionaryArray):
        return column.to_pylist()
    among = column.dictionary.to_pylist()
    return [among[i] for i in column.indices.to_pylist()]


def halve(parcel: Parcel) -> Sequence[Parcel]:
    """Part a parcel in two, between records where it has several, else between units; a single unit stays whole."""
    if len(parcel.units) < 2:
        return [parcel]
    records = [list(units) for _, units in groupby(parcel.units, key=lambda unit: unit.key.model.arch_index)]
    first_half = records[: len(records) // 2]
    middle = sum(map(len, first_half)) if first_half else len(parcel.units) // 2
    return [Parcel(parcel.space, parcel.units[:middle]), Parcel(parcel.space, parcel.units[middle:])]


def make_plan(
    study: Study,
    selections: Sequence[Selection],
    library: AbstractLibrary,
    store: Store | None,
    *,
    make: Collection[str] = ("missing",),
    stored_as: str = LOSSLESS,
    only_served: bool = False,
) -> Plan:
    """Return the plan of a study.

    Args:
        study: What is wanted.
        selections: What the archives can serve of it.
        library: The data sets and conditions.
        store: The store as it stands; None if there is none yet.
        make: The states of the units to make: among missing, failed and absent.
        stored_as: Type of the stored logits that may take the place of inferences; rows made from others than float32
            are wanted with a fingerprint of their own.
        only_served: Make only units of which all logits are stored.

    Raises:
        ConfigError: Units to make hold measurements of a family that the study does not name and the harness does not
            have: one of the user's own, which would be lost.
        DataError: A data set or condition cannot be read.
        ValueError: A family cannot be loaded.
    """
    wanted = wanted_settings(study, library, stored_as)
    places = {member.name: place for place, member in zip(study.families, label_families(study.families), strict=True)}
    states = find_states(study, selections, wanted, store, stored_as)
    to_do = states.to_do(make, only_served=only_served)
    _refuse_to_lose(to_do, places)
    counts = states.counts()
    n_chosen = sum(getattr(count, state) for count in counts for state in make)
    return Plan(counts, to_do, wanted, places, n_chosen - to_do.num_rows)


def _refuse_to_lose(to_do: pa.Table, places: Mapping[str, str]) -> None:
    """Refuse to make units again without a family that they hold, for it is not known where it is defined."""
    held = set(to_do["families"].combine_chunks().flatten().unique().to_pylist())
    lost = sorted(held - {*FAMILIES, *OTHER_FAMILIES, *places})
    if lost:
        raise ConfigError(
            f"study.families: networks to be measured hold measurements of the family {', '.join(lost)}, which is none "
            "of the harness's: add its file or module to study.families, or give another store with results=..."
        )
