"""Which rows may stand in one figure: those of one data set, budget, split and label set."""

import pandas as pd

_SETTING = ["dataset", "hp", "protocol", "condition", "severity", "split", "split_seed", "label_set"]


def most_complete_setting(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the setting that has the most, of equals the first in order; of no rows, none.

    Args:
        rows: Measurement rows of any settings.
    """
    if rows.empty:
        return rows
    n_rows = rows.groupby(_SETTING)["arch_index"].transform("size")
    chosen = rows.assign(n_rows=n_rows).sort_values(["n_rows", *_SETTING], ascending=[False] + [True] * len(_SETTING))
    return rows.loc[(rows[_SETTING] == chosen.iloc[0][_SETTING]).all(axis=1), :]


def setting_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the setting of some rows and their number of networks, as a table of one line per setting."""
    networks = rows.drop_duplicates([*_SETTING, "source", "space", "arch_index", "seed"])
    counted = networks.groupby(_SETTING, as_index=False).agg(networks=("arch_index", "size"))
    return counted.rename(columns={"hp": "budget"})
