"""Predictions of many kinds, small enough for oracles that loop over samples."""

from typing import NamedTuple

import numpy as np
import pytest

from harness.metrics import intervals


class Predictions(NamedTuple):
    probs: np.ndarray
    labels: np.ndarray


def _random(n_samples: int, n_classes: int, *, scale: float, seed: int, signal: float = 2.0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    logits = rng.normal(size=(n_samples, n_classes))
    logits[np.arange(n_samples), labels] += signal
    weights = np.exp(scale * (logits - logits.max(axis=1, keepdims=True)))
    return Predictions(weights / weights.sum(axis=1, keepdims=True), labels)


def _tied(n_samples: int, n_classes: int, *, seed: int) -> Predictions:
    """Multiples of 1/20: exact edges of most bin counts, many ties, many zeros."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(20, rng.dirichlet(np.full(n_classes, 0.4), n_samples))
    return Predictions(counts / 20, rng.integers(0, n_classes, n_samples))


def _without_class(predictions: Predictions, absent: int) -> Predictions:
    kept = predictions.labels != absent
    return Predictions(predictions.probs[kept], predictions.labels[kept])


def _saturated(predictions: Predictions) -> Predictions:
    rounded = np.round(predictions.probs)
    kept = rounded.sum(axis=1) == 1  # two classes near one half may both round to 0
    return Predictions(rounded[kept], predictions.labels[kept])


CONTINUOUS = {
    "two_classes": _random(400, 2, scale=1.0, seed=1),
    "three_classes": _random(333, 3, scale=1.5, seed=2),
    "ten_classes": _random(700, 10, scale=1.0, seed=3),
    "overconfident": _random(600, 10, scale=4.0, seed=4),
    "underconfident": _random(600, 10, scale=0.3, seed=5),
    "more_classes_than_samples": _random(60, 100, scale=2.0, seed=6),
    "fewer_samples_than_bins": _random(9, 4, scale=1.0, seed=7, signal=1.0),
    "labels_unrelated": _random(500, 5, scale=2.0, seed=8, signal=0.0),
    "class_absent": _without_class(_random(500, 4, scale=1.0, seed=9), 2),
}
TIED = {
    "ties_two_classes": _tied(300, 2, seed=11),
    "ties_ten_classes": _tied(400, 10, seed=12),
    "saturated": _saturated(_random(500, 5, scale=8.0, seed=13)),
    "constant": Predictions(np.full((200, 4), 0.25), np.arange(200) % 4),
}


@pytest.fixture(params=CONTINUOUS)
def continuous(request):
    """Predictions without ties, zeros or values on an edge: where every convention agrees."""
    return CONTINUOUS[request.param]


@pytest.fixture(params=[name for name in CONTINUOUS if name != "two_classes"])
def multiclass(request):
    """Continuous predictions of three classes or more: netcal takes two columns as the probability of class 1."""
    return CONTINUOUS[request.param]


@pytest.fixture(params=CONTINUOUS | TIED)
def predictions(request):
    """All kinds of predictions."""
    return (CONTINUOUS | TIED)[request.param]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """The family ``intervals`` with 20 resamples, so that it can be tried on all kinds of predictions."""
    monkeypatch.setattr(intervals, "N_RESAMPLES", 20)
