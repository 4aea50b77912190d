"""What all figures share: colours that stay apart for colour-blind readers, quiet axes, names of spaces."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SPACE_COLOURS = {"tss": "#0072b2", "sss": "#d55e00"}
SPACE_MARKERS = {"tss": "o", "sss": "s"}
SPACE_LABELS = {"tss": "topology space (TSS)", "sss": "size space (SSS)"}
OVER, UNDER = "#d55e00", "#009e73"
BARS, GREY = "#56b4e9", "#6e6e6e"

_RC: dict[Any, Any] = {
    "figure.dpi": 110,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style while the body runs."""
    with mpl.rc_context(_RC):
        yield


def note_instead(message: str) -> Figure:
    """Return a figure that says why there is none."""
    figure = Figure(figsize=(6.4, 0.8))
    figure.text(0.0, 0.5, message, va="center", color=GREY)
    return figure


def scatter_percent(axes: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    """Draw column y against column x in percent, one point per network, coloured and shaped by its search space."""
    for name in sorted(set(rows["space"])):
        chosen = rows[rows["space"] == name]
        axes.scatter(
            100 * chosen[x],
            100 * chosen[y],
            s=34,
            alpha=0.85,
            color=SPACE_COLOURS[name],
            marker=SPACE_MARKERS[name],
            edgecolor="white",
            linewidth=0.5,
            label=f"{SPACE_LABELS[name]}, {len(chosen)} networks",
        )


def diagonal(axes: Axes, high: float, label: str | None = None) -> None:
    """Draw the line of equal values from 0 to ``high``."""
    axes.plot([0, high], [0, high], color=GREY, linestyle="--", linewidth=1, label=label, zorder=1)
