"""One model becomes logits: its network is built, its weights loaded, its accuracy checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor

from harness import networks
from harness.archives import Record, Trial
from harness.calibrators import AbstractFitted
from harness.datasets import ImageSet, Normalisation, ShiftedImages
from harness.errors import EvaluationError
from harness.values import ModelKey, Variant

PRECISION = "float32"


@dataclass(frozen=True)
class Inference:
    """How networks are run; images are moved to the device once and stay there.

    Attributes:
        device: Torch device, such as ``cpu`` or ``cuda``.
        batch_size: Images per forward pass.
    """

    device: str
    batch_size: int
    _resident: dict[str, UInt8[Tensor, "n 3 h w"]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type["Inference"], tuple[str, int]]:
        return Inference, (self.device, self.batch_size)

    def pixels(self, images: ImageSet | ShiftedImages) -> UInt8[Tensor, "n 3 h w"]:
        """Return the pixels of some images, on the device."""
        if images.name not in self._resident:
            self._resident[images.name] = images.images.to(self.device)
        return self._resident[images.name]


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
        network: The network with its weights.
        inference: How it is run.
        weights_hash: SHA-256 of the weights.
        gate: Its accuracy gate.
        fitted: Calibrators fitted to it, by protocol and variant; they are the same under every condition.
    """

    key: ModelKey
    network: torch.nn.Module
    inference: Inference
    weights_hash: str
    gate: Gate
    _logits: dict[tuple[str, Normalisation], Float32[Tensor, "n classes"]]
    fitted: dict[tuple[str, Variant], AbstractFitted] = field(default_factory=dict)

    def logits(
        self, images: ImageSet | ShiftedImages, normalisation: Normalisation
    ) -> Float64[np.ndarray, "n classes"]:
        """Return the logits of some images, shown with some constants.

        Raises:
            EvaluationError: A logit is not finite.
        """
        wanted = (images.name, normalisation)
        if wanted not in self._logits:
            self._logits[wanted] = _finite_logits(self.key, self.network, images, normalisation, self.inference)
        return self._logits[wanted].double().numpy()


def start_model(key: ModelKey, record: Record, test: ImageSet, inference: Inference, stage: Stage) -> Model:
    """Return a model with its weights and its accuracy gate, which takes the clean inference of all test images.

    Raises:
        MissingTrialError: The record does not hold the model.
        DataError: The record holds no weights.
        EvaluationError: The weights do not fit the network, or a logit is not finite.
    """
    trial = record.trial(key.dataset, key.seed, key.hp)
    weights = record.weights(key.dataset, key.seed, key.hp)
    stage.name = "weights"
    if trial.num_classes != test.n_classes:
        raise EvaluationError(f"{key}: {test.name} has {test.n_classes} classes, the record {trial.num_classes}")
    network = build_network(key.space, record.arch_str, trial)
    networks.load_weights(network, weights)
    stage.name = "inference"
    clean = _finite_logits(key, network, test, test.normalisation, inference)
    gate = accuracy_gate(clean, test, trial)
    return Model(key, network, inference, weights_hash(weights), gate, {(test.name, test.normalisation): clean})


def _finite_logits(
    key: ModelKey,
    network: torch.nn.Module,
    images: ImageSet | ShiftedImages,
    normalisation: Normalisation,
    inference: Inference,
) -> Float32[Tensor, "n classes"]:
    logits = networks.infer(
        network, inference.pixels(images), *normalisation, batch_size=inference.batch_size, device=inference.device
    )
    if not torch.isfinite(logits).all():
        bad = int((~torch.isfinite(logits)).any(dim=1).sum())
        raise EvaluationError(
            f"{key}: expected finite logits, {bad} of {len(logits)} images of {images.name} gave NaN or infinity"
        )
    return logits


def build_network(space: str, arch_str: str, trial: Trial) -> torch.nn.Module:
    """Return the untrained network of a trial, with the skeleton that its record names."""
    if trial.channels is None or trial.cells is None:
        return networks.build(space, arch_str, trial.num_classes)
    return networks.build(space, arch_str, trial.num_classes, trial.channels, trial.cells)


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a state dict: names, types, shapes and values in their order."""
    digest = hashlib.sha256()
    for name, tensor in weights.items():
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
