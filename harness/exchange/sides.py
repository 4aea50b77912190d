"""The sides of a comparison: our own rows of a protocol, or an imported table, in one shape.

A row is a network; measurements have the store's names. Of imported tables, rows that repeat an isomorphic network are
left out: nobody measured them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from harness.errors import ConfigError
from harness.metrics import MEASUREMENTS
from harness.store import open_store
from harness.store.filters import PROTOCOLS, filtered
from harness.store.published import PUBLISHED_COLUMNS, PublishedColumn
from harness.store.reader import Store

PLACE = ("space", "dataset")
"""What the networks of one line of a comparison have in common."""

NETWORK = (*PLACE, "arch_index")
"""What tells the networks of an imported table apart."""

OWN = ("source", "hp", "seed", "split", "split_seed", "label_set")
"""Columns of the key that imported tables lack."""

COMPARED = (
    "acc", "ECE_15", "ECE_em_15", "cwCE_15", "cwCE_em_15", "cwACE_15", "MCE_15", "KSCE", "KDECE", "MMCE", "NLL",
    "Brier", "ood_auroc",
)  # fmt: skip
"""The measurements that are compared unless all are asked for."""


class Shown(NamedTuple):
    """What networks were shown, and the calibrator of their predictions; strength as in the store's ``robustness``."""

    condition: str
    strength: float
    calibrator: str


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: What the user called it.
        parts: For each condition and calibrator a frame with the columns of :data:`NETWORK`, of our own rows also those
            of :data:`OWN`, and a column for each measurement.
        is_own: Whether the rows are our own.
        n_copies: Rows that were left out since they repeat those of an isomorphic network.
    """

    name: str
    parts: Mapping[Shown, pd.DataFrame]
    is_own: bool
    n_copies: int = 0


def find_side(word: str, here: Callable[[], Store], filters: Mapping[str, Any], wanted: Sequence[str] | None) -> Side:
    """Return what a user means by one side of a comparison.

    Args:
        word: ``clean`` or ``paper`` for our own rows, the origin of an import, either of them after a store and a
            colon, or a store alone, with a slash in its name, whose ``clean`` rows are meant.
        here: Opens the store that the configuration names, in which words without a store are looked for.
        filters: Columns of the key of our own rows and the values that these must have.
        wanted: The measurements to take; None for all.

    Raises:
        ConfigError: It means nothing.
        StoreError: There is no such store, or its rows cannot be chosen so.
    """
    place, _, name = word.rpartition(":")
    if place and "/" not in name:
        store = open_store(place)
    elif "/" in word:
        store, name = open_store(word), "clean"
    else:
        store, name = here(), word
    names = [m.name for m in MEASUREMENTS] if wanted is None else wanted
    if name in PROTOCOLS:
        return Side(word, _own_parts(store.measurements(protocol=name, **filters), names), is_own=True)
    _refuse_unknown(store, name, word)
    known = {column: value for column, value in filters.items() if column in NETWORK}
    tables = [filtered(table(**known), {"origin": name}, ["origin"]) for table in (store.published, store.robustness)]
    n_copies = sum(table.aggregate("count(copied_from)").fetchall()[0][0] for table in tables)
    published, attacked = (table.filter("copied_from IS NULL") for table in tables)
    parts = _attacked_parts(attacked) | _published_parts(published, names)
    return Side(word, parts, is_own=False, n_copies=n_copies)


def _refuse_unknown(store: Store, name: str, word: str) -> None:
    query = "SELECT DISTINCT origin FROM published UNION SELECT DISTINCT origin FROM robustness ORDER BY origin"
    origins = [origin for (origin,) in store.sql(query).fetchall()]
    if name not in origins:
        imported = f"an imported table ({', '.join(origins)})" if origins else "an imported table (there is none)"
        raise ConfigError(
            f"expected {', '.join(PROTOCOLS)}, {imported} or the folder of a store, with a /, got "
            f"{word!r}; looked in {store.root.path}"
        )


def _own_parts(rows: duckdb.DuckDBPyRelation, names: Sequence[str]) -> dict[Shown, pd.DataFrame]:
    shown = "condition, severity::DOUBLE AS strength, calibrator"
    return _parts(rows.project(", ".join((shown, *NETWORK, *OWN, *(f'"{name}"' for name in names)))).df())


def _attacked_parts(rows: duckdb.DuckDBPyRelation) -> dict[Shown, pd.DataFrame]:
    return _parts(rows.project(f"condition, strength, 'none' AS calibrator, {', '.join(NETWORK)}, acc").df())


def _parts(rows: pd.DataFrame) -> dict[Shown, pd.DataFrame]:
    """Return rows by what was shown, without the columns that say it."""
    shown = list(Shown._fields)
    return {Shown(*key): part.drop(columns=shown) for key, part in rows.groupby(shown) if isinstance(key, tuple)}


def _published_parts(rows: duckdb.DuckDBPyRelation, names: Sequence[str]) -> dict[Shown, pd.DataFrame]:
    """Return the rows of published tables under the store's names of their measurements."""
    parts: dict[Shown, list[pd.DataFrame]] = {}
    for (space,) in rows.project("space").distinct().fetchall():
        columns: dict[Shown, list[PublishedColumn]] = {}
        for column in PUBLISHED_COLUMNS:
            if column.holds.get(space) in names:
                columns.setdefault(Shown(column.condition, column.strength, column.calibrator), []).append(column)
        of_space = rows.filter(f"space = '{space}'")
        for shown, held in columns.items():
            values = (f'"{column.name}" AS "{column.holds[space]}"' for column in held)
            parts.setdefault(shown, []).append(of_space.project(", ".join((*NETWORK, *values))).df())
    return {shown: pd.concat(frames, ignore_index=True) for shown, frames in parts.items()}
