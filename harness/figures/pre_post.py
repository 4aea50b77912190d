"""What does temperature scaling change? Calibration error before and after, one point per network."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.figures.note import Note
from harness.figures.quantity import Quantity, quantity
from harness.figures.settings import MODEL, expect_one_setting
from harness.figures.style import diagonal, house_style, line_key, networks, scatter, space_keys


def joined(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return one row per network with columns ``pre`` and ``post``, joined by its key.

    Args:
        rows: Measurement rows of one setting, with calibrators ``none`` and ``temperature``.
        column: The measurement.

    Raises:
        ValueError: The rows are of several settings, so that a join would pair the wrong ones.
    """
    expect_one_setting(rows)
    if rows.duplicated([*MODEL, "calibrator"]).any():
        raise ValueError("expected one row per network and calibrator, got several")
    named = {
        phase: rows.loc[rows["calibrator"] == calibrator, [*MODEL, column]].rename(columns={column: phase})
        for phase, calibrator in (("pre", "none"), ("post", "temperature"))
    }
    return named["pre"].merge(named["post"], on=MODEL, validate="one_to_one")


def pre_against_post(rows: pd.DataFrame, column: str = "ECE_15") -> Figure | Note:
    """Return a scatter of a measurement after temperature scaling against the one before, on the same images.

    Args:
        rows: Measurement rows of one setting.
        column: The measurement.

    Raises:
        ValueError: The rows are of several settings.
    """
    pairs = joined(rows, column).dropna(subset=["pre", "post"])
    if pairs.empty:
        return Note(
            "No network has rows before and after calibration: "
            "`harness run study.calibrators=[none,temperature]` makes them."
        )
    shown = quantity(column)
    high = 1.05 * shown.scale * float(pairs[["pre", "post"]].max().max()) or 1.0
    with house_style():
        figure, axes = plt.subplots(figsize=(5.6, 5.0))
        diagonal(axes, high)
        scatter(axes, pairs, "pre", "post", (shown.scale, shown.scale))
        axes.set(xlabel=shown.label(f"{column} before"), ylabel=shown.label(f"{column} after"))
        axes.set(xlim=(0, high), ylim=(0, high))
        axes.set_title(f"Temperature scaling {_changed(pairs, shown, column)} of {networks(len(pairs))}")
        axes.legend(handles=[*space_keys(pairs), line_key("no change")], loc="upper left")
    plt.close(figure)
    return figure


def _changed(pairs: pd.DataFrame, shown: Quantity, column: str) -> str:
    """Return of how many networks a measurement changes to the better; where neither is better, to less."""
    if shown.higher_is_better:
        return f"raises {column}\nof {np.count_nonzero(pairs['post'] > pairs['pre']):,}"
    return f"lowers {column}\nof {np.count_nonzero(pairs['post'] < pairs['pre']):,}"
