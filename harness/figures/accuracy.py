"""How does calibration go with accuracy? One point per network."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.style import house_style, note_instead, scatter_percent


def error_against_accuracy(rows: pd.DataFrame, column: str = "ECE_15", *, closer: float = 0.9) -> Figure:
    """Return a calibration error against accuracy before calibration: all networks, and the accurate ones closer.

    Args:
        rows: Measurement rows of one data set, protocol, condition and split; those before calibration are shown.
        column: The calibration error.
        closer: The second panel shows the networks of at least this accuracy, in [0, 1].
    """
    before = rows.loc[rows["calibrator"] == "none", :]
    if before.empty:
        return note_instead("No rows before calibration: study.calibrators=[none,...] makes them.")
    accurate = before.loc[before["acc"] >= closer, :]
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2))
        _panel(left, before, column, f"all {len(before)} networks")
        _panel(right, accurate, column, f"the {len(accurate)} of at least {100 * closer:.0f} % accuracy")
        left.set_ylabel(f"{column}, before calibration (points)")
        left.legend()
    plt.close(figure)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, column: str, title: str) -> None:
    scatter_percent(axes, rows, "acc", column)
    axes.set(xlabel="accuracy (%)", ylim=(0, None))
    axes.set_title(title)
