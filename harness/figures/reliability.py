"""Is a network's confidence its accuracy? Reliability diagrams from the bins that the store holds."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures.style import BARS, GREY, OVER, UNDER, diagonal, house_style, note_instead

_N_BINS = 15
_FEW = 10
_PHASE = {"none": "before calibration", "temperature": "after temperature scaling"}


def reliability_of_most_accurate(rows: pd.DataFrame) -> Figure:
    """Return the reliability diagrams of the most accurate network, before and after calibration where both are there.

    Args:
        rows: Measurement rows of one data set, protocol, condition, split and label set.
    """
    if rows.empty:
        return note_instead("No measurement rows: `harness run` makes them.")
    best = rows.sort_values(["acc", "arch_index", "seed"]).iloc[-1]
    model = ["source", "space", "arch_index", "seed"]
    shown = rows.loc[(rows[model] == best[model]).all(axis=1), :].sort_values("calibrator")
    return reliability_diagrams(shown, f"{best['space']} {best['arch_index']}, seed {best['seed']}")


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
        figure, all_axes = plt.subplots(1, len(rows), figsize=(4.0 * len(rows), 4.6), squeeze=False, sharey=True)
        for axes, (_, row) in zip(all_axes[0], rows.iterrows(), strict=True):
            _diagram(axes, row)
        all_axes[0, 0].set_ylabel("accuracy in the bin")
        keys = [Patch(color=BARS, label="accuracy"), Patch(color=OVER, label="over-confident by")]
        keys += [
            Patch(color=UNDER, label="under-confident by"),
            Line2D([], [], color=GREY, ls="--", label="calibrated"),
        ]
        figure.legend(handles=keys, loc="outside lower center", ncols=4)
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
    strength = np.where(count[filled] < _FEW, 0.35, 1.0)
    axes.bar(centre, accuracy, width=width, color=[to_rgba(BARS, a) for a in strength], edgecolor="white")
    gap = confidence - accuracy
    colours = [to_rgba(OVER if g > 0 else UNDER, 0.75 * a) for g, a in zip(gap, strength, strict=True)]
    axes.bar(centre, gap, bottom=accuracy, width=width * 0.5, color=colours)
    for x, y, n in zip(centre, np.maximum(accuracy, confidence), count[filled], strict=True):
        axes.annotate(f"{int(n)}", (x, y), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7)
    diagonal(axes, 1.0)
    calibrator = str(row["calibrator"])
    phase = _PHASE.get(calibrator, calibrator)
    axes.set(xlim=(0, 1), ylim=(0, 1.06), xlabel="confidence", aspect="equal")
    axes.set_title(f"{phase}\nECE_15 {100 * row['ECE_15']:.2f}, accuracy {100 * row['acc']:.1f} %")
