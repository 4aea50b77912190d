"""Rank correlations as matrices of coloured cells, the noise ceiling of each ranking on the diagonal."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from harness.figures.tables import with_ends
from harness.statistics import Agreement, Interval
from harness.statistics.population import Population

_COLOURS = "RdBu"
_FEW = 9
"""Up to so many columns the intervals have room in the cells."""


def draw_matrix(axes: Axes, agreement: Agreement, labels: Sequence[str]) -> None:
    """Draw tau-b of every two columns as a cell, with its interval where there is room, and ceilings on the diagonal.

    Cells without a value, of rankings without order, stay empty.
    """
    shown = agreement.tau.value.copy()
    np.fill_diagonal(shown, agreement.ceiling)
    draw_cells(axes, shown, labels, labels, agreement.tau.images)


def draw_bar(figure: Figure, axes: Iterable[Axes], diagonal: str = "noise ceiling") -> None:
    """Draw beside the panels what the colours mean, and what is on the diagonal."""
    scale = ScalarMappable(Normalize(-1, 1), _COLOURS)
    figure.colorbar(scale, ax=list(axes), shrink=0.6, label=f"Kendall's tau-b (diagonal: {diagonal})")


def draw_cells(
    axes: Axes,
    values: Float64[np.ndarray, "rows columns"],
    rows: Sequence[str],
    columns: Sequence[str],
    images: Interval,
) -> None:
    """Draw rank correlations as coloured cells with their numbers; those that are NaN stay empty.

    Args:
        axes: Where.
        values: The rank correlations.
        rows: What the rows are called.
        columns: What the columns are called.
        images: Their intervals, which are written where there is room.
    """
    many = max(len(rows), len(columns)) > _FEW
    axes.imshow(values, cmap=_COLOURS, vmin=-1, vmax=1)
    turned = {"rotation": 90, "ha": "center"} if many else {"rotation": 40, "ha": "right"}
    axes.set_xticks(range(len(columns)), columns, rotation_mode="default" if many else "anchor", **turned)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=7 if many else 9)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for (i, j), value in np.ndenumerate(values):
        if not np.isnan(value):
            _write(axes, i, j, _short(value), value, size=5.5 if many else 9.0)
            low, high = float(images.low[i, j]), float(images.high[i, j])
            if not many and not np.isnan(low):
                _write(axes, i, j, f"{_short(low)} to {_short(high)}", value, below=True)


def _write(axes: Axes, i: int, j: int, text: str, value: float, *, below: bool = False, size: float = 9.0) -> None:
    colour = "white" if abs(value) > 0.65 else "black"
    axes.text(
        j,
        i + (0.3 if below else 0.0),
        text,
        ha="center",
        va="center",
        color=colour,
        fontsize=5.5 if below else size,
        in_layout=False,  # it lies in its cell: measuring hundreds of texts for the layout takes longer than drawing
    )


def _short(value: float) -> str:
    """Return a rank correlation without its leading zero.

    Example:
        >>> _short(0.876), _short(-0.05), _short(1.0)
        ('.88', '-.05', '1.00')
    """
    return f"{value:.2f}".replace("0.", ".") if abs(value) < 0.995 else f"{value:.2f}"


def agreement_lines(population: Population, agreement: Agreement, labels: Sequence[str]) -> Iterator[dict[str, object]]:
    """Yield a line of a table for every two columns: tau-b, intervals over images and networks, noise ceilings.

    Args:
        population: The networks.
        agreement: How far the columns agree.
        labels: What the columns are called.
    """
    for i, first in enumerate(labels):
        for j in range(i + 1, len(labels)):
            line: dict[str, object] = {"networks": population.name, "first": first, "second": labels[j]}
            line |= {"n": agreement.n[i, j], **with_ends("tau", agreement.tau, (i, j))}
            yield line | {"ceiling of first": agreement.ceiling[i], "ceiling of second": agreement.ceiling[j]}
