"""The networks that a question is asked of, from our own rows or from an imported table, in one shape.

Of our own rows one setting is taken for each search space and data set: one archive, budget, seed, split, label set and
precision, that of most networks. Of isomorphic networks one counts unless told otherwise: rankings in which a network
stands many times are not rankings of networks.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from jaxtyping import Float64, Integer

from harness import spaces
from harness.errors import StoreError
from harness.metrics.resampling import HEADLINE
from harness.statistics.population import POST, PRE, Column, Population
from harness.statistics.settings import USUAL, most_complete_first
from harness.store.filters import PROTOCOLS, Filter, filtered
from harness.store.published import PUBLISHED_COLUMNS, Group, PublishedColumn
from harness.store.reader import Store
from harness.store.sql import sql_text

ONE_PER_CLASS, ALL, COPIED = "one per class", "all", "copied"
_NO_ISOMORPHS = "no two sizes are isomorphic"
RULES: Mapping[str, str] = {
    ONE_PER_CLASS: "one network of each isomorphism class",
    ALL: "all networks that were measured",
    COPIED: "all architectures, isomorphic ones with copied numbers, as published",
}
"""Which networks of isomorphic ones count."""

MEASURED = (*HEADLINE, "Brier_sum")
"""Measurements that a population holds unless others are asked for."""

_UNSHIFTED = "unshifted"
_ACCURACIES = "acc_replicates"
_PLACE = ("space", "dataset")
_SETTING = ("source", "hp", "seed", "split", "split_seed", "label_set", "precision")
_VIEWS = {"clean": "measurements", "paper": "paper_measurements"}
_KNOWN = "arch_index, arch_str, representative, kernel_parameters, widths, operations, live_edges"


def require_whose(store: Store, whose: str) -> None:
    """Refuse what is neither a protocol of our own rows nor the origin of an imported table.

    Raises:
        StoreError: It is neither; the message lists what there is.
    """
    origins = store.sql("SELECT DISTINCT origin FROM published ORDER BY origin").fetchall()
    known = [*PROTOCOLS, *(origin for (origin,) in origins)]
    if whose not in known:
        raise StoreError(
            f"whose numbers: expected {', '.join(known)}, got {whose!r}; `harness import published PATH` takes a "
            "published table into the store"
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of a population is asked for."""

    columns: tuple[str, ...]
    resampled: tuple[str, ...]
    calibrators: tuple[str, ...]
    rule: str
    condition: str
    severity: int

    @property
    def images(self) -> dict[str, str | int]:
        """The images on which networks were measured, as a filter."""
        return {"condition": self.condition, "severity": self.severity}


def populations(
    store: Store,
    whose: str = "clean",
    *,
    rule: str = ONE_PER_CLASS,
    columns: Sequence[str] = MEASURED,
    resampled: Sequence[str] = (),
    calibrators: Sequence[str] = (PRE, POST),
    condition: str = _UNSHIFTED,
    severity: int = 0,
    **filters: Filter,
) -> list[Population]:
    """Return the networks of each search space and data set, topologies first, data sets by name.

    Args:
        store: The store.
        whose: ``clean`` or ``paper`` for our own rows, or the origin of an imported table such as ``published``.
        rule: Which of isomorphic networks count, one of :data:`RULES`.
        columns: Measurements, under the names of the store.
        resampled: Measurements that are also wanted on resamples of the images: those of them that the family
            ``replicates`` has, where it was measured.
        calibrators: Calibrators; of an import those of the study.
        condition: The images on which networks were measured.
        severity: Its severity, 0 where it has none.
        filters: Columns of the key, or ``precision``, and the value or values that they must have; of an import
            ``space`` and ``dataset``. They narrow the choice of a setting, which is that of most networks.

    Raises:
        StoreError: There is no such import, rule or column, or a filter names no column or a text that no row has.
    """
    require_whose(store, whose)
    if rule not in RULES:
        raise StoreError(f"rule: expected {', '.join(RULES)}, got {rule!r}")
    wanted = _Wanted(tuple(columns), tuple(resampled), tuple(calibrators), rule, condition, severity)
    if condition != _UNSHIFTED and whose not in PROTOCOLS:
        raise StoreError(f"condition: imported tables have measurements on unshifted images alone, got {condition!r}")
    if whose in PROTOCOLS:
        found = list(_own(store, whose, wanted, filters))
    else:
        found = list(_imported(store, whose, wanted, filters))
    return sorted(found, key=lambda each: (each.space != "tss", each.space, each.dataset.casefold()))


def seeds_of(store: Store, whose: str = "clean") -> list[dict[str, int]]:
    """Return the training seeds of our own rows as filters of :func:`populations`; of an import, one that is none."""
    if whose not in PROTOCOLS:
        return [{}]
    found = store.sql(f"SELECT DISTINCT seed FROM {_VIEWS[whose]} ORDER BY seed").fetchall()
    return [{"seed": seed} for (seed,) in found]


def calibrators_of(store: Store, whose: str = "clean") -> tuple[str, ...]:
    """Return the calibrators of our own rows; of an import, those of the study."""
    if whose not in PROTOCOLS:
        return PRE, POST
    found = store.sql(f"SELECT DISTINCT calibrator FROM {_VIEWS[whose]} ORDER BY calibrator").fetchall()
    return tuple(name for (name,) in found)


def elsewhere(
    store: Store, whose: str = "clean", *, columns: Sequence[str] = MEASURED, resampled: Sequence[str] = ()
) -> dict[str, list[Population]]:
    """Return the networks on each set of other images that has labels, and with each other set of labels, by name.

    Names are those of conditions, such as ``fog:3``, and ``labels errors_removed``; an import has neither.

    Args:
        store: The store.
        whose: As for :func:`populations`.
        columns: As for :func:`populations`.
        resampled: As for :func:`populations`.
    """
    if whose not in PROTOCOLS:
        return {}
    view, ask = _VIEWS[whose], functools.partial(populations, store, whose, columns=columns, resampled=resampled)
    query = f"SELECT DISTINCT condition, severity FROM {view} WHERE condition <> '{_UNSHIFTED}' AND acc IS NOT NULL"
    found = {
        _called(condition, severity): ask(condition=condition, severity=severity)
        for condition, severity in store.sql(f"{query} ORDER BY ALL").fetchall()
    }
    query = f"SELECT DISTINCT label_set FROM {view} WHERE label_set <> '{USUAL['label_set']}' ORDER BY ALL"
    for (label_set,) in store.sql(query).fetchall():
        found[f"labels {label_set}"] = ask(label_set=label_set)
    return found


def _own(store: Store, protocol: str, wanted: _Wanted, filters: Mapping[str, Filter]) -> Iterator[Population]:
    """Yield the populations of our own rows of a protocol."""
    chosen = {"fingerprint": "commonest", **filters, "protocol": protocol}
    isomorphs = "all" if wanted.rule == COPIED else "own"
    rows = store.measurements(isomorphs=isomorphs, **chosen)
    rows = _where(rows, {"calibrator": wanted.calibrators})  # of which, unlike of filters, a store may have none
    scored = _where(rows, wanted.images)
    unknown = sorted(set(wanted.columns) - set(rows.columns))
    if unknown:
        raise StoreError(
            f"columns: no measurement is called {', '.join(unknown)}; `harness query --describe` lists them"
        )
    known = _architectures(store)
    for place, setting in _settings(scored):
        frame = _rows_of(_where(rows, {**place, **setting}), wanted)
        of_place = frame.loc[(frame["condition"] == wanted.condition) & (frame["severity"] == wanted.severity)]
        shown = frame.loc[(frame["condition"] != _UNSHIFTED) & (frame["calibrator"] == PRE)]
        networks = _of_space(known, place["space"], of_place["arch_index"].unique())
        counted, n_left_out = _counted(networks, wanted.rule)
        index = counted.index
        scores = {
            str(calibrator): of_calibrator.set_index("arch_index")[list(wanted.columns)].reindex(index)
            for calibrator, of_calibrator in of_place.groupby("calibrator")
        }
        yield Population(
            whose=protocol,
            **place,
            setting=setting,
            rule=_rule(place["space"], wanted.rule),
            n_left_out=n_left_out,
            n_space=_n_space(place["space"], wanted.rule),
            networks=counted,
            scores=scores,
            resamples=_resamples(of_place, of_place["calibrator"], wanted.resampled, index),
            robust=pd.concat([_by_condition(shown, "acc", index), _attacked(store, place, index)], axis=1),
            robust_resamples=_robust_resamples(shown, index) if wanted.resampled else {},
            detection=_by_condition(shown, "ood_auroc", index),
        )


def _rows_of(rows: duckdb.DuckDBPyRelation, wanted: _Wanted) -> pd.DataFrame:
    """Return what a population takes of the rows of its setting, in one reading.

    These are the rows of the wanted images, and of other images those before calibration.
    """
    scored = f"condition = {sql_text(wanted.condition)} AND severity = {wanted.severity}"
    shown = f"condition <> '{_UNSHIFTED}' AND calibrator = '{PRE}'"
    names = ("arch_index", "condition", "severity", "calibrator", *wanted.columns, "acc", "ood_auroc")
    lists = sorted({f"{name}_replicates" for name in wanted.resampled if name in HEADLINE} - {_ACCURACIES})
    columns = [_quoted(name) for name in dict.fromkeys(names)]
    columns += [f"CASE WHEN {scored} THEN {_quoted(name)} END AS {_quoted(name)}" for name in lists]
    if wanted.resampled:
        columns.append(_quoted(_ACCURACIES))
    return rows.filter(f"({scored}) OR ({shown})").project(", ".join(columns)).df()


def _settings(rows: duckdb.DuckDBPyRelation) -> Iterator[tuple[dict[str, str], dict[str, str | int]]]:
    """Yield each search space and data set with the setting of most networks; of equals the study's, then the first."""
    keys = ", ".join((*_PLACE, *_SETTING))
    counted = rows.aggregate(f"{keys}, count(DISTINCT arch_index) AS networks", keys).df()
    ordered = most_complete_first(counted, _SETTING)
    for first in ordered.drop_duplicates(list(_PLACE)).to_dict("records"):
        setting = {name: int(first[name]) if name in ("seed", "split_seed") else str(first[name]) for name in _SETTING}
        yield {name: str(first[name]) for name in _PLACE}, setting


def _resamples(
    rows: pd.DataFrame, kinds: pd.Series, columns: Sequence[str], index: pd.Index
) -> dict[Column, Float64[np.ndarray, "networks n_resamples"]]:
    """Return what the rows of each kind hold of measurements on resamples; what none of them holds is left out."""
    found = {}
    for kind, part in rows.groupby(kinds):
        by_network = part.set_index("arch_index").reindex(index)
        for name in filter(HEADLINE.__contains__, columns):
            held = [values if isinstance(values, np.ndarray) else None for values in by_network[f"{name}_replicates"]]
            n = max((len(values) for values in held if values is not None), default=0)
            if n:
                nothing = np.full(n, np.nan)
                each = [
                    nothing if values is None else np.ma.filled(values.astype(np.float64), np.nan) for values in held
                ]
                found[str(kind), name] = np.stack(each)
    return found


def _robust_resamples(rows: pd.DataFrame, index: pd.Index) -> dict[str, Float64[np.ndarray, "networks n"]]:
    """Return accuracies under each condition on resamples, which draw the same images as those of the test images."""
    return {condition: values for (condition, _), values in _resamples(rows, _names(rows), ["acc"], index).items()}


def _by_condition(rows: pd.DataFrame, column: str, index: pd.Index) -> pd.DataFrame:
    """Return a measurement of each network under each condition that has it, named ``fog:3``."""
    held = rows.loc[rows[column].notna()]
    return _wide(held, column, _names(held), index)


def _attacked(store: Store, place: Mapping[str, str], index: pd.Index) -> pd.DataFrame:
    """Return imported accuracies on attacked and corrupted images, of the networks of NATS-Bench alone."""
    rows = _where(store.sql("FROM robustness"), place).filter("condition <> 'unshifted'")
    held = rows.project("arch_index, condition, strength AS severity, acc").df()
    return _wide(held, "acc", _names(held) + " (imported)", index)


def _called(condition: str, strength: int | float) -> str:
    """Return how the images of a condition are called, such as ``fog:3``."""
    return f"{condition}:{strength:g}" if strength else condition


def _names(rows: pd.DataFrame) -> pd.Series:
    """Return how the images of each row are called."""
    return pd.Series(list(map(_called, rows["condition"], rows["severity"])), index=rows.index, dtype=str)


def _wide(rows: pd.DataFrame, column: str, called: pd.Series, index: pd.Index) -> pd.DataFrame:
    wide = rows.assign(called=called).pivot_table(index="arch_index", columns="called", values=column)
    return wide.reindex(index).dropna(axis=1, how="all").rename_axis(columns=None)


def _imported(store: Store, origin: str, wanted: _Wanted, filters: Mapping[str, Filter]) -> Iterator[Population]:
    """Yield the populations of an imported table."""
    rows = store.published(origin=origin, **filters)
    if wanted.rule == ALL:
        rows = rows.filter("copied_from IS NULL")
    known = _architectures(store)
    for place in rows.project("space, dataset").distinct().df().to_dict("records"):
        table = _where(rows, place).df().set_index("arch_index").sort_index()
        networks = _of_space(known, place["space"], table.index.to_numpy())
        counted, n_left_out = _counted(networks, wanted.rule)
        held = [column for column in PUBLISHED_COLUMNS if place["space"] in column.holds]
        table = table.loc[counted.index]
        yield Population(
            whose=origin,
            **place,
            setting={},
            rule=_rule(place["space"], wanted.rule),
            n_left_out=n_left_out,
            n_space=_n_space(place["space"], wanted.rule),
            networks=counted,
            scores=_published_scores(table, held, place["space"], wanted),
            robust=_published_group(table, held, Group.ATTACKS, Group.CORRUPTIONS),
            detection=_published_group(table, held, Group.DETECTION),
        )


def _published_scores(
    table: pd.DataFrame, held: Sequence[PublishedColumn], space: str, wanted: _Wanted
) -> dict[str, pd.DataFrame]:
    scores = {}
    for calibrator in wanted.calibrators:
        names = {
            column.name: column.holds[space]
            for column in held
            if column.group == Group.STUDY and column.calibrator == calibrator
        }
        frame = table.filter(items=list(names)).rename(columns=names)
        if "ECE_15" in frame:
            accuracy, calibrated = table["acc"], 1 - frame["ECE_15"]
            frame = frame.assign(HCS=2 * accuracy * calibrated / (accuracy + calibrated))
        if not frame.empty:
            scores[calibrator] = frame.filter(items=wanted.columns).astype(np.float64)
    return scores


def _published_group(table: pd.DataFrame, held: Sequence[PublishedColumn], *groups: Group) -> pd.DataFrame:
    names = {column.name: _called(column.condition, column.strength) for column in held if column.group in groups}
    return table.filter(items=list(names)).rename(columns=names).astype(np.float64).dropna(axis=1, how="all")


def _architectures(store: Store) -> duckdb.DuckDBPyRelation:
    query = "FROM architectures JOIN features USING (space, arch_index)"
    return store.sql(f"SELECT space, {_KNOWN} {query}")


def _of_space(known: duckdb.DuckDBPyRelation, space: str, indices: Integer[np.ndarray, " networks"]) -> pd.DataFrame:
    """Return what is known of some architectures, by index."""
    of_space = known.filter(f"space = '{space}'").df().drop(columns="space").set_index("arch_index")
    return of_space.loc[np.sort(indices)]


def _counted(networks: pd.DataFrame, rule: str) -> tuple[pd.DataFrame, int]:
    """Return the networks that count under a rule, of each class the smallest index, and how many do not."""
    counted = networks.drop_duplicates("representative") if rule == ONE_PER_CLASS else networks
    return counted, len(networks) - len(counted)


def _rule(space: str, rule: str) -> str:
    return RULES[rule] if space == "tss" else _NO_ISOMORPHS


def _n_space(name: str, rule: str) -> int:
    space = spaces.get(name)
    return len(space.representatives()) if rule == ONE_PER_CLASS else len(space)


def _where(rows: duckdb.DuckDBPyRelation, values: Mapping[str, Filter]) -> duckdb.DuckDBPyRelation:
    return filtered(rows, values, tuple(values))


def _quoted(name: str) -> str:
    return f'"{name}"'
