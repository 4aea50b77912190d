"""Box plots over numbers of bins: a pair of boxes per number, with the medians of the rows."""

import numpy as np
import pandas as pd

from harness.figures import error_over_bin_sizes


def medians(axes):
    """Heights of the median lines, by the place of the box."""
    lines = [line for line in axes.lines if line.get_linewidth() == 1.6]
    return {round(float(np.mean(line.get_xdata())), 2): float(line.get_ydata()[0]) for line in lines}


def test_two_boxes_at_each_number_of_bins_and_a_panel_per_space(make):
    rows = make.rows()
    figure = error_over_bin_sizes(rows, make.bin_columns)
    assert [axes.get_title() for axes in figure.axes] == [
        "topology space (TSS) on digits, 3 networks",
        "size space (SSS) on digits, 3 networks",
    ]
    for axes, space in zip(figure.axes, ("tss", "sss"), strict=True):
        assert [label.get_text() for label in axes.get_xticklabels()] == list(map(str, make.bin_columns))
        heights = list(medians(axes).values())
        assert len(axes.patches) == len(heights) == 18
        of_space = rows[rows["space"] == space].groupby("calibrator")[list(make.bin_columns.values())].median()
        assert np.allclose(heights[:9], 100 * of_space.loc["none"])
        assert np.allclose(heights[9:], 100 * of_space.loc["temperature"])


def test_columns_may_be_null_and_phases_missing(make):
    rows = make.rows(calibrators=("none",)).assign(ECE_500=np.nan)
    figure = error_over_bin_sizes(rows, make.bin_columns)
    assert np.isnan(list(medians(figure.axes[0]).values())[-1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["before calibration"]


def test_other_calibrators_are_not_drawn(make):
    rows = pd.concat([make.rows(), make.rows(calibrators=("vector",))])
    assert len(error_over_bin_sizes(rows, make.bin_columns).axes[0].patches) == 18
