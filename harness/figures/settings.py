"""Which rows may stand in one figure: those of one data set, budget, protocol, condition, split, labels, precision."""

from collections.abc import Collection

import pandas as pd

from harness.statistics.settings import most_complete_first

MODEL = ["source", "space", "arch_index", "dataset", "hp", "seed"]
"""The columns that name a network."""

_SETTING = ["dataset", "hp", "split", "split_seed", "label_set", "precision"]
_COMPARABLE = ["dataset", "protocol", "condition", "severity", "split", "split_seed", "label_set", "precision"]


def setting_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line per setting, with its networks; the one with most first.

    Of equals the split, the labels and the precision of the published study come first.

    Args:
        rows: Measurement rows of one protocol and condition, or their keys alone.
    """
    each = rows.drop_duplicates([*_SETTING, *MODEL])
    counted = each.groupby(_SETTING, as_index=False).agg(networks=("arch_index", "size"))
    return most_complete_first(counted, _SETTING).reset_index(drop=True)


def most_complete_setting(rows: pd.DataFrame) -> dict[str, str | int | list[str]]:
    """Return the setting with the most networks, of equals the first, as filters for the store; of no rows, of none.

    Args:
        rows: Measurement rows of one protocol and condition, or their keys alone.
    """
    table = setting_table(rows)
    if table.empty:
        return {"dataset": []}
    first = table.iloc[0]
    return {name: int(first[name]) if name == "split_seed" else str(first[name]) for name in _SETTING}


def expect_one_setting(rows: pd.DataFrame, *, apart_from: Collection[str] = ()) -> None:
    """Refuse rows that must not be pooled; the budget may differ between search spaces, as in NATS-Bench.

    Args:
        rows: Measurement rows.
        apart_from: Columns in which they may differ.

    Raises:
        ValueError: They differ in another.
    """
    several = [name for name in _COMPARABLE if name not in apart_from and len(set(rows[name])) > 1]
    budgets = rows[["space", "hp"]].drop_duplicates()
    if len(budgets) > len(set(budgets["space"])):
        several.append("hp")
    if several:
        found = "; ".join(f"{name}: {', '.join(map(str, sorted(set(rows[name]))))}" for name in several)
        raise ValueError(f"expected rows of one {', '.join(several)}, got {found}; filter the rows first")


def expect_same_setting(first: pd.DataFrame, second: pd.DataFrame) -> None:
    """Refuse to compare rows that were scored on different images or labels; either may be empty.

    Args:
        first: Measurement rows of one setting.
        second: Measurement rows of one setting.

    Raises:
        ValueError: They differ in data set, split, label set or precision.
    """
    for name in ("dataset", "split", "split_seed", "label_set", "precision"):
        found = [set(rows[name]) for rows in (first, second)]
        if all(found) and found[0] != found[1]:
            shown = " and ".join(", ".join(map(str, sorted(values))) for values in found)
            raise ValueError(f"expected rows of the same {name}, got {shown}")
