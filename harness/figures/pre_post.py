"""What does temperature scaling change? Calibration error before and after, one point per network."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.figures.style import diagonal, house_style, note_instead, scatter_percent

MODEL = ["source", "space", "arch_index", "dataset", "hp", "seed"]


def joined(rows: pd.DataFrame, column: str, post: str = "temperature") -> pd.DataFrame:
    """Return one row per network with columns ``pre`` and ``post``, joined by its key.

    Args:
        rows: Measurement rows of one protocol, condition, split and label set, with calibrators ``none`` and ``post``.
        column: The measurement.
        post: The calibrator of the ``post`` values.

    Raises:
        ValueError: A network has several rows of one calibrator, so that a join would pair the wrong ones.
    """
    if rows.duplicated([*MODEL, "calibrator"]).any():
        raise ValueError("expected one row per network and calibrator; filter to one protocol, condition and split")
    named = {
        phase: rows.loc[rows["calibrator"] == calibrator, [*MODEL, column]].rename(columns={column: phase})
        for phase, calibrator in (("pre", "none"), ("post", post))
    }
    return named["pre"].merge(named["post"], on=MODEL, validate="one_to_one")


def pre_against_post(rows: pd.DataFrame, column: str = "ECE_15") -> Figure:
    """Return a scatter of a calibration error after temperature scaling against the one before, on the same images.

    Args:
        rows: Measurement rows of one protocol, condition, split and label set.
        column: The calibration error.

    Raises:
        ValueError: A network has several rows of one calibrator.
    """
    pairs = joined(rows, column)
    if pairs.empty:
        return note_instead("No network has rows before and after: study.calibrators=[none,temperature] makes them.")
    high = 105 * float(pairs[["pre", "post"]].max().max())
    with house_style():
        figure, axes = plt.subplots(figsize=(5.2, 4.6))
        diagonal(axes, high, "no change")
        scatter_percent(axes, pairs, "pre", "post")
        better = np.count_nonzero(pairs["post"] < pairs["pre"])
        axes.set(xlabel=f"{column} before (points)", ylabel=f"{column} after (points)", xlim=(0, high), ylim=(0, high))
        axes.set_title(f"Temperature scaling lowers {column} of {better} of {len(pairs)} networks")
        axes.legend(loc="upper left")
    plt.close(figure)
    return figure
