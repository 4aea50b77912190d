"""How a table is shown."""

import pandas as pd
from pandas.io.formats.style import Styler

from harness.figures.note import Note


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
