"""The headline measurements of resamples of the images, from which one sees how uncertain they are.

A resample draws as many images as there are, with replacement. Which images the i-th resample draws depends on their
number, the seed and i alone, so every network is measured on the same ones: two resamples then tell how well a ranking
of networks would repeat on other images.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer, Shaped

from harness.metrics.binning import BIN_COUNTS, equal_count_positions, equal_mass_positions, equal_width_edges
from harness.metrics.checks import require_predictions
from harness.metrics.kernel import kernel_density_calibration_error, max_mean_calibration_error
from harness.metrics.predictions import Ranked, is_right
from harness.metrics.top_label import (
    accuracy,
    correct_confidence,
    equal_mass_calibration_error,
    expected_calibration_error,
    harmonic_calibration_score,
    incorrect_confidence,
    kolmogorov_smirnov_calibration_error,
    max_calibration_error,
)
from harness.metrics.undefined import Undefined

N_BINS = 15
"""Number of bins of the headline measurements, but for ECE, which is taken at every number of bins."""

HEADLINE = (
    *(f"ECE_{n_bins}" for n_bins in BIN_COUNTS),
    f"ECE_em_{N_BINS}",
    f"cwCE_{N_BINS}",
    f"cwCE_em_{N_BINS}",
    f"cwACE_{N_BINS}",
    f"MCE_{N_BINS}",
    "KSCE",
    "KDECE",
    "MMCE",
    "NLL",
    "Brier",
    "acc",
    "correct_confidence",
    "incorrect_confidence",
    "HCS",
)
"""The measurements that are taken of resamples."""

N_REPLICATES = 20
"""Resamples whose measurements the store keeps, unless told otherwise."""

_BLOCK = 1 << 17
"""About as many weights are worked on at a time as fit into a processor's cache."""


def resample_weights(n_samples: int, n_resamples: int, seed: int = 0) -> Int64[np.ndarray, "resamples n"]:
    """Return how often each resample draws each sample, shape (n_resamples, n_samples), rows summing to n_samples.

    Resample i is the same however many there are.

    Example:
        >>> resample_weights(5, 2).tolist()
        [[0, 2, 1, 1, 1], [0, 1, 2, 0, 2]]
    """
    return np.stack([_weights(n_samples, seed, i) for i in range(n_resamples)])


def _weights(n_samples: int, seed: int, i: int) -> Int64[np.ndarray, " n"]:
    draw = np.random.default_rng((seed, i)).integers(n_samples, size=n_samples)
    return np.bincount(draw, minlength=n_samples)


def measure_resamples(
    probs: Float64[np.ndarray, "n classes"],
    labels: Integer[np.ndarray, " n"],
    n_resamples: int = N_REPLICATES,
    seed: int = 0,
) -> dict[str, Float64[np.ndarray, " resamples"]]:
    """Return each measurement of `HEADLINE` of each resample, NaN where it is undefined.

    They are what `measure` gives of the samples that a resample draws, without drawing them for each class.

    Args:
        probs: Class probabilities, float64, shape (n, classes), n >= 1, classes >= 2, rows summing to 1 within 1e-5.
        labels: Classes, integer, shape (n,), in 0 .. classes - 1.
        n_resamples: Number of resamples, at least 1.
        seed: Seed of the draws, at least 0.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong.

    Example:
        >>> probs = np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]])
        >>> measure_resamples(probs, np.array([0, 0, 0]), n_resamples=3)["acc"].round(2).tolist()
        [0.67, 0.33, 0.67]
    """
    require_predictions(probs, labels)
    for name, number, least in (("n_resamples", n_resamples, 1), ("seed", seed, 0)):
        if not isinstance(number, int) or number < least:
            raise ValueError(f"{name}: expected a whole number of at least {least}, got {number!r}")
    top, samples = _sorted_top(probs, labels), _samples(probs, labels)
    classes = [_sorted_class(probs[:, k], labels == k) for k in range(probs.shape[1])]
    found = {name: np.empty(n_resamples) for name in HEADLINE}
    size = max(1, _BLOCK // len(labels))
    for start in range(0, n_resamples, size):  # some resamples at a time, which bounds the memory
        some = range(start, min(start + size, n_resamples))
        weights = np.stack([_weights(len(labels), seed, i) for i in some])
        values = {**_top_label(top, weights), **_of_label(samples, weights), **_classwise(classes, weights)}
        for name in HEADLINE:
            found[name][some.start : some.stop] = values[name]
    return found


_OF_TOP: Mapping[str, Callable[[Ranked], float | Undefined]] = {
    **{f"ECE_{n_bins}": functools.partial(expected_calibration_error, n_bins=n_bins) for n_bins in BIN_COUNTS},
    f"ECE_em_{N_BINS}": functools.partial(equal_mass_calibration_error, n_bins=N_BINS),
    f"MCE_{N_BINS}": functools.partial(max_calibration_error, n_bins=N_BINS),
    "KSCE": kolmogorov_smirnov_calibration_error,
    "KDECE": kernel_density_calibration_error,
    "MMCE": max_mean_calibration_error,
    "acc": accuracy,
    "correct_confidence": correct_confidence,
    "incorrect_confidence": incorrect_confidence,
    "HCS": harmonic_calibration_score,
}


class _SortedTop(NamedTuple):
    """The confidences, ascending, which all resamples share.

    Attributes:
        order: The samples in that order.
        confidence: Their confidences.
        right: Whether their predictions are right.
    """

    order: Int64[np.ndarray, " n"]
    confidence: Float64[np.ndarray, " n"]
    right: Bool[np.ndarray, " n"]


def _sorted_top(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> _SortedTop:
    confidence = probs.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    return _SortedTop(order, confidence[order], is_right(probs, labels, confidence)[order])


def _top_label(
    top: _SortedTop, weights: Int64[np.ndarray, "resamples n"]
) -> dict[str, Float64[np.ndarray, " resamples"]]:
    """Return what is measured of the confidences, which of a resample are those of all samples, some of them often."""
    found = {name: np.empty(len(weights)) for name in _OF_TOP}
    for i, drawn in enumerate(weights):
        times = drawn[top.order]
        probability, outcome = np.repeat(top.confidence, times), np.repeat(top.right, times)
        ranked = Ranked(probability, outcome, excess=np.append(0.0, np.cumsum(probability - outcome)))
        for name, measurement in _OF_TOP.items():
            value = measurement(ranked)
            found[name][i] = np.nan if isinstance(value, Undefined) else value
    return found


class _Samples(NamedTuple):
    """What each sample has of its own.

    Attributes:
        loss: ``-log p_label``, 0 where that is infinite.
        is_infinite: Where it is.
        error: ``1 / K sum_k (p_k - [label = k])^2``.
    """

    loss: Float64[np.ndarray, " n"]
    is_infinite: Bool[np.ndarray, " n"]
    error: Float64[np.ndarray, " n"]


def _samples(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> _Samples:
    with np.errstate(divide="ignore"):
        loss = -np.log(probs[np.arange(labels.size), labels])
    is_infinite = np.isinf(loss)
    error = probs.copy()
    error[np.arange(labels.size), labels] -= 1
    return _Samples(np.where(is_infinite, 0.0, loss), is_infinite, np.einsum("ik,ik->i", error, error) / probs.shape[1])


def _of_label(
    samples: _Samples, weights: Int64[np.ndarray, "resamples n"]
) -> dict[str, Float64[np.ndarray, " resamples"]]:
    """Return the means over the samples of a resample of what each sample has of its own."""
    n_samples = weights.shape[1]
    negative_log_likelihood = weights @ samples.loss / n_samples
    negative_log_likelihood[(weights[:, samples.is_infinite] > 0).any(axis=1)] = np.nan
    return {"NLL": negative_log_likelihood, "Brier": weights @ samples.error / n_samples}


class _SortedClass(NamedTuple):
    """The probabilities of one class, ascending, which all resamples share.

    Attributes:
        order: The samples in that order.
        probability: Their probabilities.
        gap: Probability less whether the label is the class.
        edges: Cuts of the bins of equal width; what lies before the first has probability 0.
    """

    order: Int64[np.ndarray, " n"]
    probability: Float64[np.ndarray, " n"]
    gap: Float64[np.ndarray, " n"]
    edges: Int64[np.ndarray, " cuts"]


def _sorted_class(probability: Float64[np.ndarray, " n"], outcome: Bool[np.ndarray, " n"]) -> _SortedClass:
    order = np.argsort(probability, kind="stable")
    ascending = probability[order]
    edges = np.searchsorted(ascending, equal_width_edges(N_BINS), side="right")
    return _SortedClass(order, ascending, ascending - outcome[order], edges)


def _classwise(
    classes: Sequence[_SortedClass], weights: Int64[np.ndarray, "resamples n"]
) -> dict[str, Float64[np.ndarray, " resamples"]]:
    """Return the means over the classes."""
    width, mass, count = np.zeros((3, len(weights)))
    for ranked in classes:
        drawn = weights[:, ranked.order]
        excess, n_drawn = _running(drawn * ranked.gap), _running(drawn)
        width += _binned_error(excess[:, ranked.edges])
        mass += _binned_error(np.take_along_axis(excess, _equal_mass_cuts(ranked.probability, n_drawn), axis=1))
        count += _binned_error(_excess_at_equal_counts(ranked, excess, n_drawn))
    if weights.shape[1] < N_BINS:
        count[:] = np.nan
    scale = weights.shape[1] * len(classes)
    return {f"cwCE_{N_BINS}": width / scale, f"cwCE_em_{N_BINS}": mass / scale, f"cwACE_{N_BINS}": count / scale}


def _binned_error(excess_at_cuts: Float64[np.ndarray, "resamples cuts"]) -> Float64[np.ndarray, " resamples"]:
    """Return ``sum_b |sum (p - y)|`` over the bins between the cuts."""
    return np.abs(np.diff(excess_at_cuts, axis=1)).sum(axis=1)


def _running(values: Shaped[np.ndarray, "some n"]) -> Shaped[np.ndarray, "some running"]:
    """Return the sums of the 0, 1, ..., n first values of each row."""
    sums = np.zeros((len(values), values.shape[1] + 1), dtype=values.dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _equal_mass_cuts(
    probability: Float64[np.ndarray, " n"], n_drawn: Int64[np.ndarray, "some running"]
) -> Int64[np.ndarray, "some cuts"]:
    """Return the cuts of `harness.metrics.binning.equal_mass_cuts` of each resample, as positions among all samples.

    Args:
        probability: Probabilities of all samples, ascending.
        n_drawn: How often the 0, 1, ..., n lowest are drawn together, of each resample.
    """
    n_samples = probability.size
    first = np.broadcast_to(equal_mass_positions(n_samples, N_BINS)[1:-1], (len(n_drawn), min(N_BINS, n_samples) - 1))
    before, behind = (probability[_samples_below(n_drawn, drawn)] for drawn in (first - 1, first))
    inner = np.searchsorted(probability, (before + behind) / 2, side="right")
    return np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (0, n_samples)))


def _excess_at_equal_counts(
    ranked: _SortedClass,
    excess: Float64[np.ndarray, "some running"],
    n_drawn: Int64[np.ndarray, "some running"],
) -> Float64[np.ndarray, "some cuts"]:
    """Return the sums of (probability - outcome) below the cuts of `harness.metrics.binning.equal_count_cuts`.

    A cut may lie between the draws of one sample, of which so many then count.
    """
    n_samples = ranked.probability.size
    n_zeros = n_drawn[:, ranked.edges[:1]]
    cuts = equal_count_positions(n_samples, n_zeros, N_BINS)
    below = _samples_below(n_drawn, cuts)
    of_next = (cuts - np.take_along_axis(n_drawn, below, axis=1)) * np.append(ranked.gap, 0.0)[below]
    return np.take_along_axis(excess, below, axis=1) + of_next


def _samples_below(
    n_drawn: Int64[np.ndarray, "some running"], position: Int64[np.ndarray, "some cuts"]
) -> Int64[np.ndarray, "some cuts"]:
    """Return of how many of the lowest samples all draws lie below each position among the draws of a resample.

    Args:
        n_drawn: How often the 0, 1, ..., n lowest are drawn together, of each resample.
        position: Numbers of draws, in 0 .. n.
    """
    n_samples = n_drawn.shape[1] - 1
    # One search for all resamples: each has its own range of numbers, so that together they ascend.
    offset = n_samples * np.arange(len(n_drawn))[:, np.newaxis]
    found = np.searchsorted((n_drawn[:, 1:] + offset).ravel(), position + offset, side="right") - offset
    return np.minimum(found, n_samples)  # behind the last draw the next resample may begin with samples not drawn
