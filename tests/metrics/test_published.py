"""The measurements of the published study's code: what float32, the order of samples and clipping do to them."""

import numpy as np
import pytest
import torch
from scipy.special import softmax as scipy_softmax
from scipy.special import xlogy
from sklearn.metrics import log_loss

from harness.metrics import measure_as_published, measure_with_reasons, softmax, softmax_float32

EPS = 2.0**-23


def kolmogorov_smirnov(confidence, right):
    """One sample at a time: both sums run over the N samples in float32 and in integers."""
    total, n_right, worst = np.float32(0), 0, 0.0
    n_samples = len(confidence)
    for i in sorted(range(n_samples), key=lambda i: confidence[i]):  # stable
        total, n_right = total + confidence[i], n_right + int(right[i])
        worst = max(worst, abs(float(total / np.float32(n_samples)) - n_right / n_samples))
    return worst


def as_float32(predictions):
    return predictions.probs.astype(np.float32), predictions.labels


# softmax


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_softmax_is_that_of_the_float32_libraries(dtype, scale):
    logits = np.random.default_rng(0).normal(scale=scale, size=(500, 100)).astype(dtype)
    probs, in_float32 = softmax_float32(logits), logits.astype(np.float32)
    assert probs.dtype == np.float32
    # each library rounds its exponentials and sums its own way: a few units in the last place, no more
    np.testing.assert_allclose(probs, torch.softmax(torch.tensor(in_float32), dim=1).numpy(), rtol=6 * EPS, atol=1e-44)
    np.testing.assert_allclose(probs, scipy_softmax(in_float32, axis=1), rtol=6 * EPS, atol=1e-44)
    # a difference of logits is itself rounded, by up to half a unit of the largest
    np.testing.assert_allclose(probs, softmax(in_float32), rtol=6 * EPS + np.ptp(in_float32) * EPS, atol=1e-44)


def test_softmax_rounds_to_one_where_float64_does_not():
    logits = np.array([[17.0, 0.0], [16.0, 0.0]])
    assert softmax_float32(logits)[0].tolist() == [1, pytest.approx(4.14e-8, rel=1e-3)]
    assert softmax_float32(logits)[1].max() < 1
    assert softmax(logits).max() < 1


def test_logits_are_rounded_first():
    """2^24 + 1 is no float32: the lead of one is lost."""
    assert softmax_float32(np.array([[2.0**24 + 1, 2.0**24]])).tolist() == [[0.5, 0.5]]
    assert softmax(np.array([[2.0**24 + 1, 2.0**24]])).max() > 0.7


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_softmax_refuses_what_float32_cannot_hold(bad):
    with pytest.raises(ValueError, match="logits: expected finite values, got NaN or infinity in 1 of 2 rows"):
        softmax_float32(np.array([[0.0, 1.0], [bad, 1.0]]))


@pytest.mark.parametrize("logits", [np.zeros((2, 2), dtype=int), np.zeros(3), np.zeros((0, 3)), np.zeros((3, 1))])
def test_softmax_refuses_shapes_and_dtypes(logits):
    with pytest.raises((TypeError, ValueError)):  # under the shape hook a wrong shape is already a TypeError
        softmax_float32(logits)


# measure_as_published


def test_all_but_two_are_as_defined(predictions):
    probs, labels = as_float32(predictions)
    published, defined = measure_as_published(probs, labels), measure_with_reasons(probs.astype(np.float64), labels)
    assert list(published.values) == list(defined.values)
    changed = {"KSCE", "NLL"}
    assert {name: value for name, value in published.values.items() if name not in changed} == {
        name: value for name, value in defined.values.items() if name not in changed
    }
    assert published.reasons == {name: reason for name, reason in defined.reasons.items() if name not in changed}
    assert all(type(published.values[name]) is float for name in changed)


def test_kolmogorov_smirnov_against_a_loop(predictions):
    probs, labels = as_float32(predictions)
    expected = kolmogorov_smirnov(probs.max(axis=1), probs.argmax(axis=1) == labels)
    assert measure_as_published(probs, labels).values["KSCE"] == expected


def test_kolmogorov_smirnov_as_defined_where_nothing_ties(continuous):
    """But for the float32 sum of at most 700 confidences: an ulp of it a step, 2^-15, over N."""
    probs, labels = as_float32(continuous)
    defined = measure_with_reasons(probs.astype(np.float64), labels).values["KSCE"]
    assert measure_as_published(probs, labels).values["KSCE"] == pytest.approx(defined, abs=2.0**-15)


def test_kolmogorov_smirnov_depends_on_the_order_of_ties():
    """Four samples at .5, two of them right: the defined error is 0, the published one what its worst prefix says."""
    probs, labels = np.full((4, 2), 0.5, dtype=np.float32), np.array([0, 1, 0, 1])
    right_first, alternating, wrong_first = labels[[0, 2, 1, 3]], labels, labels[[1, 3, 0, 2]]
    assert measure_with_reasons(probs.astype(np.float64), right_first).values["KSCE"] == 0
    assert measure_as_published(probs, right_first).values["KSCE"] == 0.25
    assert measure_as_published(probs, wrong_first).values["KSCE"] == 0.25
    assert measure_as_published(probs, alternating).values["KSCE"] == 0.125


def test_kolmogorov_smirnov_sums_in_float32():
    """All right at a confidence of 1 - 2^-14: the gap grows over 1,024 samples, beyond which a sum gains 1 by each."""
    probs = np.tile(np.array([[1 - 2.0**-14, 2.0**-14]], dtype=np.float32), (3000, 1))
    labels = np.zeros(3000, dtype=int)
    published = measure_as_published(probs, labels).values["KSCE"]
    assert published == kolmogorov_smirnov(probs[:, 0], labels == 0)
    assert published == pytest.approx(1024 * 2.0**-14 / 3000, rel=0.01)
    assert measure_with_reasons(probs.astype(np.float64), labels).values["KSCE"] == pytest.approx(2.0**-14, rel=1e-12)


def test_clipped_loss_against_sklearn(predictions):
    probs, labels = as_float32(predictions)
    loss = measure_as_published(probs, labels).values["NLL"]
    classes = np.arange(probs.shape[1])
    # of a float32 array scikit-learn clips at its eps; the current one also takes logarithm and mean in float32
    assert loss == pytest.approx(log_loss(labels, probs, labels=classes), rel=2e-6, abs=1e-9)
    # the version of the study's time multiplied with integer indicators, which makes the logarithm float64
    one_hot = (labels[:, None] == classes).astype(np.int64)
    expected = -xlogy(one_hot, np.clip(probs, np.float32(EPS), np.float32(1 - EPS))).sum(axis=1).mean()
    assert loss == pytest.approx(expected, rel=1e-12)


def test_clipped_loss_by_hand():
    probs, labels = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32), np.array([0, 0])
    measured = measure_as_published(probs, labels)
    assert measured.values["NLL"] == pytest.approx((-np.log(1 - EPS) + 23 * np.log(2)) / 2, rel=1e-12)
    assert "NLL" not in measured.reasons
    assert "NLL" in measure_with_reasons(probs.astype(np.float64), labels).reasons


def test_perfect_predictions_have_a_loss():
    values = measure_as_published(np.eye(3, dtype=np.float32), np.arange(3)).values
    assert values["NLL"] == pytest.approx(EPS, rel=1e-6)
    assert values["KSCE"] == pytest.approx(0, abs=2.0**-25)  # 1 / 3 in float32 less 1 / 3 in float64


def test_arguments_are_left_alone(predictions):
    probs, labels = as_float32(predictions)
    probs.flags.writeable = labels.flags.writeable = False
    measure_as_published(probs, labels)


PROBS, LABELS = np.array([[0.5, 0.5], [0.25, 0.75]], dtype=np.float32), np.array([0, 1])


def test_refused_dtype():
    with pytest.raises(TypeError, match=r"probs: .*float64|Type-check error"):  # the latter under the shape hook
        measure_as_published(PROBS.astype(np.float64), LABELS)


@pytest.mark.parametrize(
    ("probs", "labels", "families", "message"),
    [
        (PROBS * 2, LABELS, ["study"], r"probs: expected values in \[0, 1\]"),
        (PROBS * np.float32(0.9), LABELS, ["study"], "probs: expected rows that sum to 1"),
        (PROBS, LABELS + 1, ["study"], "labels: expected values in 0 .. 1, got values from 1 to 2"),
        (PROBS, LABELS, "study", "families: expected a list of at least one family name"),
        (PROBS, LABELS, [], "families: expected a list of at least one family name"),
        (PROBS, LABELS, ["sutdy"], "family: expected one of .*, study, .* got 'sutdy'"),
    ],
)
def test_refused_values(probs, labels, families, message):
    with pytest.raises(ValueError, match=message):
        measure_as_published(probs, labels, families)
