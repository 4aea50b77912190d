"""What a zoo is: the data set, how its networks are trained, and the archive that this makes, named by a hash."""

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path

import torch

from harness.atomic import write_data
from harness.datasets import ImageSet, Library
from harness.errors import ConfigError
from harness.zoo.sample import SSS_SAMPLE, TSS_SAMPLE, TWO_SEEDS

RECIPE_FILE = "recipe.json"
"""File of a zoo's archive that says in words what the hash in its name stands for."""

_TRAINING_VERSION = 1
_SUBSET_SEED = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the networks of a zoo are trained.

    Attributes:
        dataset: Data set to train on.
        epochs: Passes over its training part.
        batch_size: Images per step.
        learning_rate: Peak of the learning rate.
        weight_decay: L2 penalty of SGD, decoupled decay of AdamW.
        channels: Channels of the first stage of a topology network.
        cells: Cells per stage of a topology network.
        crop: Black pixels around a training image, out of which it is cropped at random; 0 for no crops.
        seeds: Training seeds; all architectures get all of them, or a few, see ``every_seed``.
        flip: Whether training images are mirrored half of the time.
        optimiser: A name of :data:`harness.zoo.optimisation.OPTIMISERS`.
        schedule: A name of :data:`harness.zoo.optimisation.SCHEDULES`.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1).
        mixup: Parameter of the Beta distribution of mixup's shares; 0 for no mixup.
        precision: A name of :data:`harness.zoo.precision.PRECISIONS`.
        train_images: How many of the training images to train on; None for all.
        every_seed: Whether every architecture gets every seed; otherwise some of the sample do, the others the first.
        budget_key: Budget key of the archive; None for the number of epochs.
    """

    dataset: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    channels: int
    cells: int
    crop: int
    seeds: tuple[int, ...]
    flip: bool = False
    optimiser: str = "sgd"
    schedule: str = "one_cycle"
    label_smoothing: float = 0.0
    mixup: float = 0.0
    precision: str = "float32"
    train_images: int | None = None
    every_seed: bool = False
    budget_key: str | None = None

    @property
    def hp(self) -> str:
        """The budget key of the archive: the number of epochs, two digits at least, unless the recipe has another."""
        return self.budget_key or f"{self.epochs:02d}"

    def hash(self, library: Library) -> str:
        """Return eight hexadecimal digits that change with anything that decides the weights, devices apart.

        What a recipe leaves at its default is left out, so that a new attribute renames no zoo.

        Raises:
            ConfigError: The recipe asks for more than the training images have.
            DataError: The training images cannot be read.
        """
        images = self._require_fit(library.load(self.dataset, "train"))
        given = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.default is MISSING or getattr(self, field.name) != field.default
        }
        inputs = {
            **_with_augment(given, self.crop, self.flip, images),
            "images": images.images_hash,
            "labels": images.labels_hash,
            "normalisation": images.normalisation,
            "sample": [sorted(TSS_SAMPLE), sorted(SSS_SAMPLE), sorted(TWO_SEEDS)],
            "training_version": _TRAINING_VERSION,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:8]

    def training_images(self, library: Library) -> ImageSet:
        """Return the images to train on: all of the training part, or a choice that is the same for every network.

        Raises:
            ConfigError: The recipe asks for more than they have.
            DataError: They cannot be read.
        """
        images = self._require_fit(library.load(self.dataset, "train"))
        if self.train_images is None:
            return images
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(_SUBSET_SEED))
        return images.subset(order[: self.train_images].sort().values)

    def _require_fit(self, images: ImageSet) -> ImageSet:
        """Return the images if they are enough, and large enough."""
        size = min(images.images.shape[-2:])
        if self.crop >= size:
            raise ConfigError(f"zoo.crop: expected less than the {size} pixels of {images.name}, got {self.crop}")
        if self.train_images is not None and self.train_images > len(images):
            raise ConfigError(
                f"zoo.train_images: expected at most the {len(images)} images of {images.name}, got {self.train_images}"
            )
        return images

    def skeleton_of(self, space: str) -> dict[str, int]:
        """Return the arguments that size a network of a space; size networks are sized by their string."""
        return {"channels": self.channels, "cells": self.cells} if space == "tss" else {}

    def seeds_of(self, arch_str: str) -> tuple[int, ...]:
        """Return the seeds with which an architecture is trained."""
        return self.seeds if self.every_seed or arch_str in TWO_SEEDS else self.seeds[:1]


def _with_augment(given: dict[str, object], crop: int, flip: bool, images: ImageSet) -> dict[str, object]:
    """Return the inputs of the hash with crops and mirroring in the words of the first zoos, where these had them.

    These had both or neither, under the name ``augment``, with a border of 4 pixels or an eighth of a small image.
    """
    first = {(0, False): False, (min(4, images.images.shape[-1] // 8), True): True}
    if (crop, flip) not in first:
        return given
    others = {name: value for name, value in given.items() if name not in ("crop", "flip")}
    return {**others, "augment": first[crop, flip]}


def archive_folder(root: str | Path, recipe: Recipe, space: str, library: Library) -> Path:
    """Return the folder of the archive that a recipe makes of a space, below the zoo's root.

    Raises:
        ConfigError: The recipe asks for more than the training images have.
        DataError: The training images, whose hash is in its name, cannot be read.
    """
    return Path(root) / f"zoo-{recipe.hash(library)}-{space}"


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write a recipe into the archive that it makes, for people; nothing reads it.

    Raises:
        DataError: It cannot be written.
    """
    write_data(folder / RECIPE_FILE, (json.dumps(asdict(recipe), indent=2) + "\n").encode())
