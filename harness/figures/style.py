"""What all figures share: colours that stay apart for colour-blind readers, quiet axes, names of spaces."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.axes import Axes

SPACE_COLOURS = {"tss": "#0072b2", "sss": "#d55e00"}
SPACE_MARKERS = {"tss": "o", "sss": "s"}
SPACE_LABELS = {"tss": "topology space (TSS)", "sss": "size space (SSS)"}
OVER, UNDER = "#d55e00", "#009e73"
BARS, GREY = "#56b4e9", "#6e6e6e"

_RC = {
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


def diagonal(axes: Axes, low: float, high: float, label: str) -> None:
    """Draw the line of equal values."""
    axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1, label=label, zorder=1)
