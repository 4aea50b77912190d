"""Many models at once on a device have the measurements that each has by itself in numpy."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from harness.metrics import family, measure_with_reasons, on_device, softmax
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.on_device import measure_on_device, require_predictions_on_device
from harness.metrics.on_device_binning import running_sums

CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; the CPU twin is beside it"),
    ],
)
on_each_device = pytest.mark.parametrize("device", ["cpu", CUDA])


def predictions(n_models, n_samples, n_classes, *, decimals=None, scale=2.0, seed=0):
    """Models from under- to overconfident; with few decimals most probabilities are equal, many are 0 or 1."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    logits = rng.normal(size=(n_models, n_samples, n_classes))
    logits[:, np.arange(n_samples), labels] += 1
    probs = np.stack([softmax(scale * (1 + model) * of_model) for model, of_model in enumerate(logits)])
    if decimals is not None:
        probs[..., 1:] = np.floor(probs[..., 1:] * 10**decimals) / 10**decimals
        probs[..., 0] = np.clip(1 - probs[..., 1:].sum(axis=-1), 0, 1)
    return probs, labels


def of_confidences(confidences, right):
    """Two-class predictions with those confidences, at least one half, of which those are right."""
    confidences = np.asarray(confidences, dtype=np.float64)
    return np.stack([confidences, 1 - confidences], axis=-1), np.where(right, 0, 1)


def on(device, probs, labels):
    return measure_on_device(torch.tensor(probs, device=device), torch.tensor(labels, device=device))


def assert_values(found, expected, *, rel=1e-9):
    assert list(found) == list(expected)
    for name, value in expected.items():
        if value is None:
            assert found[name] is None, name
        elif name == "MMCE":  # the root of a sum that rounding leaves near 0
            assert found[name] ** 2 == pytest.approx(value**2, rel=rel, abs=1e-15)
        else:
            assert found[name] == pytest.approx(value, rel=rel, abs=1e-14), name


def assert_same(device, probs, labels):
    found = on(device, probs, labels)
    assert len(found) == len(probs)
    for of_model, one in zip(probs, found, strict=True):
        expected = measure_with_reasons(of_model, labels)
        assert one.reasons == expected.reasons
        assert list(one.reasons) == list(expected.reasons)
        assert_values(one.values, expected.values)


@on_each_device
@pytest.mark.parametrize("n_samples", [1, 2, 7, 31, 499, 500, 501, 1500])
@pytest.mark.parametrize(("n_models", "n_classes"), [(1, 2), (4, 3), (3, 11), (2, 120)])
def test_random_predictions(device, n_models, n_samples, n_classes):
    assert_same(device, *predictions(n_models, n_samples, n_classes, seed=n_samples))


@on_each_device
@pytest.mark.parametrize("decimals", [0, 1, 2, 3])
@pytest.mark.parametrize("scale", [0.0, 1.0, 20.0])
def test_ties_zeros_and_ones(device, decimals, scale):
    assert_same(device, *predictions(3, 700, 4, decimals=decimals, scale=scale, seed=decimals))


@on_each_device
def test_constant_predictors_and_negative_zero(device):
    constant = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, -0.0], [-0.0, 0.0, 1.0], [1 / 3, 1 / 3, 1 / 3], [0.25, 0.5, 0.25]])
    assert_same(device, np.repeat(constant[:, np.newaxis], 600, axis=1), np.arange(600) % 3)


@on_each_device
def test_models_without_some_measurements_beside_models_with_all(device):
    probs, labels = predictions(6, 300, 4, seed=3)
    one_hot = np.eye(4)[labels]
    probs[0] = one_hot  # all right, without a range of confidences
    probs[1] = np.roll(one_hot, 1, axis=-1)  # all wrong and certain: not even an HCS
    probs[2] = 0.7 * one_hot + 0.3 * probs[2]  # all right
    probs[3] = 0.7 * np.roll(one_hot, 1, axis=-1) + 0.3 * probs[3]  # all wrong
    probs[4, 1:] = np.roll(one_hot, 1, axis=-1)[1:]
    probs[4, 0] = one_hot[0]  # one right
    assert_same(device, probs, labels)
    undefined = [set(of_model.reasons) - {"cwACE_500"} for of_model in on(device, probs, labels)]
    assert undefined[0] == {"KDECE", "incorrect_confidence"}
    assert undefined[1] == {"KDECE", "NLL", "correct_confidence", "HCS"}
    assert undefined[2:] == [{"incorrect_confidence"}, {"KDECE", "correct_confidence"}, {"KDECE", "NLL"}, set()]


@on_each_device
def test_a_class_that_no_label_has(device):
    probs, labels = predictions(3, 400, 5, seed=4)
    assert_same(device, probs[:, labels != 2], labels[labels != 2])


@on_each_device
def test_midpoints_that_round_to_their_upper_neighbour(device):
    values = np.nextafter(0.25, 1) + np.arange(40) * np.spacing(0.25)
    assert_same(device, np.stack([values, 1 - values], axis=1)[np.newaxis], np.arange(40) % 2)


@on_each_device
@pytest.mark.parametrize("n_samples", [3, 50])
def test_extreme_bandwidths(device, n_samples):
    """From below the step of the grid to as wide as the confidences of two classes can make it."""
    right = np.arange(n_samples) != 1
    models = [of_confidences(1 - spread * np.linspace(0, 1, n_samples), right) for spread in (2e-6, 1e-4, 1e-3, 0.5)]
    assert_same(device, np.stack([probs for probs, _ in models]), models[0][1])


@on_each_device
@pytest.mark.parametrize("n_samples", [2, 3])
def test_the_widest_bandwidths(device, n_samples):
    """Right predictions as far apart as they can be; a wrong one at .5, whose mirror image is the farthest from 0."""
    between = np.append([0.5, 0.5], np.zeros(118))
    probs = np.stack([np.eye(120)[0], np.full(120, 1 / 120), between])
    assert_same(device, probs[np.newaxis, :n_samples], np.array([0, 0, 1])[:n_samples])


@on_each_device
def test_right_confidences_just_within_and_just_beyond_the_smallest_range(device):
    probs, labels = zip(
        *(of_confidences([0.6, 0.7, 0.7 + gap], [False, True, True]) for gap in (9e-7, 2e-6)), strict=True
    )
    assert_same(device, np.stack(probs), labels[0])


@on_each_device
@pytest.mark.parametrize("name", ["cleanlab_mnist", "netcal_wideresnet-16-4-cifar-10", "netcal_lenet-5-cifar-100"])
def test_real_predictions(real_data, device, name):
    with np.load(real_data / "probs" / f"{name}.npz") as arrays:
        probs, labels = arrays["probs"].astype(np.float64), arrays["labels"].astype(np.int64)
    tempered = probs**0.5 / (probs**0.5).sum(axis=1, keepdims=True)
    assert_same(device, np.stack([probs, tempered, np.roll(probs, 1, axis=1)]), labels)


def test_by_hand():
    """Two classes, confidences .5 (right) and .75 (wrong): all bins hold one sample, errors .5 and .75."""
    values = on("cpu", np.array([[[0.5, 0.5], [0.25, 0.75]]]), np.array([0, 0]))[0].values
    assert values["ECE_15"] == values["ECE_em_500"] == values["cwCE_20"] == 0.625
    assert (values["MCE_10"], values["KSCE"], values["acc"], values["KDECE"]) == (0.75, 0.25, 0.5, None)
    assert (values["correct_confidence"], values["incorrect_confidence"]) == (0.5, 0.75)
    assert values["Brier_sum"] == 2 * values["Brier"] == (0.5 + 1.125) / 2
    assert values["NLL"] == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert values["HCS"] == pytest.approx(2 * 0.5 * 0.375 / 0.875)


def test_the_members_come_in_the_order_of_the_family():
    assert tuple(on("cpu", *predictions(1, 20, 3))[0].values) == family("study").members


@on_each_device
def test_a_model_alone_has_the_values_that_it_has_among_others(device):
    probs, labels = predictions(5, 600, 6, decimals=2)
    together = on(device, probs, labels)
    for model, of_all in enumerate(together):
        (alone,) = on(device, probs[model : model + 1], labels)
        assert alone.reasons == of_all.reasons
        assert_values(alone.values, of_all.values, rel=1e-11)


@on_each_device
def test_the_size_of_the_blocks_changes_nothing(device, monkeypatch):
    probs, labels = predictions(3, 600, 13, decimals=2)
    whole = on(device, probs, labels)
    monkeypatch.setattr(on_device, "_BLOCK", 1)
    for one, of_all in zip(on(device, probs, labels), whole, strict=True):
        assert_values(one.values, of_all.values, rel=1e-11)


@on_each_device
@pytest.mark.parametrize("n_models", [1, 4])
def test_the_numbers_of_every_run_are_the_same(device, n_models):
    probs, labels = predictions(n_models, 3000, 10)
    assert on(device, probs, labels) == on(device, probs, labels)


def test_order_of_models():
    probs, labels = predictions(4, 200, 5)
    backwards = on("cpu", probs[::-1].copy(), labels)
    for one, other in zip(on("cpu", probs, labels), reversed(backwards), strict=True):
        assert_values(other.values, one.values, rel=1e-12)


def test_tensors_of_any_layout_and_with_gradients():
    probs, labels = predictions(3, 50, 4)
    classes_first = torch.tensor(probs.transpose(2, 0, 1).copy(), requires_grad=True)
    found = measure_on_device(classes_first.permute(1, 2, 0), torch.tensor(np.repeat(labels, 2))[::2])
    assert found == on("cpu", probs, labels)


@on_each_device
def test_arguments_are_left_alone(device):
    probs, labels = predictions(2, 50, 3)
    given = torch.tensor(probs, device=device), torch.tensor(labels, device=device)
    measure_on_device(*given)
    assert np.array_equal(given[0].cpu(), probs)
    assert np.array_equal(given[1].cpu(), labels)


def test_running_sums_of_one_row_are_those_of_many():
    values = torch.rand(3, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = running_sums(values)
    assert torch.equal(together[:, 1:], values.cumsum(dim=-1))
    assert not together[:, 0].any()
    for row, sums in zip(values, together, strict=True):
        assert torch.equal(running_sums(row), sums)
        assert torch.equal(running_sums(row[None]), sums[None])


def test_one_sample_has_no_bins_of_equal_count():
    (measured,) = on("cpu", np.array([[[0.25, 0.75]]]), np.array([1]))
    assert measured.values["ECE_500"] == measured.values["MCE_5"] == measured.values["MMCE"] == 0.25
    assert set(measured.reasons) == {"KDECE", "incorrect_confidence", *(f"cwACE_{n_bins}" for n_bins in BIN_COUNTS)}


def test_the_metrics_do_not_import_torch():
    code = "import sys, harness.metrics; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# what it refuses

GOOD = torch.tensor([[[0.25, 0.75], [0.5, 0.5]]] * 3, dtype=torch.float64)
LABELS = torch.tensor([1, 0])


def with_value(value, *, at):
    probs = GOOD.clone()
    probs[at] = value
    return probs


@pytest.mark.parametrize(
    ("probs", "labels", "error", "message"),
    [
        (GOOD.float(), LABELS, TypeError, "probs: expected dtype torch.float64, got torch.float32"),
        (GOOD, LABELS.int(), TypeError, "labels: expected dtype torch.int64, got torch.int32"),
        (GOOD, LABELS == 1, TypeError, "labels: expected dtype torch.int64, got torch.bool"),
        (GOOD[0], LABELS, ValueError, r"probs: expected shape \(models, n, classes\), got \(2, 2\)"),
        (GOOD[:0], LABELS, ValueError, r"probs: expected at least one model, got shape \(0, 2, 2\)"),
        (GOOD[:, :0], LABELS[:0], ValueError, r"probs: expected at least one sample, got shape \(3, 0, 2\)"),
        (GOOD[..., :1], LABELS, ValueError, r"probs: expected at least two classes, got shape \(3, 2, 1\)"),
        (with_value(torch.nan, at=(2, 1, 0)), LABELS, ValueError, "probs: expected no NaN, got NaN in 1 of 6 rows"),
        (with_value(torch.nan, at=(0, 0)), LABELS, ValueError, "probs: expected no NaN, got NaN in 1 of 6 rows"),
        (with_value(torch.inf, at=(0, 0, 0)), LABELS, ValueError, "got values from 0.25 to inf; if these are logits"),
        (GOOD - 0.5, LABELS, ValueError, r"probs: expected values in \[0, 1\], got values from -0.25 to 0.25; if"),
        (GOOD * 2, LABELS, ValueError, r"probs: expected values in \[0, 1\], got values from 0.5 to 1.5; if .* logits"),
        (
            with_value(0.7, at=(2, 1, 0)),
            LABELS,
            ValueError,
            "probs: expected rows that sum to 1 within 1e-05, got 1.2 in row 1 of model 2",
        ),
        (GOOD + torch.tensor([[0, 0], [2e-5, 0]]), LABELS, ValueError, "got 1.00002 in row 1 of model 0"),
        (GOOD, LABELS[:, None], ValueError, r"labels: expected shape \(2,\), one label per sample, got \(2, 1\)"),
        (GOOD, LABELS[:1], ValueError, r"labels: expected shape \(2,\), one label per sample, got \(1,\)"),
        (GOOD, LABELS.to("meta"), ValueError, "labels: expected the device of probs, cpu, got meta"),
        (GOOD, LABELS + 1, ValueError, r"labels: expected values in 0 .. 1, got values from 1 to 2"),
        (GOOD, LABELS - 1, ValueError, r"labels: expected values in 0 .. 1, got values from -1 to 0"),
    ],
)
def test_refused_predictions(probs, labels, error, message):
    with pytest.raises(error, match=message):
        require_predictions_on_device(probs, labels)
    with pytest.raises((TypeError, ValueError)):  # under the shape hook a wrong shape is already a TypeError
        measure_on_device(probs, labels)


def test_arrays_are_refused():
    with pytest.raises(TypeError):
        measure_on_device(GOOD.numpy(), LABELS)
    with pytest.raises(TypeError):
        measure_on_device(GOOD, LABELS.tolist())


def test_rounding_of_float32_rows_is_no_refusal():
    rounding = torch.tensor([[5e-6, 0], [0, -5e-6]], dtype=torch.float64)
    assert measure_on_device(GOOD + rounding, LABELS)[0].values["acc"] == 1
