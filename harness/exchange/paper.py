"""Writes our own rows of the protocol ``paper`` as the study published its tables: names, order, copied isomorphs.

Imported tables are never written: they are read from other tables of the store than measurements.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from harness import spaces
from harness.errors import StoreError
from harness.exchange.folder import new_folder
from harness.exchange.published import file_name
from harness.store.published import published_names
from harness.store.reader import Store

_PROTOCOL = "paper"
_NETWORK = ("source", "hp", "seed", "split", "split_seed", "label_set")


class Written(NamedTuple):
    """A file that was written: its name, whose networks it holds, its rows, and how many repeat another."""

    name: str
    space: str
    dataset: str
    n_rows: int
    n_copies: int


def export_paper(store: Store, out: Path, filters: Mapping[str, Any]) -> list[Written]:
    """Write a table for each data set and space of which the store has rows of the protocol ``paper``.

    Topologies without rows of their own repeat those of their representative, with its string, as published. Columns
    that the store has no rows for, such as those of attacks, are empty.

    Args:
        store: The store.
        out: The folder to make.
        filters: Key columns and the values that rows must have.

    Raises:
        ConfigError: ``out`` is there already.
        StoreError: The store has no such rows, or several of one architecture.
    """
    parts = _parts(store, filters)
    with new_folder(out) as folder:
        return [_write(store, folder, space, dataset, filters) for space, dataset in parts]


def _parts(store: Store, filters: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = store.measurements(protocol=_PROTOCOL, condition="unshifted", **filters)
    parts = rows.project("space, dataset").distinct().fetchall()
    if not parts:
        raise StoreError(
            f"{store.root.path} has no rows of the protocol {_PROTOCOL} of its own to export; study.protocols=[paper] "
            "makes them, imported tables are not exported"
        )
    return sorted(parts, reverse=True)


def _write(store: Store, folder: Path, space: str, dataset: str, filters: Mapping[str, Any]) -> Written:
    chosen = {**filters, "space": space, "dataset": dataset}
    frame = store.wide(protocol=_PROTOCOL, isomorphs="all", condition="unshifted", **chosen).df()
    _refuse_several(frame, f"{space}, {dataset}")
    frame = _as_published(frame, space)
    is_copy = frame.pop("is_copy")
    name = file_name(space, dataset)
    frame.to_csv(folder / name, index=False)
    return Written(name, space, dataset, len(frame), int(is_copy.sum()))


def _refuse_several(frame: pd.DataFrame, what: str) -> None:
    """Refuse rows that a table with one row per architecture cannot hold.

    Raises:
        StoreError: An architecture has several.
    """
    if frame["config"].is_unique:
        return
    found = {name: sorted(map(str, frame[name].drop_duplicates())) for name in _NETWORK}
    shown = "; ".join(f"{name}: {', '.join(values)}" for name, values in found.items() if len(values) > 1)
    raise StoreError(f"{what}: an architecture has several rows, and the layout one; choose with --only among {shown}")


def _as_published(frame: pd.DataFrame, space: str) -> pd.DataFrame:
    """Return the published columns in their order, sorted by architecture, and a column ``is_copy``."""
    names = published_names(space)
    is_copy = frame["origin"] == "inherited"
    known = spaces.get(space)
    frame.loc[is_copy, "arch"] = [known.strings[known.representative(i)] for i in frame.loc[is_copy, "config"]]
    table = frame.reindex(columns=names).assign(is_copy=is_copy)
    return table.sort_values("config", ignore_index=True)
