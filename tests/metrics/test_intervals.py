"""The family of intervals is made of the resamples and the study; null where one of these is."""

import numpy as np
import pytest

from harness.metrics import family, intervals, measure, measure_resamples, measure_with_reasons, pivot_interval
from harness.metrics.resampling import HEADLINE


def test_against_its_parts(continuous):
    found = measure(*continuous, ["intervals"])
    estimates, replicates = measure(*continuous), measure_resamples(*continuous, n_resamples=intervals.N_RESAMPLES)
    for name in intervals.MEASURED:
        values = [found[f"{name}_{part}"] for part in ("low", "high", "bias", "reliable")]
        if estimates[name] is None or np.isnan(replicates[name]).any() or np.ptp(replicates[name]) == 0:
            assert values == [None] * 4
        else:
            assert values == [float(value) for value in pivot_interval(estimates[name], replicates[name])]


def test_reasons():
    labels = np.array([0, 1] + [0] * 40)
    probs = np.tile([0.75, 0.25], (42, 1))
    probs[0] = [0.0, 1.0]  # an impossible label, in most resamples
    measured = measure_with_reasons(probs, labels, ["intervals"])
    assert measured.reasons["NLL_low"] == "infinite: 1 of 42 labels have probability 0"
    assert measured.reasons["KDECE_bias"] == "all right confidences lie within 1e-06 of each other"
    assert measured.values["acc_low"] < 40 / 42 < measured.values["acc_high"]
    certain = measure_with_reasons(np.array([[0.9, 0.1]] * 9), np.zeros(9, dtype=int), ["intervals"])
    assert certain.reasons["acc_low"].startswith("the same in all resamples of the images")
    few = measure_with_reasons(np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]]), np.array([0, 0, 1]), ["intervals"])
    assert few.reasons["KDECE_low"].endswith("of 20 resamples of the images")


def test_what_has_an_interval_is_resampled():
    assert set(intervals.MEASURED) <= set(HEADLINE)
    assert set(family("replicates").members) == {f"{name}_replicates" for name in HEADLINE}


@pytest.mark.parametrize("part", ["low", "high", "bias", "reliable"])
def test_parts_say_what_they_return(part):
    assert getattr(intervals, part).__doc__.startswith("Return")
