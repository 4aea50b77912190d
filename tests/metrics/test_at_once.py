"""Everything binned at once is what the plain functions give, whatever ties, zeros and sizes there are."""

import os
import subprocess
import sys

import numpy as np
import pytest

from harness.metrics import at_once
from harness.metrics.at_once import binned_rows, sort_once
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.classwise import (
    classwise_adaptive_calibration_error,
    classwise_calibration_error,
    classwise_equal_mass_calibration_error,
)
from harness.metrics.predictions import rank, rank_classes, rank_top_label, softmax, sort_events
from harness.metrics.top_label import (
    equal_mass_calibration_error,
    expected_calibration_error,
    max_calibration_error,
)
from harness.metrics.undefined import Undefined

CLASSWISE = {
    "cwCE": classwise_calibration_error,
    "cwCE_em": classwise_equal_mass_calibration_error,
    "cwACE": classwise_adaptive_calibration_error,
}


def predictions(n_samples, n_classes, *, decimals=None, scale=2.0, seed=0):
    """Random predictions; with few decimals most probabilities are equal to others, many are 0 or 1."""
    rng = np.random.default_rng(seed)
    probs = softmax(scale * rng.normal(size=(n_samples, n_classes)))
    if decimals is not None:
        probs[:, 1:] = probs[:, 1:].round(decimals)
        probs[:, 0] = np.maximum(1 - probs[:, 1:].sum(axis=1), 0)
    return probs, rng.integers(0, n_classes, n_samples)


TOP_LABEL = {
    "ECE": expected_calibration_error,
    "ECE_em": equal_mass_calibration_error,
    "MCE": max_calibration_error,
}


def assert_same(probs, labels):
    top, binned = sort_once(probs, labels)
    plain = rank_top_label(probs, labels)
    for name in plain._fields:
        np.testing.assert_allclose(getattr(top, name), getattr(plain, name), rtol=1e-11, atol=1e-11, err_msg=name)
    classes = rank_classes(probs, labels)
    for functions, ranked in ((TOP_LABEL, plain), (CLASSWISE, classes)):
        for name, function in functions.items():
            for n_bins in BIN_COUNTS:
                expected, value = function(ranked, n_bins), binned[f"{name}_{n_bins}"]
                if isinstance(expected, Undefined):
                    assert value == expected
                else:
                    assert value == pytest.approx(expected, rel=1e-11, abs=1e-14), f"{name}_{n_bins}"


@pytest.mark.parametrize("n_samples", [1, 2, 7, 31, 499, 500, 501, 2000])
@pytest.mark.parametrize("n_classes", [2, 3, 11])
def test_random_predictions(n_samples, n_classes):
    assert_same(*predictions(n_samples, n_classes, seed=n_samples))


@pytest.mark.parametrize("decimals", [0, 1, 2, 3])
@pytest.mark.parametrize("scale", [0.0, 1.0, 20.0])
def test_ties_zeros_and_ones(decimals, scale):
    assert_same(*predictions(800, 4, decimals=decimals, scale=scale, seed=decimals))


def test_constant_predictors_and_negative_zero():
    labels = np.arange(600) % 3
    assert_same(np.tile([1.0, 0.0, 0.0], (600, 1)), labels)
    assert_same(np.tile([0.5, 0.5, -0.0], (600, 1)), labels)
    assert_same(np.full((600, 3), 1 / 3), labels)


def test_midpoints_that_round_to_their_upper_neighbour():
    values = np.nextafter(0.25, 1) + np.arange(40) * np.spacing(0.25)
    probs = np.stack([values, 1 - values], axis=1)
    assert_same(probs, np.arange(40) % 2)


def test_the_size_of_the_blocks_changes_nothing(monkeypatch):
    probs, labels = predictions(600, 13, decimals=2)
    whole = sort_once(probs, labels)
    for block in (1, 600 * 5, 600 * 13):  # a row at a time, several, all but the confidences
        monkeypatch.setattr(at_once, "_BLOCK", block)
        parts = sort_once(probs, labels)
        assert parts.binned == pytest.approx(whole.binned, rel=1e-12)
        assert np.array_equal(parts.top.probability, whole.top.probability)


def test_arguments_are_left_alone():
    probs, labels = predictions(50, 3)
    kept = probs.copy()
    sort_once(probs, labels)
    assert np.array_equal(probs, kept)


def test_events_are_sorted_without_loss():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.random(1000), [0.0, 1.0, 5e-324, np.nextafter(1.0, 0)], rng.random(1000).round(2)])
    outcome = rng.random(values.size) < 0.5
    block, samples = np.append(0.0, values)[np.newaxis], np.flatnonzero(outcome)
    happened = sort_events(block, samples + 1)
    order = np.lexsort((outcome, values))
    assert np.array_equal(block[0, 1:], values[order])
    assert np.array_equal(happened[0], outcome[order])


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_running_excess_of_any_number_of_rows(n_rows):
    rng = np.random.default_rng(2)
    ranked = [rank(rng.random(40), rng.random(40) < 0.5) for _ in range(n_rows)]
    block = np.array([[0.0, *row.probability] for row in ranked])
    excess = binned_rows(block, np.array([row.outcome for row in ranked], dtype=np.uint8)).excess
    for number, row in enumerate(ranked):
        np.testing.assert_allclose(excess[number], row.excess, rtol=1e-12, atol=1e-14)


FORKED = """
import multiprocessing
import numpy as np
from harness.metrics import measure

probs = np.random.default_rng(0).dirichlet(np.ones(50), 5000)
labels = np.zeros(5000, dtype=np.int64)
whole = measure(probs, labels)
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.apply_async(measure, (probs, labels)).get(timeout=60) == whole
"""


def test_a_process_forked_after_a_measurement_can_measure():
    """Threads of torch, were any started, would not be there in the fork, which would wait for them for ever."""
    alone = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run([sys.executable, "-c", FORKED], env=alone, check=True, timeout=120)
