"""How certain the agreement of rankings is: intervals from resamples, and how well a ranking agrees with itself.

Two things are drawn by chance and are kept apart. Images: a resample of the test images changes every measurement of
every network at once; the store keeps 20 (``replicates``). Networks: only where the set is a sample of its space; a set
that was enumerated is all there is.
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, Integer
from scipy.stats import t

from harness.statistics.ranks import kendall_taus

N_NETWORK_RESAMPLES = 50
"""Resamples of the networks, where these are a sample."""

_MOST_VALUES = 1 << 24
_NO_SPREAD = 1e-12


class Interval(NamedTuple):
    """An interval of each of some estimates, and the bias that was taken off; NaN where there are no resamples.

    Attributes:
        low: Lower ends.
        high: Upper ends.
        bias: Mean of the resamples minus the estimate.
    """

    low: Float64[np.ndarray, "*shape"]
    high: Float64[np.ndarray, "*shape"]
    bias: Float64[np.ndarray, "*shape"]


class Estimates(NamedTuple):
    """Some numbers with their intervals.

    Attributes:
        value: The numbers.
        images: Intervals over resamples of the images.
        networks: Intervals over resamples of the networks, NaN where these are no sample.
    """

    value: Float64[np.ndarray, "*shape"]
    images: Interval
    networks: Interval


class Agreement(NamedTuple):
    """How the rankings by some columns agree.

    Attributes:
        tau: Kendall's tau-b of every two columns, shape (columns, columns), ones on the diagonal; NaN where it is
            undefined.
        ceiling: Noise ceiling of each column.
        n: Of how many networks the values of every two columns are known.
    """

    tau: Estimates
    ceiling: Float64[np.ndarray, " columns"]
    n: Int64[np.ndarray, "columns columns"]


def few_resamples_interval(
    estimate: Float64[np.ndarray, "*shape"], resamples: Float64[np.ndarray, "*shape n_resamples"], level: float = 0.95
) -> Interval:
    """Return the pivot interval ``[e - b - q s, e - b + q s]`` of an estimate e, from few resamples.

    b is the mean of the resamples minus e, s their standard deviation, q the quantile of Student's t with one degree of
    freedom less than there are resamples. The usual pivot interval takes quantiles of the resamples, of which 20 do not
    show one of 2.5 %. Ends beyond the range of the estimate are not clipped.

    Args:
        estimate: Estimates.
        resamples: Values of each on some resamples; NaN where it is undefined, which leaves no interval.
        level: Probability that the interval holds the true value, in (0, 1).

    Example:
        >>> low, high, bias = few_resamples_interval(np.array(0.5), np.array([0.4, 0.5, 0.6]))
        >>> round(float(low), 3), round(float(high), 3), round(float(bias), 3)
        (0.07, 0.93, 0.0)
    """
    n = resamples.shape[-1]
    if n < 2:
        return _no_interval(estimate.shape)
    bias = resamples.mean(axis=-1) - estimate
    reach = t.ppf(0.5 + level / 2, n - 1) * resamples.std(axis=-1, ddof=1)
    return Interval(estimate - bias - reach, estimate - bias + reach, bias)


def rank_agreement(
    values: Float64[np.ndarray, "networks columns"],
    resamples: Float64[np.ndarray, "networks columns n_resamples"],
    *,
    is_sample: bool,
) -> Agreement:
    """Return how the rankings of networks by some columns agree, with intervals and noise ceilings.

    Args:
        values: A row per network, a column per measurement; NaN where there is no value.
        resamples: The values on resamples of the images, of which the i-th has the same images for all networks and
            columns; none, that is shape (networks, columns, 0), leaves intervals over images and ceilings undefined.
        is_sample: Whether the networks are a sample of those that are asked about.
    """
    pairs = _pairs(values.shape[1])
    layers = [values[..., None], _resampled(values, resamples)[..., None], resamples]
    taus = _taus_of_layers(np.concatenate(layers, axis=2), pairs)
    tau = _matrix(taus[:, 0], pairs)
    interval = _about(tau, _matrix(taus[:, 1], pairs), _matrix(taus[:, 2:], pairs))
    np.fill_diagonal(tau, 1.0)
    ceilings = [noise_ceiling(of_column) for of_column in np.moveaxis(resamples, 1, 0)]
    networks = over_networks(values) if is_sample and len(values) else _no_interval(tau.shape)
    known = (~np.isnan(values)).astype(np.int64)
    return Agreement(Estimates(tau, interval, networks), np.array(ceilings, dtype=np.float64), known.T @ known)


def with_intervals(
    statistic: Callable[[Float64[np.ndarray, "networks columns"]], Float64[np.ndarray, "*shape"]],
    values: Float64[np.ndarray, "networks columns"],
    resamples: Float64[np.ndarray, "networks columns n_resamples"],
    *,
    is_sample: bool,
) -> Estimates:
    """Return what a function finds in a matrix of measurements, with intervals over images and over networks.

    Args:
        statistic: The function; of some networks it may give NaN.
        values: As in :func:`rank_agreement`.
        resamples: As in :func:`rank_agreement`.
        is_sample: As in :func:`rank_agreement`.

    Example:
        >>> values = np.array([[1.0], [2.0], [6.0]])
        >>> found = with_intervals(lambda x: x.mean(axis=0), values, np.empty((3, 1, 0)), is_sample=True)
        >>> found.value.tolist(), np.isnan(found.images.low).tolist(), bool(found.networks.low[0] < 3)
        ([3.0], [True], True)
    """
    value = statistic(values)
    layers = [statistic(resamples[..., i]) for i in range(resamples.shape[2])]
    images = _no_interval(value.shape)
    if layers:
        images = _about(value, statistic(_resampled(values, resamples)), np.stack(layers, axis=-1))
    if not is_sample or not len(values):
        return Estimates(value, images, _no_interval(value.shape))
    drawn = [statistic(values[draw]) for draw in _network_draws(len(values))]
    return Estimates(value, images, _of_draws(value, np.stack(drawn, axis=-1)))


def _resampled(
    values: Float64[np.ndarray, "networks columns"], resamples: Float64[np.ndarray, "networks columns n_resamples"]
) -> Float64[np.ndarray, "networks columns"]:
    """Return the values of which there are resamples, NaN elsewhere."""
    return np.where(np.isnan(resamples).all(axis=2), np.nan, values)


def _about(
    value: Float64[np.ndarray, "*shape"],
    of_resampled: Float64[np.ndarray, "*shape"],
    resamples: Float64[np.ndarray, "*shape n_resamples"],
) -> Interval:
    """Return the interval of a value whose resamples may be of some of its networks alone.

    Bias and spread are those of the networks that have resamples, about their own value.
    """
    return few_resamples_interval(value, resamples + (value - of_resampled)[..., None])


def noise_ceiling(resamples: Float64[np.ndarray, "networks n_resamples"]) -> float:
    """Return how well a ranking repeats on other images: the mean tau-b of two independent resamples, at most 1.

    Two measurements of the *same* images share their noise and can agree better. It is taken over neighbouring
    resamples; NaN where there are fewer than two.

    Args:
        resamples: A measurement of each network on resamples of the images.

    Example:
        >>> noise_ceiling(np.array([[1.0, 1.1, 0.9], [2.0, 2.2, 1.8], [3.0, 2.9, 3.1]]))
        1.0
    """
    firsts = np.arange(max(resamples.shape[1] - 1, 0))
    if not len(firsts):
        return np.nan
    return float(kendall_taus(resamples, np.stack([firsts, firsts + 1], axis=1)).mean())


def over_networks(values: Float64[np.ndarray, "networks columns"]) -> Interval:
    """Return intervals of tau-b of every two columns over resamples of the networks, for sets that are a sample.

    There is none where tau is the same in all resamples, as it is where it is 1: they cannot tell how sure it is.

    Args:
        values: A row per network, a column per measurement; NaN where there is no value.
    """
    pairs = _pairs(values.shape[1])
    resamples = _taus_of_layers(np.moveaxis(values[_network_draws(len(values))], 0, 2), pairs)
    return _of_draws(_matrix(kendall_taus(values, pairs), pairs), _matrix(resamples, pairs))


def _of_draws(estimate: Float64[np.ndarray, "*shape"], drawn: Float64[np.ndarray, "*shape n_draws"]) -> Interval:
    """Return intervals over resamples of the networks, none where all of these give the same."""
    all_agree = np.ptp(drawn, axis=-1) < _NO_SPREAD
    return Interval(*(np.where(all_agree, np.nan, part) for part in few_resamples_interval(estimate, drawn)))


def _network_draws(n: int) -> Integer[np.ndarray, "draws n"]:
    return np.random.default_rng(0).integers(n, size=(N_NETWORK_RESAMPLES, n))


def _no_interval(shape: tuple[int, ...]) -> Interval:
    nothing = np.full(shape, np.nan)
    return Interval(nothing, nothing, nothing)


def _pairs(n_columns: int) -> Integer[np.ndarray, "n_pairs 2"]:
    return np.array([*combinations(range(n_columns), 2)], dtype=np.int64).reshape(-1, 2)


def _taus_of_layers(
    layers: Float64[np.ndarray, "networks columns n_layers"], pairs: Integer[np.ndarray, "n_pairs 2"]
) -> Float64[np.ndarray, "n_pairs n_layers"]:
    """Return tau-b of pairs of columns in each layer; some layers at a time, for whole spaces fill the memory."""
    n_networks, n_columns, n_layers = layers.shape
    at_once = max(1, _MOST_VALUES // max(n_networks * n_columns, 1))
    found = [np.empty((len(pairs), 0))]
    for first in range(0, n_layers, at_once):
        some = layers[..., first : first + at_once]
        n = some.shape[2]
        beside = (pairs[:, None, :] * n + np.arange(n)[:, None]).reshape(-1, 2)  # columns by layer
        found.append(kendall_taus(some.reshape(n_networks, n_columns * n), beside).reshape(len(pairs), n))
    return np.concatenate(found, axis=1)


def _matrix(
    of_pairs: Float64[np.ndarray, "n_pairs ..."], pairs: Integer[np.ndarray, "n_pairs 2"]
) -> Float64[np.ndarray, "columns columns ..."]:
    """Return values of all pairs of columns as a symmetric matrix, NaN on its diagonal."""
    n_columns = int(pairs.max(initial=0)) + 1
    matrix = np.full((n_columns, n_columns, *of_pairs.shape[1:]), np.nan)
    matrix[*pairs.T] = matrix[*pairs.T[::-1]] = of_pairs
    return matrix
