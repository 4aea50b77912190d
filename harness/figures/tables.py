"""How a table of numbers with intervals is made, and how a table is shown."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from harness.figures.note import Note
from harness.statistics import Estimates


def with_ends(name: str, found: Estimates, place: tuple[int, ...]) -> dict[str, float]:
    """Return the cells of a table that hold a number and the ends of its intervals.

    Args:
        name: What the number is called.
        found: Numbers with intervals.
        place: Which of them.
    """
    intervals = {"images": found.images, "networks": found.networks}
    ends = {f"{end} ({over})": getattr(of, end)[place] for over, of in intervals.items() for end in ("low", "high")}
    return {name: found.value[place]} | {column: float(end) for column, end in ends.items()}


def table_of(lines: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Return lines as a table, without columns for intervals over networks where no line has one."""
    table = pd.DataFrame(lines)
    known = table.dropna(axis="columns", how="all").columns
    return table.drop(columns=[name for name in table if "(networks)" in name and name not in known])


def number_text(line: Mapping[Any, Any], name: str = "tau") -> str:
    """Return the number of a line with its intervals, as far as it has them.

    Example:
        >>> number_text({"tau": 0.876, "low (images)": 0.81, "high (images)": 0.93})
        '0.88 [0.81, 0.93]'
        >>> number_text({"tau": -0.05, "low (networks)": -0.3, "high (networks)": 0.2}), number_text({"tau": np.nan})
        ('-0.05 (over networks [-0.30, 0.20])', 'undefined')
    """
    value = line[name]
    if np.isnan(value):
        return "undefined"
    images, networks = (
        f"[{line[low]:.2f}, {line[high]:.2f}]" if low in line and not np.isnan(line[low]) else ""
        for low, high in ((f"low ({over})", f"high ({over})") for over in ("images", "networks"))
    )
    return f"{value:.2f}" + (f" {images}" if images else "") + (f" (over networks {networks})" if networks else "")


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
