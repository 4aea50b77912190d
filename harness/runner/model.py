"""One trained network at work: built, loaded, its accuracy checked, and asked once for the logits of each image set."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from harness import networks
from harness.archives import Record, Trial, weights_hash
from harness.calibrators import AbstractFitted
from harness.datasets import AnyImages, ImageSet, Normalisation, ShiftedImages
from harness.errors import EvaluationError
from harness.runner.inference import AbstractInference, How, Inferred, Shown
from harness.values import ModelKey, Variant


class Gate(NamedTuple):
    """The accuracy gate of a model: what the archive recorded, what we recomputed, and the verdict."""

    recorded_accuracy: float | None
    recomputed_accuracy: float
    recorded_loss: float | None
    recomputed_loss: float
    verdict: str


@dataclass
class Stage:
    """Where the making of a unit stands, for its failure row."""

    name: str = "archive"


@dataclass
class Model:
    """One trained network at work: what it says of images is asked once and kept for all of its rows.

    Attributes:
        key: Which network.
        weights_hash: SHA-256 of the weights.
        gate: Its accuracy gate.
        first_seed: The seed that its record lists first for its data set and budget.
        device: Device of the inferences.
        precision: Arithmetic of the inferences.
        how: How its logits were computed; the batch size is the smallest of all its inferences.
        network: The network with its weights; None where only what it said before is at hand.
        inference: How it is run.
        fitted: Calibrators fitted to it, by protocol and variant; they are the same under every condition.
    """

    key: ModelKey
    weights_hash: str
    gate: Gate
    first_seed: int
    device: str
    precision: str
    how: How
    network: torch.nn.Module | None = None
    inference: AbstractInference | None = None
    fitted: dict[tuple[str, Variant], AbstractFitted] = field(default_factory=dict)
    _inferred: dict[Shown, Float32[Tensor, "n classes"]] = field(default_factory=dict)
    _remembered: dict[Shown, Float32[Tensor, "n classes"]] = field(default_factory=dict)

    def remember(self, shown: Shown, logits: Float32[Tensor, "n classes"]) -> None:
        """Take over what the network said before; of equal inferences the first counts."""
        self._remembered.setdefault(shown, logits)

    def remembers(self, wanted: Iterable[Shown]) -> bool:
        """Return whether the network said all of this before."""
        return all(shown in self._remembered for shown in wanted)

    def inferred(self, images_hash: str) -> dict[Shown, Float32[Tensor, "n classes"]]:
        """Return what the network was asked here and now of some images."""
        return {shown: logits for shown, logits in self._inferred.items() if shown.images_hash == images_hash}

    def logits(self, images: AnyImages, normalisation: Normalisation) -> Float64[np.ndarray, "n classes"]:
        """Return the logits of some images, shown with some constants.

        Raises:
            EvaluationError: A logit is not finite, or the network is not at hand and did not say it before.
        """
        shown = Shown(images.images_hash, normalisation)
        if shown in self._remembered:
            return self._remembered[shown].double().numpy()
        if shown not in self._inferred:
            self._inferred[shown] = self._infer(images, normalisation)
        return self._inferred[shown].double().numpy()

    def _infer(self, images: AnyImages, normalisation: Normalisation) -> Float32[Tensor, "n classes"]:
        if self.network is None or self.inference is None or not isinstance(images, ImageSet | ShiftedImages):
            raise EvaluationError(f"{self.key}: no logits of {images.name} are stored with the constants of this row")
        inferred = _inferred(self.key, self.network, images, normalisation, self.inference)
        self.how = How(inferred.how.network_form, min(self.how.batch_size, inferred.how.batch_size))
        return inferred.logits


def start_model(
    key: ModelKey,
    record: Record,
    test: ImageSet,
    inference: AbstractInference,
    stage: Stage,
    before: Model | None = None,
) -> Model:
    """Return a model with its weights and its accuracy gate, which takes the clean inference of all test images.

    Args:
        key: Which network.
        record: The record of its architecture.
        test: Test images of its data set.
        inference: How it is run.
        stage: Is kept up to date.
        before: The same model without its network, whose gate and inferences are taken over; None if there is none.

    Raises:
        MissingTrialError: The record does not hold the model.
        DataError: The record holds no weights.
        EvaluationError: The weights do not fit the network, are others than before, or a logit is not finite.
    """
    trial = record.trial(key.dataset, key.seed, key.hp)
    weights = record.weights(key.dataset, key.seed, key.hp)
    stage.name = "weights"
    if trial.num_classes != test.n_classes:
        raise EvaluationError(f"{key}: {test.name} has {test.n_classes} classes, the record {trial.num_classes}")
    network = build_network(key.space, record.arch_str, trial)
    networks.load_weights(network, weights)
    hashed = weights_hash(weights)
    if before is not None:
        if before.weights_hash != hashed:
            raise EvaluationError(
                f"{key}: the record has other weights than those whose logits are stored; give the "
                "archive another source"
            )
        return replace(before, network=network, inference=inference, device=inference.device)
    stage.name = "inference"
    clean, how = _inferred(key, network, test, test.normalisation, inference)
    first = record.first_seed(key.dataset, key.hp)
    asked = {Shown(test.images_hash, test.normalisation): clean}
    gate = accuracy_gate(clean, test, trial)
    return Model(
        key, hashed, gate, first, inference.device, inference.precision, how, network, inference, _inferred=asked
    )


def _inferred(
    key: ModelKey,
    network: torch.nn.Module,
    images: ImageSet | ShiftedImages,
    normalisation: Normalisation,
    inference: AbstractInference,
) -> Inferred:
    """Return the logits of some images and how they were computed.

    Raises:
        EvaluationError: One is not finite.
    """
    inferred = inference.logits(network, images, normalisation)
    logits = inferred.logits
    if not torch.isfinite(logits).all():
        bad = int((~torch.isfinite(logits)).any(dim=1).sum())
        raise EvaluationError(
            f"{key}: expected finite logits, {bad} of {len(logits)} images of {images.name} gave NaN or infinity"
        )
    return inferred


def build_network(space: str, arch_str: str, trial: Trial) -> torch.nn.Module:
    """Return the untrained network of a trial, with the skeleton that its record names."""
    if trial.channels is None or trial.cells is None:
        return networks.build(space, arch_str, trial.num_classes)
    return networks.build(space, arch_str, trial.num_classes, trial.channels, trial.cells)


def accuracy_gate(logits: Float32[Tensor, "n classes"], images: ImageSet, trial: Trial) -> Gate:
    """Compare accuracy and loss on all test images, in float32, with those that the archive recorded.

    Pass: within 0.1 points of accuracy and 1 % of the loss; warn: within 0.5 points; else fail; ``unrecorded`` where
    the archive has no reference.
    """
    accuracy = float((logits.argmax(dim=1) == images.labels).double().mean())
    loss = float(torch.nn.functional.cross_entropy(logits, images.labels))
    recorded = trial.recorded
    if recorded.accuracy is None or recorded.loss is None:
        return Gate(recorded.accuracy, accuracy, recorded.loss, loss, "unrecorded")
    # A millionth of slack: the recorded percentages are float32 and 0.1 points must not fail by rounding.
    gap = abs(accuracy - recorded.accuracy) - 1e-6
    if gap <= 0.001 and abs(loss - recorded.loss) <= 0.01 * recorded.loss + 1e-6:
        verdict = "pass"
    else:
        verdict = "warn" if gap <= 0.005 else "fail"
    return Gate(recorded.accuracy, accuracy, recorded.loss, loss, verdict)
