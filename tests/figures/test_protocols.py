"""Clean and paper stand side by side, joined by network, and are never pooled."""

import numpy as np
import pytest

from harness.figures import paper_against_clean


def test_a_panel_per_calibrator_with_the_networks_of_both(make):
    paper = make.rows(4, protocol="paper").sample(frac=1, random_state=1)
    paper = paper.assign(ECE_15=paper["ECE_15"] + 0.01)
    before, after = paper_against_clean(make.rows(), paper).axes
    assert before.get_title() == "before calibration\npaper above clean: 4 of 4 networks"
    assert after.get_title().startswith("after temperature scaling")
    for axes in (before, after):
        drawn = np.concatenate([points.get_offsets().data for points in axes.collections])
        assert len(drawn) == 4
        assert np.allclose(drawn[:, 1] - drawn[:, 0], 1)


def test_a_calibrator_that_one_protocol_lacks_has_no_panel(make):
    (axes,) = paper_against_clean(make.rows(), make.rows(calibrators=("none",), protocol="paper")).axes
    assert axes.get_title().startswith("before calibration")


def test_protocols_are_not_mixed_up(make):
    with pytest.raises(ValueError, match="expected rows of protocol paper, got clean"):
        paper_against_clean(make.rows(), make.rows())
