"""Training one architecture of the zoo with all of its seeds, and writing its record.

The same recipe gives the same weights on one kind of processor: one thread, one seeded generator per network for
initialisation and order, no augmentation. Only the recorded times differ between two trainings.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness import datasets, networks, spaces
from harness.archives import META_FILE, NewTrial, open_archive, record_dict, write_meta, write_record
from harness.datasets import ImageSet
from harness.spaces import Features
from harness.zoo.recipe import Recipe, archive_folder
from harness.zoo.sample import sample_indices

_TEST = "ori-test"
_EVAL_BATCH = 500


class Curve(NamedTuple):
    """Accuracy in [0, 1] and mean cross-entropy over the training images in every epoch, and its seconds."""

    accuracy: list[float]
    loss: list[float]
    time_s: list[float]


class Trained(NamedTuple):
    """What a worker reports of an architecture."""

    space: str
    arch_index: int
    summary: str


def missing_records(root: str | Path, recipe: Recipe, space: str) -> list[tuple[str, int]]:
    """Return (space, architecture index) of every record of the zoo that is not written yet.

    Raises:
        DataError: The archive is there and damaged.
    """
    folder = archive_folder(root, recipe, space)
    held = open_archive(folder, space).held if (folder / META_FILE).exists() else ()
    return [(space, i) for i in sample_indices(space) if i not in held]


def prepare_archive(root: str | Path, recipe: Recipe, space: str) -> None:
    """Make the folder of an archive of the zoo, with its meta file, if there is none.

    Raises:
        DataError: It cannot be written.
    """
    folder = archive_folder(root, recipe, space)
    if not (folder / META_FILE).exists():
        write_meta(folder, space)


@dataclass(frozen=True, slots=True)
class TrainTask:
    """Training architectures and writing their records; see :class:`harness.runner.placement.AbstractTask`.

    Attributes:
        recipe: How to train.
        root: Folder of the zoo's archives.
    """

    recipe: Recipe
    root: str

    def start(self) -> Callable[[tuple[str, int]], Trained]:
        """Load the data and return the function that trains an architecture, given (space, index)."""
        torch.set_num_threads(1)
        train, test = (datasets.load(self.recipe.dataset, part) for part in ("train", "test"))
        return _Trainer(self.recipe, self.root, train, test).train


@dataclass(frozen=True, slots=True)
class _Trainer:
    """A started training worker."""

    recipe: Recipe
    root: str
    train_images: ImageSet
    test_images: ImageSet

    def train(self, item: tuple[str, int]) -> Trained:
        """Train an architecture with each of its seeds and write its record."""
        space, arch_index = item
        arch_str = spaces.get(space).arch_str(arch_index)
        trials = [self._trial(space, arch_index, seed) for seed in self.recipe.seeds_of(arch_str)]
        record = record_dict(space, arch_index, {self.recipe.hp: trials})
        write_record(archive_folder(self.root, self.recipe, space), arch_index, record, overwrite=True)
        accuracies = ", ".join(f"{100 * trial.accuracies[_TEST]:.1f}" for trial in trials)
        return Trained(space, arch_index, f"{space} {arch_index}: {accuracies} % accurate")

    def _trial(self, space: str, arch_index: int, seed: int) -> NewTrial:
        """Train one network and return its trial."""
        recipe, test = self.recipe, self.test_images
        network = initialised(space, spaces.get(space).arch_str(arch_index), test.n_classes, recipe, seed)
        curve = train_network(network, self.train_images, recipe, torch.Generator().manual_seed(seed))
        start = time.perf_counter()
        logits = networks.infer(network, test.images, *test.normalisation, batch_size=_EVAL_BATCH, device="cpu")
        eval_time_s = time.perf_counter() - start
        features = costs(space, arch_index, test, recipe)
        return NewTrial(
            dataset=recipe.dataset,
            seed=seed,
            num_classes=test.n_classes,
            parameters=features.parameters,
            multiply_adds=features.multiply_adds,
            train_accuracies=tuple(curve.accuracy),
            train_losses=tuple(curve.loss),
            accuracies={_TEST: float((logits.argmax(dim=1) == test.labels).double().mean())},
            losses={_TEST: float(F.cross_entropy(logits, test.labels))},
            train_time_s=sum(curve.time_s) / len(curve.time_s),
            eval_time_s=eval_time_s,
            latency_s=eval_time_s * _EVAL_BATCH / len(test),
            weights=network.state_dict(),
            **recipe.skeleton_of(space),
        )


def train_network(network: nn.Module, images: ImageSet, recipe: Recipe, generator: torch.Generator) -> Curve:
    """Train a network in place and return its curve.

    Args:
        network: The network, initialised.
        images: The training images.
        recipe: How to train.
        generator: Decides the order of the images.
    """
    inputs = normalised(images)
    steps = -(-len(images) // recipe.batch_size)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps * recipe.epochs)
    network.train()
    curve = Curve([], [], [])
    for _ in range(recipe.epochs):
        start = time.perf_counter()
        correct, loss_sum = 0, 0.0
        for batch in torch.randperm(len(images), generator=generator).split(recipe.batch_size):
            labels = images.labels[batch]
            logits = network(inputs[batch])
            loss = F.cross_entropy(logits, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            correct += int((logits.argmax(dim=1) == labels).sum())
            loss_sum += float(loss.detach()) * len(batch)
        curve.accuracy.append(correct / len(images))
        curve.loss.append(loss_sum / len(images))
        curve.time_s.append(time.perf_counter() - start)
    return curve


def normalised(images: ImageSet) -> Tensor:
    """Return the images as float32, normalised with the constants of their data set."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in images.normalisation)
    return (images.images.float() / 255 - mean) / std


def initialised(space: str, arch_str: str, n_classes: int, recipe: Recipe, seed: int) -> nn.Module:
    """Return the untrained network of a seed, without touching the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return networks.build(space, arch_str, n_classes, **recipe.skeleton_of(space))


def costs(space: str, arch_index: int, images: ImageSet, recipe: Recipe) -> Features:
    """Return the features of an architecture at the size of the recipe and its images."""
    return spaces.get(space).features(
        arch_index,
        num_classes=images.n_classes,
        image_size=images.images.shape[-1],
        **recipe.skeleton_of(space),
    )
