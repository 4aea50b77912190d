"""Tables to show: one row per network, rounded for reading, and how any table is shown."""

import pandas as pd
from pandas.io.formats.style import Styler

from harness.figures.note import Note
from harness.figures.pre_post import joined
from harness.figures.settings import MODEL


def models_table(rows: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network, the most accurate first: accuracy, ECE before and after, temperature, gate.

    Args:
        rows: Measurement rows of one setting, before and after temperature scaling.
        models: The store's models.

    Raises:
        ValueError: The rows are of several settings.
    """
    pre = rows[rows["calibrator"] == "none"].set_index(MODEL)
    post = rows[rows["calibrator"] == "temperature"].set_index(MODEL)
    ece = joined(rows, "ECE_15").set_index(MODEL)
    table = pd.DataFrame(
        {
            "accuracy (%)": 100 * pre["acc"],
            "ECE_15 before": 100 * ece["pre"],
            "ECE_15 after": 100 * ece["post"],
            "NLL before": pre["NLL"],
            "NLL after": post["NLL"],
            "temperature": post["temperature"],
            "gate": rows.drop_duplicates(MODEL).set_index(MODEL)["gate"],
            "architecture": models.drop_duplicates(MODEL).set_index(MODEL)["arch_str"],
        }
    ).reset_index()
    shown = table.sort_values("accuracy (%)", ascending=False).drop(columns=["source", "dataset", "hp"])
    return shown.rename(columns={"arch_index": "index"}).round(3).reset_index(drop=True)


def styled(table: pd.DataFrame, *, precision: int = 2, empty: str = "") -> Styler | Note:
    """Return a table as it is shown: without row numbers, decimals cut; of an empty one, a note.

    Args:
        table: The table.
        precision: Decimals.
        empty: What is said of an empty table, in Markdown.
    """
    if table.empty:
        return Note(empty)
    shown = table.style.hide(axis="index")
    shown.format(precision=precision, na_rep="")
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    shown.set_table_styles({name: [{"selector": "", "props": "text-align: left"}] for name in texts}, overwrite=False)
    return shown
