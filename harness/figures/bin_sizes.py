"""What does the number of bins do to a calibration error? Its distribution over networks at each number of bins."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.figures.note import Note
from harness.figures.quantity import quantity
from harness.figures.settings import expect_one_setting
from harness.figures.style import PHASE_COLOURS, PHASE_LABELS, house_style, space_title, spaces_of

_BOX = 0.36


def error_over_bin_sizes(rows: pd.DataFrame, columns: Mapping[int, str], name: str = "ECE") -> Figure | Note:
    """Return box plots of an error over numbers of bins, before and after temperature scaling, a panel per space.

    Boxes hold the middle half of the networks, whiskers reach from the 5th to the 95th percentile.

    Args:
        rows: Measurement rows of one setting.
        columns: The column that holds the error at each number of bins.
        name: What the error is called.

    Raises:
        ValueError: The rows are of several settings.
    """
    expect_one_setting(rows)
    shown = rows.loc[rows["calibrator"].isin(list(PHASE_LABELS)), :].dropna(subset=list(columns.values()), how="all")
    if shown.empty:
        return Note(f"No rows with {name}: `harness run study.calibrators=[none,temperature]` makes them.")
    spaces = spaces_of(shown)
    phases = [phase for phase in PHASE_LABELS if phase in set(shown["calibrator"])]
    with house_style():
        shown_as = quantity(next(iter(columns.values())))
        figure, all_axes = plt.subplots(1, len(spaces), figsize=(9.6, 4.4), squeeze=False, sharey=True)
        for axes, space in zip(all_axes[0], spaces, strict=True):
            _panel(axes, shown.loc[shown["space"] == space, :], columns, phases)
            axes.set_xlabel("number of bins")
        all_axes[0, 0].set(ylabel=shown_as.label(name), ylim=(0, None))
        figure.legend(
            handles=[
                Patch(facecolor=PHASE_COLOURS[phase], edgecolor="black", label=PHASE_LABELS[phase]) for phase in phases
            ],
            loc="outside lower center",
            ncols=2,
        )
    plt.close(figure)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, columns: Mapping[int, str], phases: list[str]) -> None:
    positions = np.arange(len(columns))
    for phase, shift in zip(phases, (-_BOX / 2 - 0.02, _BOX / 2 + 0.02), strict=False):
        of_phase = rows.loc[rows["calibrator"] == phase, :]
        axes.boxplot(
            [quantity(name).scale * of_phase[name].dropna().to_numpy() for name in columns.values()],
            positions=positions + (shift if len(phases) > 1 else 0),
            widths=_BOX,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": PHASE_COLOURS[phase]},
            medianprops={"color": "black", "linewidth": 1.6},
            manage_ticks=False,
        )
    axes.set_title(space_title(rows))
    axes.set_xticks(positions, [str(n_bins) for n_bins in columns])
    axes.grid(visible=False, axis="x")
