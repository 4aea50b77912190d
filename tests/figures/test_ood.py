"""Out-of-distribution detection: a box per condition and space, detection against accuracy, medians in a table."""

import numpy as np
import pandas as pd
import pytest

from harness.figures import Note, ood_against_accuracy, ood_detection, ood_table


def conditions(make):
    return pd.concat(
        [make.shifted("ood_uniform", auroc=0.8), make.shifted("svhn", auroc=0.9), make.shifted("fog", 3, auroc=0.6)]
    )


def test_the_best_detected_condition_comes_first_with_a_point_per_network_before_calibration(make):
    (axes,) = ood_detection(conditions(make)).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["svhn", "ood_uniform", "fog, severity 3"]
    assert len(axes.patches) == 6
    drawn = np.concatenate([points.get_offsets().data for points in axes.collections])
    assert len(drawn) == 18, "six networks in three conditions, before calibration alone"
    assert drawn[:, 0].max() == pytest.approx(95)


def test_many_networks_are_boxes_alone(make):
    one = make.shifted(n=1)
    many = pd.concat([one] * 301, ignore_index=True).assign(arch_index=np.repeat(np.arange(301), len(one)))
    assert not ood_detection(many).axes[0].collections


def test_conditions_without_labels_are_drawn_first_and_the_rest_counted(make):
    labelled = [make.shifted("fog", severity).assign(acc=0.8) for severity in (1, 2, 3, 4, 5)]
    shifted = pd.concat([*labelled, make.shifted("svhn"), make.shifted("ood_uniform")])
    figure = ood_against_accuracy(shifted, make.rows())
    assert [axes.get_title() for axes in figure.axes] == [
        "ood_uniform",
        "svhn",
        *(f"fog, severity {severity}" for severity in (1, 2, 3, 4)),
    ]
    assert "the first 6 of 7 conditions" in figure.get_suptitle()


def test_points_are_joined_by_network(make):
    figure = ood_against_accuracy(make.shifted(), make.rows().sample(frac=1, random_state=1))
    drawn = np.concatenate([points.get_offsets().data for points in figure.axes[0].collections])
    assert np.allclose(drawn[:, 1] - drawn[:, 0], 0), "AUROC and accuracy are 0.9 + i / 100 both"
    other = ood_against_accuracy(make.shifted(), make.rows(), "ECE_15")
    assert other.axes[0].get_xlabel() == "ECE_15 (points)"


def test_networks_that_guess_are_left_out_and_counted(make):
    rows = make.rows()
    rows.loc[rows["arch_index"] == 0, "acc"] = 0.1
    figure = ood_against_accuracy(make.shifted(), rows)
    assert sum(len(points.get_offsets()) for points in figure.axes[0].collections) == 5
    assert "1 network of less than 46 % accuracy left out" in figure.get_suptitle()


def test_without_rows_before_calibration_on_unshifted_images_there_is_nothing_to_compare(make):
    assert isinstance(ood_against_accuracy(make.shifted(), make.rows(calibrators=("temperature",))), Note)


def test_the_table_holds_medians_per_condition_and_space(make):
    table = ood_table(conditions(make))
    assert table.columns.tolist()[:4] == ["condition", "space", "networks", "AUROC (%)"]
    first = table.iloc[0]
    assert (first["condition"], first["space"], first["networks"]) == ("svhn", "tss", 3)
    assert first["AUROC (%)"] == pytest.approx(93)
    assert len(table) == 6


@pytest.mark.parametrize("draw", [ood_detection, ood_table])
def test_conditions_of_several_splits_are_refused(make, draw):
    with pytest.raises(ValueError, match="expected rows of one split_seed, got split_seed: 7, 42"):
        draw(pd.concat([make.shifted(), make.shifted("svhn").assign(split_seed=7)]))
