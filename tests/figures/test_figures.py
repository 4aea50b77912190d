"""Figures draw what they are given, join by key and not by position, and refuse rows that they would mix up."""

import numpy as np
import pandas as pd
import pytest

from harness.figures import (
    error_against_accuracy,
    models_table,
    most_complete_setting,
    pre_against_post,
    reliability_diagrams,
    reliability_of_most_accurate,
    setting_table,
)
from harness.figures.pre_post import joined


def rows_of(n=6, calibrators=("none", "temperature")):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "source": "zoo-0",
            "space": "tss" if i % 2 else "sss",
            "arch_index": i,
            "dataset": "digits",
            "hp": "12",
            "protocol": "clean",
            "condition": "unshifted",
            "severity": 0,
            "split": "random20",
            "split_seed": 42,
            "label_set": "original",
            "seed": 777,
            "calibrator": calibrator,
            "acc": 0.9 + i / 100,
            "ECE_15": 0.1 + i / 100 - (0.05 if calibrator == "temperature" else 0),
            "NLL": 0.3,
            "temperature": None if calibrator == "none" else 1.2,
            "bin15_count": rng.multinomial(100, np.ones(15) / 15),
            "bin15_confidence": (np.arange(15) + 0.5) / 15,
            "bin15_accuracy": rng.random(15),
        }
        for i in range(n)
        for calibrator in calibrators
    )


def test_pre_and_post_are_joined_by_key():
    rows = rows_of()
    shuffled = rows.sample(frac=1, random_state=1)
    pairs = joined(shuffled, "ECE_15")
    assert len(pairs) == 6
    assert np.allclose(pairs["pre"] - pairs["post"], 0.05)


def test_several_rows_of_one_network_are_refused():
    rows = pd.concat([rows_of(), rows_of()])
    with pytest.raises(ValueError, match="one row per network and calibrator"):
        pre_against_post(rows)


def test_a_network_without_post_rows_is_left_out_of_the_join():
    rows = rows_of()
    pairs = joined(rows[~((rows["arch_index"] == 0) & (rows["calibrator"] == "temperature"))], "ECE_15")
    assert sorted(pairs["arch_index"]) == [1, 2, 3, 4, 5]


def test_the_scatter_shows_every_network_once():
    figure = error_against_accuracy(rows_of(calibrators=("none",)))
    all_networks, accurate = figure.axes
    assert sum(len(points.get_offsets()) for points in all_networks.collections) == 6
    assert accurate.get_title() == "the 6 of at least 90 % accuracy"
    assert all(axes.get_xlabel() for axes in figure.axes)


def text_of(figure):
    return " ".join(text.get_text() for text in figure.texts)


def test_what_cannot_be_drawn_says_which_rows_are_missing():
    none = rows_of().iloc[:0]
    assert "`harness run`" in text_of(reliability_of_most_accurate(most_complete_setting(none)))
    assert "study.calibrators=[none" in text_of(error_against_accuracy(rows_of(calibrators=("temperature",))))
    assert "study.calibrators=[none,temperature]" in text_of(pre_against_post(rows_of(calibrators=("none",))))
    assert models_table(none, none.assign(arch_str="", gate="")).empty
    assert setting_table(none).empty


def test_the_most_complete_setting_is_chosen_and_named():
    rows = pd.concat([rows_of(3).assign(split_seed=1), rows_of(6).assign(split_seed=42)])
    chosen = most_complete_setting(rows)
    assert set(chosen["split_seed"]) == {42}
    assert setting_table(chosen)[["split_seed", "networks"]].to_numpy().tolist() == [[42, 6]]


def test_the_most_accurate_network_is_shown_before_and_after():
    figure = reliability_of_most_accurate(rows_of())
    assert "tss 5, seed 777" in figure.get_suptitle()
    assert [axes.get_title().splitlines()[0] for axes in figure.axes] == [
        "before calibration",
        "after temperature scaling",
    ]


def test_a_reliability_diagram_per_row_with_empty_bins():
    rows = rows_of(1)
    rows.at[0, "bin15_count"] = np.eye(15, dtype=int)[14] * 100
    rows.at[0, "bin15_confidence"] = [None] * 14 + [0.97]
    rows.at[0, "bin15_accuracy"] = [None] * 14 + [0.95]
    figure = reliability_diagrams(rows, "one network")
    assert len(figure.axes) == 2
    assert "before calibration" in figure.axes[0].get_title()
    with pytest.raises(ValueError, match="at least one row"):
        reliability_diagrams(rows[:0], "none")


def test_the_table_has_a_line_per_network_the_most_accurate_first():
    rows = rows_of()
    models = rows[rows["calibrator"] == "none"].assign(arch_str="x", gate="pass")
    table = models_table(rows, models)
    assert table["index"].tolist() == [5, 4, 3, 2, 1, 0]
    assert table["ECE_15 after"].tolist() == [10.0, 9.0, 8.0, 7.0, 6.0, 5.0]
    assert table.columns[-1] == "architecture"
