"""What a zoo is: the data set, how its networks are trained, and the archive that this makes, named by a hash."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.datasets import Library
from harness.zoo.sample import SSS_SAMPLE, TSS_SAMPLE, TWO_SEEDS

_TRAINING_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the networks of a zoo are trained.

    Attributes:
        dataset: Data set to train on.
        epochs: Passes over its training part; the budget key of the archive is this number.
        batch_size: Images per step.
        learning_rate: Peak of the one-cycle learning rate (Nesterov SGD, momentum 0.9).
        weight_decay: L2 penalty.
        channels: Channels of the first stage of a topology network.
        cells: Cells per stage of a topology network.
        augment: Whether training images are cropped at random from a padded image, and mirrored.
        seeds: Training seeds; a few architectures get all of them, the others the first.
    """

    dataset: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    channels: int
    cells: int
    augment: bool
    seeds: tuple[int, ...]

    @property
    def hp(self) -> str:
        """The budget key of the archive: the number of epochs, two digits at least, as NATS-Bench writes it."""
        return f"{self.epochs:02d}"

    def hash(self, library: Library) -> str:
        """Return eight hexadecimal digits that change with anything that decides the weights, devices apart.

        Raises:
            DataError: The training images cannot be read.
        """
        images = library.load(self.dataset, "train")
        inputs = {
            **asdict(self),
            "images": images.images_hash,
            "labels": images.labels_hash,
            "normalisation": images.normalisation,
            "sample": [sorted(TSS_SAMPLE), sorted(SSS_SAMPLE), sorted(TWO_SEEDS)],
            "training_version": _TRAINING_VERSION,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:8]

    def skeleton_of(self, space: str) -> dict[str, int]:
        """Return the arguments that size a network of a space; size networks are sized by their string."""
        return {"channels": self.channels, "cells": self.cells} if space == "tss" else {}

    def seeds_of(self, arch_str: str) -> tuple[int, ...]:
        """Return the seeds with which an architecture is trained."""
        return self.seeds if arch_str in TWO_SEEDS else self.seeds[:1]


def archive_folder(root: str | Path, recipe: Recipe, space: str, library: Library) -> Path:
    """Return the folder of the archive that a recipe makes of a space, below the zoo's root.

    Raises:
        DataError: The training images, whose hash is in its name, cannot be read.
    """
    return Path(root) / f"zoo-{recipe.hash(library)}-{space}"
