"""How does calibration go with accuracy? One point per network."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.style import house_style, scatter_percent


def error_against_accuracy(rows: pd.DataFrame, column: str = "ECE_15", *, closer: float = 0.9) -> Figure:
    """Return a calibration error against accuracy before calibration: all networks, and the accurate ones closer.

    Args:
        rows: Measurement rows of one data set, protocol and condition with calibrator ``none``.
        column: The calibration error.
        closer: The second panel shows the networks of at least this accuracy, in [0, 1].

    Raises:
        ValueError: There are rows after calibration, or none at all.
    """
    if rows.empty or set(rows["calibrator"]) != {"none"}:
        raise ValueError(f"expected rows with calibrator none, got {sorted(set(rows['calibrator']))}")
    accurate = rows.loc[rows["acc"] >= closer, :]
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2))
        _panel(left, rows, column, f"all {len(rows)} networks")
        _panel(right, accurate, column, f"the {len(accurate)} of at least {100 * closer:.0f} % accuracy")
        left.set_ylabel(f"{column}, before calibration (points)")
        left.legend()
    plt.close(figure)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, column: str, title: str) -> None:
    scatter_percent(axes, rows, "acc", column)
    axes.set(xlabel="accuracy (%)", ylim=(0, None))
    axes.set_title(title)
