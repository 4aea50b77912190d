"""Cells of the topology space drawn as graphs: four nodes, an arrow for each edge, its operation as colour."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from harness.figures.style import GREY, house_style
from harness.spaces.cell import EDGES, N_NODES, live_edges, parse_cell

OPERATION_COLOURS = {
    "nor_conv_3x3": "#d55e00",
    "nor_conv_1x1": "#e69f00",
    "avg_pool_3x3": "#0072b2",
    "skip_connect": GREY,
}
"""The operation ``none`` is no arrow."""

_PLACES = ((0.0, 0.0), (1.0, 0.45), (2.0, -0.45), (3.0, 0.0))
_BENDS = {(3, 0): -0.75}
"""The arrow from input to output goes round the nodes between."""


def draw_cell(axes: Axes, arch_str: str) -> None:
    """Draw a cell; arrows that do not lie on a path from input to output are pale, for they change nothing.

    A convolution of what is zero is a learned constant, so such an arrow may still matter a little.
    """
    operations = parse_cell(arch_str)
    for edge, operation, is_live in zip(EDGES, operations, live_edges(operations), strict=True):
        if operation in OPERATION_COLOURS:
            bend = _BENDS.get((edge.target, edge.source), 0.0)
            arrow = FancyArrowPatch(
                _PLACES[edge.source],
                _PLACES[edge.target],
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=9,
                shrinkA=7,
                shrinkB=7,
                linewidth=2,
                color=OPERATION_COLOURS[operation],
                alpha=1.0 if is_live else 0.25,
            )
            axes.add_patch(arrow)
    for node, (x, y) in enumerate(_PLACES):
        axes.annotate(
            "in" if node == 0 else "out" if node == N_NODES - 1 else str(node),
            (x, y),
            ha="center",
            va="center",
            fontsize=7,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": "black", "linewidth": 0.8},
        )
    axes.set(xlim=(-0.5, 3.5), ylim=(-0.9, 1.4), aspect="equal")
    axes.axis("off")


def operation_keys() -> list[Line2D]:
    """Return the lines of a legend that say which colour is which operation."""
    return [Line2D([], [], color=colour, linewidth=2, label=name) for name, colour in OPERATION_COLOURS.items()]


def cell_figure(arch_str: str) -> Figure:
    """Return the drawing of one cell.

    Raises:
        ValueError: The string is not that of a cell.
    """
    with house_style():
        figure, axes = plt.subplots(figsize=(3.6, 2.6))
        draw_cell(axes, arch_str)
        figure.legend(handles=operation_keys(), loc="outside lower center", ncols=2, fontsize=7)
    plt.close(figure)
    return figure
