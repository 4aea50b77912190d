"""Intervals and noise ceilings: cases by hand, the usual formulas, and that they hold what they promise."""

import numpy as np
import pytest
from scipy.stats import bootstrap, norm, ttest_1samp

from harness.statistics import (
    few_resamples_interval,
    kendall_matrix,
    kendall_tau,
    noise_ceiling,
    over_networks,
    rank_agreement,
    with_intervals,
)


def test_an_interval_by_hand():
    found = few_resamples_interval(np.array([2.0]), np.array([[2.0, 3.0, 4.0]]))
    # Bias 1, standard deviation 1, Student's t with two degrees of freedom: 4.3027.
    assert found.bias == pytest.approx([1.0])
    assert found.low == pytest.approx([2 - 1 - 4.302653])
    assert found.high == pytest.approx([2 - 1 + 4.302653])


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_without_bias_it_is_the_prediction_interval_around_the_mean(level):
    resamples = np.random.default_rng(0).normal(size=20)
    interval = ttest_1samp(resamples, 0).confidence_interval(level)
    half = (interval.high - interval.low) / 2 * np.sqrt(20)
    found = few_resamples_interval(np.array(resamples.mean()), resamples, level)
    assert found.high - found.low == pytest.approx(2 * half)


@pytest.mark.parametrize("n_resamples", [0, 1])
def test_too_few_resamples_give_no_interval(n_resamples):
    found = few_resamples_interval(np.zeros((2, 3)), np.zeros((2, 3, n_resamples)))
    assert all(np.isnan(part).all() and part.shape == (2, 3) for part in found)


def noisy(n_networks=40, n_columns=3, n_resamples=20, noise=0.3, seed=0):
    """True values, what a sample of images gives of them, and resamples of that: noise upon noise."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n_networks, 1)) + rng.normal(size=(n_networks, n_columns))
    values = true + noise * rng.normal(size=true.shape)
    return true, values, values[..., None] + noise * rng.normal(size=(*true.shape, n_resamples))


def test_agreement_is_that_of_each_pair():
    _, values, resamples = noisy()
    found = rank_agreement(values, resamples, is_sample=False)
    np.testing.assert_allclose(found.tau.value, kendall_matrix(values))
    each = np.array([kendall_tau(resamples[:, 0, i], resamples[:, 2, i]) for i in range(20)])
    expected = few_resamples_interval(np.array(found.tau.value[0, 2]), each)
    for part, alone in zip(found.tau.images, expected, strict=True):
        assert part[0, 2] == part[2, 0] == pytest.approx(float(alone))
    neighbours = [kendall_tau(resamples[:, 1, i], resamples[:, 1, i + 1]) for i in range(19)]
    assert found.ceiling[1] == pytest.approx(np.mean(neighbours))


def test_networks_without_resamples_do_not_move_an_interval():
    """Bias and spread are those of the networks that have resamples, about the value of all."""
    _, values, resamples = noisy()
    values[30:] += 5.0 * np.random.default_rng(1).normal(size=(10, 3))
    resamples[30:] = np.nan
    values[3, 2] = np.nan
    found, some = (rank_agreement(values[:n], resamples[:n], is_sample=False) for n in (None, 30))
    assert found.tau.value[0, 1] != pytest.approx(some.tau.value[0, 1])
    np.testing.assert_allclose(found.tau.images.bias, some.tau.images.bias)
    for end in ("low", "high"):
        shifted = getattr(some.tau.images, end) + found.tau.value - some.tau.value
        np.testing.assert_allclose(getattr(found.tau.images, end), shifted)
    of_tau = with_intervals(lambda few: kendall_matrix(few)[0, 1:], values, resamples, is_sample=False)
    np.testing.assert_allclose(of_tau.images.low, found.tau.images.low[0, 1:])
    assert found.n.tolist() == [[40, 40, 39], [40, 40, 39], [39, 39, 39]]


def test_agreement_without_resamples():
    _, values, resamples = noisy()
    found = rank_agreement(values, resamples[..., :0], is_sample=False)
    np.testing.assert_allclose(found.tau.value, kendall_matrix(values))
    assert np.isnan(found.tau.images.low).all()
    assert np.isnan(found.ceiling).all()


def test_intervals_of_any_number_are_those_of_tau_where_it_is_tau():
    _, values, resamples = noisy()
    expected = rank_agreement(values, resamples, is_sample=True).tau
    found = with_intervals(lambda some: kendall_matrix(some)[0, 1:], values, resamples, is_sample=True)
    np.testing.assert_allclose(found.value, expected.value[0, 1:])
    for part in ("images", "networks"):
        for mine, theirs in zip(getattr(found, part), getattr(expected, part), strict=True):
            np.testing.assert_allclose(mine, theirs[0, 1:])


def test_intervals_of_a_mean_by_hand():
    values = np.array([[1.0], [2.0], [6.0]])
    resamples = values[..., None] + np.array([0.0, 1.0, 2.0])
    found = with_intervals(lambda some: some.mean(axis=0), values, resamples, is_sample=False)
    assert found.value.tolist() == [3.0]
    assert found.images.bias == pytest.approx([1.0])
    assert found.images.high == pytest.approx([3 - 1 + 4.302653])
    assert np.isnan(found.networks.low).all()


def test_no_networks_and_no_resamples_have_no_intervals():
    nothing = np.empty((0, 2))
    found = with_intervals(lambda some: np.array(float(len(some))), nothing, np.empty((0, 2, 0)), is_sample=True)
    assert found.value == 0
    assert np.isnan([*found.images, *found.networks]).all()
    tau = rank_agreement(nothing, np.empty((0, 2, 0)), is_sample=True).tau
    assert np.isnan([*tau.images, *tau.networks]).all()


def test_images_are_shared_by_the_columns():
    """Two columns that move together on other images agree in each resample, however noisy both are."""
    _, values, resamples = noisy(noise=3.0)
    twice = rank_agreement(
        np.stack([values[:, 0]] * 2, axis=1), np.stack([resamples[:, 0]] * 2, axis=1), is_sample=False
    )
    assert twice.tau.images.low[0, 1] == twice.tau.images.high[0, 1] == 1.0
    assert twice.ceiling[0] < 0.9


def test_the_ceiling_of_a_ranking_without_noise_is_one_and_of_noise_alone_is_nothing():
    rng = np.random.default_rng(0)
    assert noise_ceiling(np.repeat(rng.normal(size=(30, 1)), 20, axis=1)) == 1.0
    assert abs(noise_ceiling(rng.normal(size=(300, 20)))) < 0.05
    assert np.isnan(noise_ceiling(rng.normal(size=(30, 1))))


def test_intervals_over_images_hold_the_true_tau():
    """95 % are promised; noise upon noise is a bias of known sign, which the interval takes off."""
    held, bias = [], []
    for seed in range(60):
        true, values, resamples = noisy(n_networks=60, n_columns=2, seed=seed)
        found = rank_agreement(values, resamples, is_sample=False).tau.images
        held.append(found.low[0, 1] <= kendall_tau(*true.T) <= found.high[0, 1])
        bias.append(found.bias[0, 1])
    assert np.mean(held) >= 0.88
    assert np.mean(bias) < -0.01


def test_intervals_over_networks_hold_the_tau_of_the_space():
    """Of two normal columns of correlation r, tau is 2/pi asin r."""
    held = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        first = rng.normal(size=80)
        second = 0.6 * first + 0.8 * rng.normal(size=80)
        found = over_networks(np.stack([first, second], axis=1))
        held.append(found.low[0, 1] <= 2 / np.pi * np.arcsin(0.6) <= found.high[0, 1])
    assert np.mean(held) >= 0.83


def test_resamples_of_networks_that_all_agree_tell_nothing():
    same = np.stack([np.arange(8.0)] * 2, axis=1)
    assert np.isnan(over_networks(same).low).all()
    found = with_intervals(lambda some: kendall_matrix(some)[0, 1:], same, np.empty((8, 2, 0)), is_sample=True)
    assert found.value.tolist() == [1]
    assert np.isnan(found.networks.high).all()


def test_intervals_over_networks_are_those_of_scipy():
    rng = np.random.default_rng(3)
    first = rng.normal(size=60)
    second = first + rng.normal(size=60)
    found = over_networks(np.stack([first, second], axis=1))
    theirs = bootstrap(
        (first, second), kendall_tau, paired=True, vectorized=False, method="basic", n_resamples=999, rng=rng
    )
    assert found.high[0, 1] - found.low[0, 1] == pytest.approx(2 * norm.ppf(0.975) * theirs.standard_error, rel=0.2)
    assert found.low[0, 1] == pytest.approx(theirs.confidence_interval.low, abs=0.05)
