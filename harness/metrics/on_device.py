"""Family ``study`` of many models at once, on the device where their probabilities are: the same numbers as `measure`.

The models share their samples, so the positions at which bins are cut are made once, and each step is a few operations
on all models and classes of a block: one stable sort, then differences of running sums at the cuts of all bin counts.
It is made for GPUs: on a processor `measure` is faster. It takes torch, so `harness.metrics` does not import it.
"""

import math
from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float64, Int64, Shaped

from harness.metrics.binning import BIN_COUNTS
from harness.metrics.checks import ROW_SUM_TOLERANCE
from harness.metrics.families import Measured, family
from harness.metrics.kernel import KDE_SMALLEST_SPREAD
from harness.metrics.on_device_binning import (
    N_CUTS,
    binned_errors,
    equal_count_cuts,
    equal_mass_cuts,
    equal_width_cuts,
    largest_binned_errors,
    largest_running_errors,
    rank_rows,
)
from harness.metrics.on_device_kernel import (
    KDE_PERIOD,
    kernel_density_calibration_errors,
    max_mean_calibration_errors,
)

_BLOCK = 1 << 22
"""About as many numbers stand in one array at a time (32 MiB), of which a dozen are alive: enough to fill a GPU."""


@torch.no_grad()
def measure_on_device(
    probs: Float64[torch.Tensor, "models n classes"], labels: Int64[torch.Tensor, " n"]
) -> list[Measured]:
    """Return for each model what `harness.metrics.measure_with_reasons` returns for the family ``study``.

    The values agree with it to about nine digits, the undefined ones and their reasons exactly. On one machine and one
    version of torch the same arguments give the same numbers in every run.

    Args:
        probs: Class probabilities of each model for the same samples, float64, shape (models, n, classes), models >= 1,
            n >= 1, classes >= 2, rows summing to 1 within 1e-5; unchanged.
        labels: Classes, int64, shape (n,), in 0 .. classes - 1, on the device of ``probs``.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape, a device or a value is wrong.

    Example:
        >>> one, other = [[0.75, 0.25], [0.75, 0.25]], [[0.5, 0.5], [0.25, 0.75]]
        >>> measured = measure_on_device(torch.tensor([one, other], dtype=torch.float64), torch.tensor([0, 1]))
        >>> [model.values["ECE_15"] for model in measured], measured[0].reasons["KDECE"]
        ([0.25, 0.375], 'the bandwidth takes two right predictions, there are 1')
    """
    require_predictions_on_device(probs, labels)
    _, n_samples, n_classes = probs.shape
    of_model = (n_classes + 1) * (n_samples + N_CUTS) + 3 * KDE_PERIOD
    blocks = probs.split(max(1, _BLOCK // of_model))
    return [_measured(found, n_samples) for block in blocks for found in _block_measurements(block, labels)]


def require_predictions_on_device(probs: Shaped[torch.Tensor, "..."], labels: Shaped[torch.Tensor, "..."]) -> None:
    """Raises unless ``probs`` are probabilities of some models and ``labels`` are the classes of the same samples.

    Args:
        probs: Expected: as in `measure_on_device`.
        labels: Expected: as in `measure_on_device`.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape, a device or a value is wrong.
    """
    _require_tensor("probs", probs, torch.float64)
    _require_tensor("labels", labels, torch.int64)
    if probs.ndim != 3:
        raise ValueError(f"probs: expected shape (models, n, classes), got {tuple(probs.shape)}")
    for size, lowest, what in zip(probs.shape, (1, 1, 2), ("model", "sample", "classes"), strict=True):
        if size < lowest:
            least = {1: "one", 2: "two"}[lowest]
            raise ValueError(f"probs: expected at least {least} {what}, got shape {tuple(probs.shape)}")
    _require_probs(probs)
    _require_labels(labels, probs)


def _require_tensor(name: str, value: object, dtype: torch.dtype) -> None:
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name}: expected a torch tensor, got a {type(value).__name__}; torch.as_tensor makes one")
    if value.dtype != dtype:
        raise TypeError(f"{name}: expected dtype {dtype}, got {value.dtype}")


def _require_probs(probs: Float64[torch.Tensor, "models n classes"]) -> None:
    lowest, highest = torch.stack(probs.aminmax()).tolist()
    if math.isnan(lowest):
        raise ValueError(
            f"probs: expected no NaN, got NaN in {probs.isnan().any(dim=-1).sum()} of {probs[..., 0].numel()} rows"
        )
    if lowest < 0 or highest > 1:
        raise ValueError(
            f"probs: expected values in [0, 1], got values from {lowest:.6g} to {highest:.6g}; "
            "if these are logits, pass logits.double().softmax(dim=-1)"
        )
    row_sums = probs.sum(dim=-1)
    deviation = (row_sums - 1).abs()
    if deviation.max() > ROW_SUM_TOLERANCE:
        model, row = divmod(int(deviation.argmax()), probs.shape[1])
        raise ValueError(
            f"probs: expected rows that sum to 1 within {ROW_SUM_TOLERANCE:g}, "
            f"got {row_sums[model, row]:.12g} in row {row} of model {model}"
        )


def _require_labels(labels: Shaped[torch.Tensor, "..."], probs: Float64[torch.Tensor, "models n classes"]) -> None:
    _, n_samples, n_classes = probs.shape
    if labels.shape != (n_samples,):
        raise ValueError(f"labels: expected shape ({n_samples},), one label per sample, got {tuple(labels.shape)}")
    if labels.device != probs.device:
        raise ValueError(f"labels: expected the device of probs, {probs.device}, got {labels.device}")
    lowest, highest = torch.stack(labels.aminmax()).tolist()
    if lowest < 0 or highest >= n_classes:
        raise ValueError(f"labels: expected values in 0 .. {n_classes - 1}, got values from {lowest} to {highest}")


def _block_measurements(
    probs: Float64[torch.Tensor, "models n classes"], labels: Int64[torch.Tensor, " n"]
) -> list[dict[str, float]]:
    """Return for each model its measurements and what says which are undefined; those may be any number."""
    found = {**_top_label(probs, labels), **_of_label(probs, labels), **_classwise(probs, labels)}
    table = torch.stack([column.double() for column in found.values()], dim=-1)
    return [dict(zip(found, row, strict=True)) for row in table.tolist()]


def _measured(found: Mapping[str, float], n_samples: int) -> Measured:
    reasons = dict(_reasons(found, n_samples))
    members = family("study").members
    return Measured(
        values={name: None if name in reasons else found[name] for name in members},
        reasons={name: reasons[name] for name in members if name in reasons},
    )


def _reasons(found: Mapping[str, float], n_samples: int) -> Iterator[tuple[str, str]]:
    """Yield each undefined measurement and why it is undefined, in the words of the plain functions."""
    n_right, n_zero = int(found["n_right"]), int(found["n_zero"])
    if n_right < 2:
        yield "KDECE", f"the bandwidth takes two right predictions, there are {n_right}"
    elif found["spread"] <= KDE_SMALLEST_SPREAD:
        yield "KDECE", f"all right confidences lie within {KDE_SMALLEST_SPREAD:g} of each other"
    if n_zero:
        yield "NLL", f"infinite: {n_zero} of {n_samples} labels have probability 0"
    for n_bins in BIN_COUNTS:
        if n_samples < n_bins:
            yield f"cwACE_{n_bins}", f"N = {n_samples} is less than M = {n_bins}"
    if n_right == 0:
        yield "correct_confidence", "no prediction is right"
    if n_right == n_samples:
        yield "incorrect_confidence", "no prediction is wrong"
    if n_right == 0 and found["ECE_15"] == 1:
        yield "HCS", "accuracy and 1 - ECE_15 are both 0"


def _top_label(
    probs: Float64[torch.Tensor, "models n classes"], labels: Int64[torch.Tensor, " n"]
) -> dict[str, Float64[torch.Tensor, " models"]]:
    """Return the measurements of the confidence of each model, the number of its right predictions and their range."""
    highest = probs.max(dim=-1)  # of equal probabilities the first
    top = rank_rows(highest.values, highest.indices == labels)
    confidence, right, n_samples = top.probability, top.outcome, len(labels)
    n_right, of_right = right.sum(dim=-1).double(), (confidence * right).sum(dim=-1)
    cuts = equal_width_cuts(top)
    ece, accuracy = binned_errors(top, cuts), n_right / n_samples
    calibrated = 1 - ece[:, BIN_COUNTS.index(15)]
    return {
        **_for_each_bin_count("ECE", ece),
        **_for_each_bin_count("ECE_em", binned_errors(top, equal_mass_cuts(top))),
        **_for_each_bin_count("MCE", largest_binned_errors(top, cuts)),
        "KSCE": largest_running_errors(top),
        "KDECE": kernel_density_calibration_errors(confidence, right),
        "MMCE": max_mean_calibration_errors(confidence, right),
        "acc": accuracy,
        "correct_confidence": of_right / n_right,
        "incorrect_confidence": (confidence * ~right).sum(dim=-1) / (n_samples - n_right),
        "HCS": 2 * accuracy * calibrated / (accuracy + calibrated),
        "n_right": n_right,
        "spread": (confidence * right).amax(dim=-1) - torch.where(right, confidence, 1.0).amin(dim=-1),
    }


def _of_label(
    probs: Float64[torch.Tensor, "models n classes"], labels: Int64[torch.Tensor, " n"]
) -> dict[str, Float64[torch.Tensor, " models"]]:
    """Return the measurements of the probability of the label, and how often it is 0."""
    of_label = probs.gather(-1, labels.expand(len(probs), -1)[..., None])[..., 0]
    return {"NLL": of_label.log().abs().mean(dim=-1), "n_zero": (of_label == 0).sum(dim=-1).double()}


def _classwise(
    probs: Float64[torch.Tensor, "models n classes"], labels: Int64[torch.Tensor, " n"]
) -> dict[str, Float64[torch.Tensor, " models"]]:
    """Return the measurements that are means over classes, some classes at a time."""
    n_models, n_samples, n_classes = probs.shape
    size = max(1, _BLOCK // (n_models * (n_samples + N_CUTS)))
    binned, brier_sum = probs.new_zeros(3, n_models, len(BIN_COUNTS)), probs.new_zeros(n_models)
    classes = torch.arange(n_classes, device=probs.device)[:, None]
    for of_classes, some in zip(probs.split(size, dim=-1), classes.split(size), strict=True):
        ranked = rank_rows(of_classes.transpose(-1, -2), labels == some)  # (models, classes of the block, n)
        width = equal_width_cuts(ranked)
        cuts = (width, equal_mass_cuts(ranked), equal_count_cuts(ranked, n_zeros=width[..., :1]))
        binned += torch.stack([binned_errors(ranked, of_kind).sum(dim=1) for of_kind in cuts])
        brier_sum += (ranked.probability - ranked.outcome.double()).square().sum(dim=(1, 2)) / n_samples
    width, mass, count = binned / n_classes
    return {
        **_for_each_bin_count("cwCE", width),
        **_for_each_bin_count("cwCE_em", mass),
        **_for_each_bin_count("cwACE", count),
        "Brier": brier_sum / n_classes,
        "Brier_sum": brier_sum,
    }


def _for_each_bin_count(
    name: str, values: Float64[torch.Tensor, "models counts"]
) -> dict[str, Float64[torch.Tensor, " models"]]:
    return {f"{name}_{n_bins}": of_models for n_bins, of_models in zip(BIN_COUNTS, values.unbind(dim=-1), strict=True)}
