"""How far do the numbers of the published study's protocol lie from the clean ones? One point per network."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.note import Note
from harness.figures.quantity import quantity
from harness.figures.settings import MODEL, expect_one_setting, expect_same_setting
from harness.figures.style import PHASE_LABELS, diagonal, house_style, line_key, networks, scatter, space_keys


def paper_against_clean(clean: pd.DataFrame, paper: pd.DataFrame, column: str = "ECE_15") -> Figure | Note:
    """Return a scatter of a calibration error under protocol ``paper`` against ``clean``, a panel per calibrator.

    Args:
        clean: Measurement rows of one setting under protocol ``clean``.
        paper: Those under protocol ``paper``; networks that only one protocol has are left out.
        column: The calibration error.

    Raises:
        ValueError: The rows of one of them are of several settings, or of the other protocol.
    """
    pairs, shown = _pairs(clean, paper, column), quantity(column)
    phases = [phase for phase in PHASE_LABELS if phase in set(pairs["calibrator"])]
    if not phases:
        return Note(
            "No network has rows of protocol `paper` of this split and label set too: "
            "`harness run study.protocols=[clean,paper]` makes them."
        )
    with house_style():
        figure, all_axes = plt.subplots(1, len(phases), figsize=(4.8 * len(phases), 5.0), squeeze=False)
        for axes, phase in zip(all_axes[0], phases, strict=True):
            _panel(axes, pairs.loc[pairs["calibrator"] == phase, :], PHASE_LABELS[phase], shown.scale)
            axes.set(xlabel=shown.label(f"{column}, protocol clean"), ylabel=shown.label(f"{column}, protocol paper"))
        figure.legend(handles=[*space_keys(pairs), line_key("equal")], loc="outside lower center", ncols=3)
    plt.close(figure)
    return figure


def _pairs(clean: pd.DataFrame, paper: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return one row per network and calibrator with columns ``clean`` and ``paper``, joined by key."""
    named = {}
    for name, rows in (("clean", clean), ("paper", paper)):
        expect_one_setting(rows)
        if set(rows["protocol"]) - {name}:
            raise ValueError(f"expected rows of protocol {name}, got {', '.join(sorted(set(rows['protocol'])))}")
        named[name] = rows.loc[:, [*MODEL, "calibrator", column]].rename(columns={column: name})
    expect_same_setting(clean, paper)
    pairs = named["clean"].merge(named["paper"], on=[*MODEL, "calibrator"], validate="one_to_one")
    return pairs.dropna(subset=["clean", "paper"])


def _panel(axes: Axes, pairs: pd.DataFrame, phase: str, scale: float) -> None:
    high = 1.05 * scale * float(pairs[["clean", "paper"]].max().max()) or 1.0
    diagonal(axes, high)
    scatter(axes, pairs, "clean", "paper", (scale, scale))
    above = np.count_nonzero(pairs["paper"] > pairs["clean"])
    axes.set_title(f"{phase}\npaper above clean: {above:,} of {networks(len(pairs))}")
    axes.set(xlim=(0, high), ylim=(0, high), aspect="equal")
