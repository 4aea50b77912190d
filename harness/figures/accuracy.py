"""How does calibration go with accuracy? One point per network."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.note import Note
from harness.figures.quantity import quantity
from harness.figures.settings import expect_one_setting
from harness.figures.style import house_style, networks, scatter, space_keys


def error_against_accuracy(rows: pd.DataFrame, column: str = "ECE_15", *, closer: float | None = None) -> Figure | Note:
    """Return a calibration error against accuracy before calibration: all networks, and the accurate ones closer.

    Args:
        rows: Measurement rows of one setting; those before calibration are shown.
        column: The calibration error.
        closer: The second panel shows the networks of at least this accuracy, in [0, 1]; the more accurate half if
            there is none.

    Raises:
        ValueError: The rows are of several settings.
    """
    expect_one_setting(rows)
    before = rows.loc[rows["calibrator"] == "none", :].dropna(subset=["acc", column])
    if before.empty:
        return Note("No rows before calibration: `harness run study.calibrators=[none,temperature]` makes them.")
    at_least = float(before["acc"].median()) if closer is None else closer
    accurate = before.loc[before["acc"] >= at_least, :]
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2))
        _panel(left, before, column, f"all {networks(len(before))}")
        _panel(right, accurate, column, f"the {networks(len(accurate))} of at least {100 * at_least:.1f} % accuracy")
        left.set_ylabel(quantity(column).label(f"{column} before calibration"))
        figure.legend(handles=space_keys(before), loc="outside lower center", ncols=2)
    plt.close(figure)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, column: str, title: str) -> None:
    scatter(axes, rows, "acc", column, (quantity("acc").scale, quantity(column).scale))
    axes.set(xlabel=quantity("acc").label("accuracy"), ylim=(0, None))
    axes.set_title(title)
