"""Reliability diagrams of chosen networks, and which are chosen where nobody does."""

import numpy as np
import pandas as pd
import pytest

from harness.figures import Network, notable_networks, reliability_diagrams


def titles(figure):
    return [axes.get_title().splitlines()[:2] for axes in figure.axes if axes.axison]


def test_a_line_per_chosen_network_in_the_order_given(make):
    figure = reliability_diagrams(make.rows(), [("tss", 3, 777), ("sss", 0, 777)])
    assert titles(figure) == [
        ["tss 3 on digits, seed 777", "before calibration"],
        ["tss 3 on digits, seed 777", "after temperature scaling"],
        ["sss 0 on digits, seed 777", "before calibration"],
        ["sss 0 on digits, seed 777", "after temperature scaling"],
    ]


def test_the_bars_are_the_bins_of_the_store(make):
    rows = make.rows(1)
    rows.at[0, "bin15_count"] = np.eye(15, dtype=int)[14] * 100
    rows.at[0, "bin15_confidence"] = [None] * 14 + [0.97]
    rows.at[0, "bin15_accuracy"] = [None] * 14 + [0.95]
    before, after = reliability_diagrams(rows, [("sss", 0, 777)]).axes
    accuracy, gap = before.patches
    assert accuracy.get_height() == 0.95
    assert gap.get_height() == pytest.approx(0.02)
    assert [text.get_text() for text in before.texts] == ["100"]
    assert len(after.patches) == 30


def test_the_calibrators_are_chosen_and_those_that_the_rows_lack_left_out(make):
    rows = make.rows(1)
    vector = rows[rows["calibrator"] == "temperature"].assign(calibrator="vector")
    more = pd.concat([rows, vector])
    both = ["before calibration", "after temperature scaling"]
    assert [title[1] for title in titles(reliability_diagrams(more, [("sss", 0, 777)]))] == both
    shown = reliability_diagrams(more, [("sss", 0, 777)], calibrators=("vector", "spline", "none"))
    assert [title[1] for title in titles(shown)] == ["vector", "before calibration"]
    assert "No rows of spline" in reliability_diagrams(more, [("sss", 0, 777)], calibrators=("spline",)).text


def test_a_network_that_is_not_there_is_named(make):
    with pytest.raises(ValueError, match=r"tss 0, seed 777, which has none"):
        reliability_diagrams(make.rows(), [("sss", 0, 777), ("tss", 0, 777)])


def test_a_phase_that_a_network_lacks_stays_empty(make):
    rows = make.rows()
    rows = rows[~((rows["arch_index"] == 3) & (rows["calibrator"] == "temperature"))]
    figure = reliability_diagrams(rows, [("tss", 3, 777), ("sss", 0, 777)])
    assert [title[0] for title in titles(figure)] == [
        "tss 3 on digits, seed 777",
        "sss 0 on digits, seed 777",
        "sss 0 on digits, seed 777",
    ]


def test_networks_of_two_archives_are_not_taken_for_one(make):
    both = pd.concat([make.rows(1), make.rows(1, source="zoo-1")])
    assert len(titles(reliability_diagrams(both, [("sss", 0, 777)]))) == 4


def test_the_notable_networks_are_the_best_the_median_and_the_worst_calibrated_of_the_better_half(make):
    rows = make.rows(7)
    rows.loc[rows["arch_index"] == 4, "ECE_15"] = 0.5
    rows.loc[rows["arch_index"] == 0, "ECE_15"] = 0.9  # worse still, but inaccurate
    assert notable_networks(rows) == [
        Network("sss", 6, 777, "the most accurate"),
        Network("tss", 3, 777, "of median accuracy"),
        Network("sss", 4, 777, "the worst calibrated of the accurate half"),
    ]
    titles_of_best = reliability_diagrams(rows, notable_networks(rows)).axes[0].get_title().splitlines()
    assert titles_of_best[:3] == ["sss 6 on digits, seed 777", "the most accurate", "before calibration"]
    assert notable_networks(rows.sample(frac=1, random_state=2)) == notable_networks(rows)


def test_no_network_is_notable_twice(make):
    assert [network[:3] for network in notable_networks(make.rows(1))] == [("sss", 0, 777)]
    assert len(notable_networks(make.rows(2))) == 1
    assert notable_networks(make.rows().iloc[:0]) == []
    only_post = notable_networks(make.rows(1, calibrators=("temperature",)))
    assert [network[:3] for network in only_post] == [("sss", 0, 777)]
