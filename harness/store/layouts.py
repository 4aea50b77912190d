"""Other shapes of the same rows, as SQL: one row per network with the published names, and one row per value."""

from collections.abc import Sequence

from harness.metrics import MEASUREMENTS, Measurement
from harness.store.published import ONCE, PHASES
from harness.store.schema import ROW_KEY, UNIT_KEY, key_names
from harness.store.sql import sql_texts

_PHASE_KEY = (*key_names(UNIT_KEY), "split", "split_seed", "label_set")
_PRE, _POST = PHASES["pre"], PHASES["post"]
_CIFAR10 = ("cifar10", "cifar10-valid")
_AUCS = {"auc_cifar10c": ("gaussian_noise", 5, _CIFAR10), "auc_svhn": ("svhn", 0, (*_CIFAR10, "cifar100"))}

OOD_CONDITIONS = tuple(condition for condition, *_ in _AUCS.values())
"""The conditions whose detection the published tables hold."""


def wide_query(rows: str, shifted: str, *, has_origin: bool) -> str:
    """Return the query that lays measurement rows out as the published tables: one row per network and setting.

    The published tables call two measurements ``cwCE_em_M``: in TSS files it is ``cwACE_M``, in SSS files
    ``cwCE_em_M``; the layout follows the space of each row. Settings whose images have no labels make no row; what was
    measured on the two published ones stands in ``auc_svhn`` and ``auc_cifar10c`` of the unshifted row.

    Args:
        rows: Name of a view of measurement rows; needs a table ``architectures`` beside it.
        shifted: Name of a view of the rows of :data:`OOD_CONDITIONS`.
        has_origin: Whether the rows say whether they were computed or inherited.
    """
    names = dict.fromkeys(m.published for m in MEASUREMENTS if m.published and m.published not in ONCE)
    columns = [f"pre.{name}" for name in (*_PHASE_KEY, *(["origin"] if has_origin else []))]
    columns += ["pre.arch_index AS config", *(f"pre.{name}" for name in ONCE), "arch_str AS arch"]
    for name in names:
        columns += [
            f'{_published(name, phase)} AS "{phase}_{name}"'  # pre and post stand side by side, as published
            for phase in PHASES
        ]
    columns += [f"{name}.ood_auroc AS {name}" for name in _AUCS]
    same = " AND ".join(f"pre.{name} = post.{name}" for name in _PHASE_KEY)
    return (
        f"SELECT {', '.join(columns)} FROM {rows} pre "
        f"LEFT JOIN {rows} post ON {same} AND post.calibrator = '{_POST}' "
        f"{' '.join(_auc_join(name, shifted) for name in _AUCS)} "
        f"JOIN architectures a ON pre.space = a.space AND pre.arch_index = a.arch_index "
        f"WHERE pre.calibrator = '{_PRE}' AND pre.acc IS NOT NULL ORDER BY ALL"
    )


def _auc_join(name: str, shifted: str) -> str:
    """Join the row of a published out-of-distribution condition before calibration to the unshifted one."""
    condition, severity, trained_on = _AUCS[name]
    same = " AND ".join(f"pre.{key} = {name}.{key}" for key in _PHASE_KEY if key not in ("condition", "severity"))
    return (
        f"LEFT JOIN {shifted} {name} ON {same} AND pre.condition = 'unshifted' AND {name}.calibrator = '{_PRE}' "
        f"AND {name}.condition = '{condition}' AND {name}.severity = {severity} AND {name}.test_set = pre.test_set "
        f"AND pre.dataset IN {sql_texts(trained_on)}"
    )


def _published(name: str, phase: str) -> str:
    """The value of a published column: one measurement, or by space one of several that share the name."""
    holders: Sequence[Measurement] = [m for m in MEASUREMENTS if m.published == name]
    if len(holders) == 1:
        return f'{phase}."{holders[0].name}"'
    cases = [
        f"WHEN pre.space = '{space}' THEN {phase}.\"{holder.name}\""
        for holder in holders
        for space in holder.published_in
    ]
    return f"CASE {' '.join(cases)} END"


def tidy_query(rows: str, *, has_origin: bool) -> str:
    """Return the query that lays measurement rows out as one row per value: key, ``metric``, ``n_bins``, ``value``.

    ``metric`` is the name without the number of bins; of the user's own families it is the whole name. Undefined values
    are left out.

    Args:
        rows: Name of a view of measurement rows.
        has_origin: Whether they say whether they were computed or inherited.
    """
    names = ", ".join(f'"{m.name}"' for m in MEASUREMENTS)
    table = ", ".join(f"('{m.name}', '{m.metric}', {m.n_bins or 'NULL'})" for m in MEASUREMENTS)
    key = ", ".join((*key_names(ROW_KEY), *(["origin"] if has_origin else [])))
    return (
        f"SELECT {key}, metric, n_bins, value FROM (UNPIVOT {rows} ON {names} INTO NAME name VALUE value) "
        f"JOIN (VALUES {table}) AS dictionary(name, metric, n_bins) USING (name) "
        f"UNION ALL SELECT {key}, entry.key AS metric, NULL AS n_bins, entry.value AS value "
        f"FROM (SELECT *, unnest(map_entries(own)) AS entry FROM {rows}) WHERE entry.value IS NOT NULL"
    )
