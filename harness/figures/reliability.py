"""Is a network's confidence its accuracy? Reliability diagrams from the bins that the store holds."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.style import BARS, OVER, UNDER, diagonal, house_style

_N_BINS = 15
_PHASE = {"none": "before calibration", "temperature": "after temperature scaling"}


def reliability_diagrams(rows: pd.DataFrame, title: str) -> Figure:
    """Return the reliability diagrams of some rows side by side, 15 equal-width bins of the confidence.

    Args:
        rows: Measurement rows, usually of one network before and after calibration.
        title: What they show.

    Raises:
        ValueError: There are no rows.
    """
    if rows.empty:
        raise ValueError("expected at least one row to draw, got none")
    with house_style():
        figure, all_axes = plt.subplots(1, len(rows), figsize=(4.4 * len(rows), 4.4), squeeze=False, sharey=True)
        for axes, (_, row) in zip(all_axes[0], rows.iterrows(), strict=True):
            _diagram(axes, row)
        all_axes[0, 0].set_ylabel("accuracy in the bin")
        figure.legend(*all_axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.suptitle(title, fontsize=11)
    plt.close(figure)
    return figure


def _diagram(axes: Axes, row: pd.Series) -> None:
    count = np.asarray(row["bin15_count"], dtype=float)
    filled = count > 0
    confidence = np.asarray(row["bin15_confidence"], dtype=float)[filled]
    accuracy = np.asarray(row["bin15_accuracy"], dtype=float)[filled]
    centre = ((np.arange(_N_BINS) + 0.5) / _N_BINS)[filled]
    width = 1 / _N_BINS
    axes.bar(centre, accuracy, width=width, color=BARS, edgecolor="white", label="accuracy")
    gap = confidence - accuracy
    for sign, colour, label in ((1, OVER, "over-confident by"), (-1, UNDER, "under-confident by")):
        chosen = sign * gap > 0
        axes.bar(
            centre[chosen],
            gap[chosen],
            bottom=accuracy[chosen],
            width=width * 0.5,
            color=colour,
            alpha=0.75,
            label=label,
        )
    for x, y, n in zip(centre, np.maximum(accuracy, confidence), count[filled], strict=True):
        axes.annotate(f"{int(n)}", (x, y), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7)
    diagonal(axes, 1.0, "calibrated")
    calibrator = str(row["calibrator"])
    phase = _PHASE.get(calibrator, calibrator)
    axes.set(xlim=(0, 1), ylim=(0, 1.06), xlabel="confidence (numbers: images)", aspect="equal")
    axes.set_title(f"{phase}\nECE_15 {100 * row['ECE_15']:.2f}, accuracy {100 * row['acc']:.1f} %")
