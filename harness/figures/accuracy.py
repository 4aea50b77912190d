"""How does calibration go with accuracy? One point per network."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from harness.figures.style import SPACE_COLOURS, SPACE_LABELS, SPACE_MARKERS, house_style


def error_against_accuracy(rows: pd.DataFrame, column: str = "ECE_15") -> Figure:
    """Return a scatter of a calibration error against accuracy, before calibration, one point per network.

    Args:
        rows: Measurement rows of one data set, protocol and condition with calibrator ``none``.
        column: The calibration error.

    Raises:
        ValueError: There are rows after calibration, or none at all.
    """
    if rows.empty or set(rows["calibrator"]) != {"none"}:
        raise ValueError(f"expected rows with calibrator none, got {sorted(set(rows['calibrator']))}")
    with house_style():
        figure, axes = plt.subplots(figsize=(6.4, 4.2))
        for space, members in rows.groupby("space"):
            axes.scatter(
                100 * members["acc"],
                100 * members[column],
                s=34,
                alpha=0.85,
                color=SPACE_COLOURS[str(space)],
                marker=SPACE_MARKERS[str(space)],
                edgecolor="white",
                linewidth=0.5,
                label=f"{SPACE_LABELS[str(space)]}, {len(members)} networks",
            )
        axes.set(xlabel="accuracy (%)", ylabel=f"{column}, before calibration (points)", ylim=(0, None))
        axes.set_title(f"{column} against accuracy")
        axes.legend()
    plt.close(figure)
    return figure
