"""What does temperature scaling change? Calibration error before and after, one point per network."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.figures.note import Note
from harness.figures.settings import MODEL, expect_one_setting
from harness.figures.style import diagonal, house_style, line_key, networks, scatter_percent, space_keys


def joined(rows: pd.DataFrame, column: str, post: str = "temperature") -> pd.DataFrame:
    """Return one row per network with columns ``pre`` and ``post``, joined by its key.

    Args:
        rows: Measurement rows of one setting, with calibrators ``none`` and ``post``.
        column: The measurement.
        post: The calibrator of the ``post`` values.

    Raises:
        ValueError: The rows are of several settings, so that a join would pair the wrong ones.
    """
    expect_one_setting(rows)
    if rows.duplicated([*MODEL, "calibrator"]).any():
        raise ValueError("expected one row per network and calibrator, got several")
    named = {
        phase: rows.loc[rows["calibrator"] == calibrator, [*MODEL, column]].rename(columns={column: phase})
        for phase, calibrator in (("pre", "none"), ("post", post))
    }
    return named["pre"].merge(named["post"], on=MODEL, validate="one_to_one")


def pre_against_post(rows: pd.DataFrame, column: str = "ECE_15") -> Figure | Note:
    """Return a scatter of a calibration error after temperature scaling against the one before, on the same images.

    Args:
        rows: Measurement rows of one setting.
        column: The calibration error.

    Raises:
        ValueError: The rows are of several settings.
    """
    pairs = joined(rows, column).dropna(subset=["pre", "post"])
    if pairs.empty:
        return Note(
            "No network has rows before and after calibration: "
            "`harness run study.calibrators=[none,temperature]` makes them."
        )
    high = 105 * float(pairs[["pre", "post"]].max().max()) or 1.0
    with house_style():
        figure, axes = plt.subplots(figsize=(5.6, 5.0))
        diagonal(axes, high)
        scatter_percent(axes, pairs, "pre", "post")
        better = np.count_nonzero(pairs["post"] < pairs["pre"])
        axes.set(xlabel=f"{column} before (points)", ylabel=f"{column} after (points)", xlim=(0, high), ylim=(0, high))
        axes.set_title(f"Temperature scaling lowers {column}\nof {better:,} of {networks(len(pairs))}")
        axes.legend(handles=[*space_keys(pairs), line_key("no change")], loc="upper left")
    plt.close(figure)
    return figure
