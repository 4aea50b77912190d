"""Units, scales and directions of what figures show come from the dictionary."""

import numpy as np
import pytest

from harness.figures import columns_at_bin_counts, paper_against_clean, pre_against_post
from harness.figures.quantity import quantity
from harness.metrics import MEASUREMENTS
from harness.metrics.binning import BIN_COUNTS


@pytest.mark.parametrize(
    ("column", "label", "scale"),
    [
        ("ECE_15", "x (points)", 100),
        ("net_over_confidence", "x (points)", 100),
        ("acc", "x (%)", 100),
        ("correct_confidence", "x (%)", 100),
        ("ood_aupr", "x (%)", 100),
        ("NLL", "x (nats)", 1),
        ("Brier", "x", 1),
        ("gap_of_my_own", "x", 1),
    ],
)
def test_shares_are_percent_gaps_points_and_the_rest_as_it_is(column, label, scale):
    assert (quantity(column).label("x"), quantity(column).scale) == (label, scale)


@pytest.mark.parametrize("row", MEASUREMENTS, ids=lambda row: row.name)
def test_direction_is_that_of_the_dictionary(row):
    assert quantity(row.name).higher_is_better is row.higher_is_better


def test_columns_of_a_binned_measurement():
    assert columns_at_bin_counts("cwCE_em") == {n_bins: f"cwCE_em_{n_bins}" for n_bins in BIN_COUNTS}
    assert columns_at_bin_counts("KSCE") == {}


def test_a_measurement_in_nats_is_not_drawn_in_points(make):
    rows = make.rows()
    for figure in (
        pre_against_post(rows, "NLL"),
        paper_against_clean(rows, rows.assign(protocol="paper"), "NLL"),
    ):
        axes = figure.axes[0]
        assert axes.get_ylabel().endswith("(nats)")
        heights = np.concatenate([drawn.get_offsets().data[:, 1] for drawn in axes.collections])
        assert np.allclose(heights, 0.3)


def test_better_is_what_the_dictionary_calls_so(make):
    rows = make.rows().assign(HCS=lambda table: table["ECE_15"])
    assert pre_against_post(rows).axes[0].get_title() == "Temperature scaling lowers ECE_15\nof 6 of 6 networks"
    assert pre_against_post(rows, "HCS").axes[0].get_title() == "Temperature scaling raises HCS\nof 0 of 6 networks"
