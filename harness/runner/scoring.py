"""What is measured of a model for one row: calibrated on unshifted images, scored on those of the row's condition."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64

from harness import datasets
from harness.datasets import ORIGINAL, UNSHIFTED, AbstractLibrary, AnyImages, AnyTestSet, Choices, LabelSet, Split
from harness.metrics import (
    MEASUREMENTS,
    OOD_FAMILY,
    REPLICATES_FAMILY,
    Measured,
    energy,
    measure_ood,
    reliability_bins,
)
from harness.runner.fingerprint import row_fingerprint
from harness.runner.inference import Shown
from harness.runner.model import Model, Stage
from harness.runner.protocols import PROTOCOLS, AbstractProtocol
from harness.values import Study, Variant

Columns = dict[str, Any]

_BUILT_IN = frozenset(row.name for row in MEASUREMENTS)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a row shows, and under which protocol.

    Attributes:
        protocol: How rows are made.
        test: Test images of the networks' data set; calibrators are fitted on a part of them, whatever is shown.
        shifted: The images of the condition; None for ``unshifted``.
        dataset: The networks' data set.
        choices: Its splits and label sets.
    """

    protocol: AbstractProtocol
    test: AnyTestSet
    shifted: AnyImages | None
    dataset: str
    choices: Choices

    def variants(self, study: Study) -> list[Variant]:
        """Return the rows of a study that there can be here.

        Left out are splits and label sets that the data set does not have, and corrected labels of images that are no
        versions of its test images, but have labels of their own.
        """
        splits, label_sets = datasets.splits_of(self.dataset), datasets.label_sets_of(self.dataset)
        if self.shifted is not None and self.shifted.labels is not None and not self.shows_versions:
            label_sets = (ORIGINAL,)
        variants = self.protocol.variants(study)
        return [variant for variant in variants if variant.split in splits and variant.label_set in label_sets]

    @property
    def shows_versions(self) -> bool:
        """Whether the images of the condition are versions of the test images: they have the same labels in order."""
        labels = None if self.shifted is None else self.shifted.labels
        return labels is not None and torch.equal(labels, self.test.labels)

    def split(self, variant: Variant) -> Split:
        """Return the split of a variant."""
        return self.choices.split(variant.split, variant.split_seed, self.dataset, self.test)

    def label_set(self, variant: Variant) -> LabelSet:
        """Return the labels of a variant."""
        return self.choices.label_set(variant.label_set, self.dataset, self.test)

    def fingerprint(self, variant: Variant, precision: str) -> str:
        """Return the fingerprint of a row; see :func:`harness.runner.fingerprint.row_fingerprint`."""
        chosen = {}
        if variant.split not in datasets.RANDOM_SPLITS:
            chosen["split_content"] = self.split(variant).content_hash
        if variant.label_set != ORIGINAL:
            chosen["label_set_content"] = self.label_set(variant).content_hash
        return row_fingerprint(self.protocol, self.test, self.shifted, variant, precision, chosen)

    def inferences(self, calibrator: str) -> tuple[Shown, ...]:
        """Return the inferences that a row of a calibrator is computed from."""
        test = Shown(self.test.images_hash, self.protocol.normalisation(self.test, calibrator))
        if self.shifted is None:
            return (test,)
        constants = self.protocol.shifted_normalisation(self.test, calibrator)
        return (test, Shown(self.shifted.images_hash, constants))


def scene(library: AbstractLibrary, protocol: str, dataset: str, condition: str, severity: int) -> Scene:
    """Return what the rows of a setting show.

    Raises:
        DataError: The data set or the condition cannot be read.
    """
    test = library.load(dataset, "test")
    shifted = None if condition == UNSHIFTED else library.shifted(dataset, condition, severity)
    return Scene(PROTOCOLS[protocol], test, shifted, dataset, library.choices)


def measured_columns(model: Model, scene: Scene, variant: Variant, families: Sequence[str], stage: Stage) -> Columns:
    """Return what is measured of a variant.

    Args:
        model: The network.
        scene: What it is shown.
        variant: Split, label set and calibrator.
        families: The families to measure.
        stage: Is kept up to date.

    Raises:
        EvaluationError: A logit is not finite.
        DataError: The split or the label set cannot be read.
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
    part, label_set = scene.split(variant), scene.label_set(variant)
    key = (protocol.name, replace(variant, label_set=ORIGINAL))  # fitted on original labels, whatever is scored
    if key not in model.fitted:
        model.fitted[key] = protocol.calibrator(variant.calibrator).fit(logits[part.fit], labels[part.fit])
    fitted = model.fitted[key]
    scored = protocol.scored(part, variant.calibrator)
    scored = scored[label_set.counts[scored]]
    probs = fitted.apply(logits[scored])
    stage.name = "measurement"
    of_labels = [name for name in families if name != OOD_FAMILY.name]
    columns: Columns = {"temperature": fitted.parameters.get("temperature")}
    if shifted is None or shown is None:
        columns |= _labelled(protocol, probs, label_set.labels[scored], of_labels)
    else:
        # Of versions of the test images those scored count, of any others all.
        chosen = scored if scene.shows_versions else np.arange(len(shown))
        shown_probs = fitted.apply(shown[chosen])
        columns |= {"n_samples": len(scored), "n_shifted": len(chosen), "reasons": {}}
        if shifted.labels is not None:
            shown_labels = label_set.labels if scene.shows_versions else shifted.labels.numpy()
            columns |= _labelled(protocol, shown_probs, shown_labels[chosen], of_labels)
        columns |= measure_ood(probs, shown_probs, energy(logits[scored]), energy(shown[chosen]))
    return {**columns, "reasons": {**columns["reasons"], **fitted.reasons}}


def _labelled(
    protocol: AbstractProtocol,
    probs: Float64[np.ndarray, "n classes"],
    labels: Int64[np.ndarray, " n"],
    families: Sequence[str],
) -> Columns:
    """Return the measurements of predictions whose labels are known."""
    of_all = [name for name in families if name != REPLICATES_FAMILY.name]
    measured = protocol.measure(probs, labels, of_all) if of_all else Measured({}, {})
    of_resamples = REPLICATES_FAMILY.function(probs, labels) if len(of_all) < len(families) else {}
    bins = reliability_bins(probs, labels, n_bins=15)
    own = {name: value for name, value in measured.values.items() if name not in _BUILT_IN}
    return {
        **{name: value for name, value in measured.values.items() if name in _BUILT_IN},
        "own": own or None,
        **of_resamples,
        "n_samples": len(labels),
        "reasons": measured.reasons,
        "bin15_count": bins.count,
        "bin15_confidence": bins.confidence,
        "bin15_accuracy": bins.accuracy,
    }
