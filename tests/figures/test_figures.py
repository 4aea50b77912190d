"""Figures draw what they are given, join by key and not by position, and refuse rows that they would mix up."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from harness.figures import (
    Note,
    most_complete_setting,
    notable_networks,
    ood_against_accuracy,
    ood_detection,
    ood_table,
    paper_against_clean,
    pre_against_post,
    reliability_diagrams,
    setting_table,
    styled,
)
from harness.figures.pre_post import joined


def every_figure(make, rows, shifted):
    """Every figure function on some rows and shifted rows, by name."""
    return {
        "reliability": reliability_diagrams(rows, notable_networks(rows)),
        "pre_post": pre_against_post(rows),
        "ood": ood_detection(shifted),
        "ood_accuracy": ood_against_accuracy(shifted, rows),
        "protocols": paper_against_clean(rows, rows.assign(protocol="paper")),
    }


@pytest.mark.parametrize("n", [1, 2, 6])
def test_every_figure_has_labels_and_can_be_saved(make, n):
    for name, figure in every_figure(make, make.rows(n), make.shifted(n=n)).items():
        assert isinstance(figure, Figure), name
        drawn = [axes for axes in figure.axes if axes.axison]
        assert all(axes.get_title() for axes in drawn), name
        assert any(axes.get_xlabel() for axes in drawn), name
        assert any(axes.get_ylabel() or len(axes.get_yticklabels()) for axes in drawn), name
        for form, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
            file = io.BytesIO()
            figure.savefig(file, format=form)
            assert file.getvalue().startswith(start), name


@pytest.mark.parametrize("case", ["empty", "all null"])
def test_every_figure_of_nothing_is_a_note(make, case):
    def change(rows):
        return rows.iloc[:0] if case == "empty" else make.nulls(rows)

    for name, note in every_figure(make, change(make.rows()), change(make.shifted())).items():
        assert isinstance(note, Note), name
        assert note._repr_markdown_(), name


@pytest.mark.parametrize("column", ["condition", "protocol", "split_seed", "dataset", "hp"])
def test_rows_of_several_settings_are_never_pooled(make, column):
    other = make.rows(3).assign(**{column: 43 if column == "split_seed" else "another"}, arch_index=[10] * 2 + [11] * 4)
    mixed = pd.concat([make.rows(), other])
    for draw in (
        pre_against_post,
        notable_networks,
        lambda rows: reliability_diagrams(rows, []),
        lambda rows: ood_against_accuracy(make.shifted(), rows),
        lambda rows: paper_against_clean(rows, rows),
    ):
        with pytest.raises(ValueError, match=f"expected rows of one {column}, got {column}: "):
            draw(mixed)


def test_each_space_may_have_a_budget_of_its_own(make):
    rows = make.rows()
    rows.loc[rows["space"] == "sss", "hp"] = "90"
    assert isinstance(pre_against_post(rows), Figure)


def test_pre_and_post_are_joined_by_key(make):
    pairs = joined(make.rows().sample(frac=1, random_state=1), "ECE_15")
    assert len(pairs) == 6
    assert np.allclose(pairs["pre"] - pairs["post"], 0.05)


def test_several_rows_of_one_network_are_refused(make):
    with pytest.raises(ValueError, match="one row per network and calibrator"):
        pre_against_post(pd.concat([make.rows(), make.rows()]))


def test_a_network_without_post_rows_is_left_out_of_the_join(make):
    rows = make.rows()
    pairs = joined(rows[~((rows["arch_index"] == 0) & (rows["calibrator"] == "temperature"))], "ECE_15")
    assert sorted(pairs["arch_index"]) == [1, 2, 3, 4, 5]


def test_before_and_after_says_how_many_improve(make):
    rows = make.rows()
    rows.loc[(rows["arch_index"] == 5) & (rows["calibrator"] == "temperature"), "ECE_15"] = 0.9
    (axes,) = pre_against_post(rows).axes
    assert axes.get_title().endswith("of 5 of 6 networks")


def test_what_cannot_be_drawn_says_which_rows_are_missing(make):
    assert "`harness run`" in reliability_diagrams(make.rows().iloc[:0], []).text
    assert "study.calibrators=[none,temperature]" in pre_against_post(make.rows(calibrators=("none",))).text
    assert "study.conditions=[unshifted,ood_uniform]" in ood_detection(make.rows()).text
    assert "study.protocols=[clean,paper]" in paper_against_clean(make.rows(), make.rows().iloc[:0]).text


def test_tables_of_nothing_are_empty_and_shown_as_their_note(make):
    none = make.rows().iloc[:0]
    for table in (setting_table(none), ood_table(none)):
        assert table.empty
        assert styled(table, empty="Nothing.") == Note("Nothing.")


def test_a_table_is_shown_without_row_numbers(make):
    page = styled(setting_table(make.rows())).to_html()
    assert "row_heading" not in page
    assert "text-align: left" in page


def test_of_equally_complete_settings_that_of_the_published_study_is_chosen(make):
    others = ({"label_set": "errors_removed"}, {"split": "nats", "split_seed": 0}, {"split_seed": 1})
    rows = pd.concat([*(make.rows(3, **other) for other in others), make.rows(3)])
    assert most_complete_setting(rows) == most_complete_setting(make.rows(3))


def test_rows_of_different_settings_are_not_compared(make):
    other = make.rows(protocol="paper", label_set="errors_removed")
    with pytest.raises(ValueError, match="expected rows of the same label_set, got original and errors_removed"):
        paper_against_clean(make.rows(), other)


def test_the_most_complete_setting_is_chosen_and_named(make):
    rows = pd.concat([make.rows(3, split_seed=1), make.rows(6)])
    assert most_complete_setting(rows) == {
        "dataset": "digits",
        "hp": "12",
        "split": "random20",
        "split_seed": 42,
        "label_set": "original",
        "precision": "float32",
    }
    assert setting_table(rows)[["split_seed", "networks"]].to_numpy().tolist() == [[42, 6], [1, 3]]
    assert most_complete_setting(rows.iloc[:0]) == {"dataset": []}
