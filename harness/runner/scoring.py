"""What is measured of a model for one row: calibrated on unshifted images, scored on those of the row's condition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64

from harness import datasets
from harness.datasets import ImageSet, ShiftedImages
from harness.metrics import OOD_FAMILY, energy, measure_ood, reliability_bins
from harness.runner.inference import Model, Stage
from harness.runner.protocols import AbstractProtocol
from harness.values import Variant

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a row shows, and under which protocol.

    Attributes:
        protocol: How rows are made.
        test: Test images of the networks' data set; calibrators are fitted on a part of them, whatever is shown.
        shifted: The images of the condition; None for ``unshifted``.
    """

    protocol: AbstractProtocol
    test: ImageSet
    shifted: ShiftedImages | None


def measured_columns(model: Model, scene: Scene, variant: Variant, families: Sequence[str], stage: Stage) -> Columns:
    """Return what is measured of a variant.

    Args:
        model: The network.
        scene: What it is shown.
        variant: Split and calibrator.
        families: The families to measure.
        stage: Is kept up to date.

    Raises:
        EvaluationError: A logit is not finite.
        ValueError: A calibrator or a measurement refuses its input.
    """
    protocol, test, shifted = scene.protocol, scene.test, scene.shifted
    stage.name = "inference"
    normalisation = protocol.normalisation(test, variant.calibrator)
    logits, labels = model.logits(test, normalisation), test.labels.numpy()
    shown = None
    if shifted is not None:
        shown = model.logits(shifted, protocol.shifted_normalisation(test, variant.calibrator))
    stage.name = "calibration"
    part = datasets.split(variant.split, len(labels), variant.split_seed)
    key = (protocol.name, variant)
    if key not in model.fitted:
        model.fitted[key] = protocol.calibrator(variant.calibrator).fit(logits[part.fit], labels[part.fit])
    fitted = model.fitted[key]
    scored = protocol.scored(part, variant.calibrator)
    probs = fitted.apply(logits[scored])
    stage.name = "measurement"
    of_labels = [name for name in families if name != OOD_FAMILY.name]
    columns: Columns = {"temperature": fitted.parameters.get("temperature")}
    if shifted is None or shown is None:
        columns |= _labelled(protocol, probs, labels[scored], of_labels)
    else:
        chosen = _aligned(shifted, test, scored)
        shown_probs = fitted.apply(shown[chosen])
        columns |= {"n_samples": len(scored), "n_shifted": len(chosen), "reasons": {}}
        if shifted.labels is not None:
            columns |= _labelled(protocol, shown_probs, shifted.labels.numpy()[chosen], of_labels)
        columns |= measure_ood(probs, shown_probs, energy(logits[scored]), energy(shown[chosen]))
    return {**columns, "reasons": {**columns["reasons"], **fitted.reasons}}


def _labelled(
    protocol: AbstractProtocol,
    probs: Float64[np.ndarray, "n classes"],
    labels: Int64[np.ndarray, " n"],
    families: Sequence[str],
) -> Columns:
    """Return the measurements of predictions whose labels are known."""
    measured = protocol.measure(probs, labels, families)
    bins = reliability_bins(probs, labels, n_bins=15)
    return {
        **measured.values,
        "n_samples": len(labels),
        "reasons": measured.reasons,
        "bin15_count": bins.count,
        "bin15_confidence": bins.confidence,
        "bin15_accuracy": bins.accuracy,
    }


def _aligned(
    shifted: ShiftedImages, test: ImageSet, scored: Int64[np.ndarray, " n_scored"]
) -> Int64[np.ndarray, " n_chosen"]:
    """Return the shifted images that count: of versions of the test images those scored, of any others all."""
    if shifted.labels is not None and torch.equal(shifted.labels, test.labels):
        return scored
    return np.arange(len(shifted.images))
