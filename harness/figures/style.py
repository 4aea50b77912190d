"""What all figures share: colours that stay apart for colour-blind readers, quiet axes, names of spaces and phases."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.figures.settings import MODEL

SPACE_COLOURS = {"tss": "#0072b2", "sss": "#d55e00"}
SPACE_MARKERS = {"tss": "o", "sss": "s"}
SPACE_LABELS = {"tss": "topology space (TSS)", "sss": "size space (SSS)"}
PHASE_COLOURS = {"none": "#56b4e9", "temperature": "#e69f00"}
PHASE_LABELS = {"none": "before calibration", "temperature": "after temperature scaling"}
LINE_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
    "#8c564b",
    "#7f7f7f",
    "#bcbd22",
)
"""Ten lines of one panel; Okabe and Ito's eight come first."""

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
_MANY = 500
"""So many points are drawn small, and as an image in a PDF, which would be slow to open otherwise."""


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style while the body runs."""
    with mpl.rc_context(_RC):
        yield


def scatter(axes: Axes, rows: pd.DataFrame, x: str, y: str, scales: tuple[float, float]) -> None:
    """Draw column y against column x, each on its scale: a point per network, its search space as colour and shape."""
    for name in spaces_of(rows):
        chosen = rows.loc[rows["space"] == name, :].sort_values([x, y])  # a store gives rows in any order
        many = len(chosen) > _MANY
        axes.scatter(
            scales[0] * chosen[x],
            scales[1] * chosen[y],
            s=4 if many else 34,
            alpha=0.2 if many else 0.85,
            color=SPACE_COLOURS[name],
            marker=SPACE_MARKERS[name],
            edgecolor="none" if many else "white",
            linewidth=0.5,
            rasterized=many,
        )


def spaces_of(rows: pd.DataFrame) -> list[str]:
    """Return the search spaces of some rows in the order in which figures show them."""
    return sorted(set(rows["space"]), reverse=True)


def space_keys(rows: pd.DataFrame) -> list[Line2D]:
    """Return the lines of a legend that say which points are of which space, and of how many networks."""
    each = rows.drop_duplicates(MODEL)
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=SPACE_MARKERS[name],
            color=SPACE_COLOURS[name],
            label=space_title(each.loc[each["space"] == name, :]),
        )
        for name in spaces_of(each)
    ]


def space_title(rows: pd.DataFrame) -> str:
    """Return what networks of one search space are: the space, what they were trained on, and how many there are."""
    (space,) = set(rows["space"])
    trained_on = " and ".join(sorted(set(rows["dataset"])))
    return f"{SPACE_LABELS[space]} on {trained_on}, {networks(len(rows.drop_duplicates(MODEL)))}"


def line_key(label: str) -> Line2D:
    """Return the line of a legend that says what a dashed line means."""
    return Line2D([], [], color=GREY, linestyle="--", linewidth=1, label=label)


def diagonal(axes: Axes, high: float) -> None:
    """Draw the line of equal values from 0 to ``high``."""
    axes.plot([0, high], [0, high], color=GREY, linestyle="--", linewidth=1, zorder=1)


def networks(n: int) -> str:
    """Return a number of networks in words.

    Example:
        >>> networks(1), networks(2)
        ('1 network', '2 networks')
    """
    return "1 network" if n == 1 else f"{n:,} networks"
