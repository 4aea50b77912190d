"""Training one architecture of the zoo with all of its seeds, and writing its record.

The same recipe gives the same weights on one kind of processor: one thread, one seeded generator per network for
initialisation, order and augmentation. Only the recorded times differ between two trainings.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from harness import networks, spaces
from harness.archives import META_FILE, NewTrial, open_archive, record_dict, write_meta, write_record
from harness.datasets import ImageSet, Library
from harness.spaces import Features
from harness.zoo.recipe import Recipe
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


def missing_records(folder: Path, space: str, limit: int | None = None) -> list[tuple[str, int]]:
    """Return (space, architecture index) of every record of the zoo that is not written yet.

    Args:
        folder: The archive of the space.
        space: Search space.
        limit: Only the first this many architectures of the sample; None for all.

    Raises:
        DataError: The archive is there and damaged.
    """
    held = open_archive(folder, space).held if (folder / META_FILE).exists() else ()
    return [(space, i) for i in sample_indices(space)[:limit] if i not in held]


def prepare_archive(folder: Path, space: str) -> None:
    """Make the folder of an archive of the zoo, with its meta file, if there is none.

    Raises:
        DataError: It cannot be written.
    """
    if not (folder / META_FILE).exists():
        write_meta(folder, space)


@dataclass(frozen=True, slots=True)
class TrainTask:
    """Training architectures and writing their records; see :class:`harness.runner.placement.AbstractTask`.

    Attributes:
        recipe: How to train.
        folders: The archive of each space.
        library: The data sets.
        device: Torch device, such as ``cpu`` or ``cuda``.
    """

    recipe: Recipe
    folders: Mapping[str, Path]
    library: Library
    device: str = "cpu"

    def start(self) -> Callable[[tuple[str, int]], Trained]:
        """Load the data and return the function that trains an architecture, given (space, index)."""
        torch.set_num_threads(1)
        train, test = (self.library.load(self.recipe.dataset, part) for part in ("train", "test"))
        return _Trainer(self, train, test).train


@dataclass(frozen=True, slots=True)
class _Trainer:
    """A started training worker."""

    task: TrainTask
    train_images: ImageSet
    test_images: ImageSet

    def train(self, item: tuple[str, int]) -> Trained:
        """Train an architecture with each of its seeds and write its record."""
        space, arch_index = item
        recipe = self.task.recipe
        arch_str = spaces.get(space).arch_str(arch_index)
        trials = [self._trial(space, arch_index, seed) for seed in recipe.seeds_of(arch_str)]
        record = record_dict(space, arch_index, {recipe.hp: trials})
        write_record(self.task.folders[space], arch_index, record, overwrite=True)
        accuracies = ", ".join(f"{100 * trial.accuracies[_TEST]:.1f}" for trial in trials)
        return Trained(space, arch_index, f"{space} {arch_index}: {accuracies} % accurate")

    def _trial(self, space: str, arch_index: int, seed: int) -> NewTrial:
        """Train one network and return its trial."""
        recipe, test, device = self.task.recipe, self.test_images, self.task.device
        network = initialised(space, spaces.get(space).arch_str(arch_index), test.n_classes, recipe, seed).to(device)
        curve = train_network(network, self.train_images, recipe, torch.Generator().manual_seed(seed))
        start = time.perf_counter()
        logits = networks.infer(network, test.images, *test.normalisation, batch_size=_EVAL_BATCH, device=device)
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
            weights=network.cpu().state_dict(),
            **recipe.skeleton_of(space),
        )


def train_network(network: nn.Module, images: ImageSet, recipe: Recipe, generator: torch.Generator) -> Curve:
    """Train a network in place, on its device, and return its curve.

    Args:
        network: The network, initialised.
        images: The training images.
        recipe: How to train.
        generator: Decides the order of the images and their augmentation.
    """
    device = next(network.parameters()).device
    pixels, labels = images.images.to(device), images.labels.to(device)
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in images.normalisation)
    steps = -(-len(images) // recipe.batch_size)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps * recipe.epochs)
    network.train()
    curve = Curve([], [], [])
    for _ in range(recipe.epochs):
        start = time.perf_counter()
        correct, loss_sum = torch.zeros((), device=device), torch.zeros((), dtype=torch.float64, device=device)
        for batch in torch.randperm(len(images), generator=generator).split(recipe.batch_size):
            of_batch, batch_labels = pixels[batch.to(device)], labels[batch.to(device)]
            seen = augmented(of_batch, generator) if recipe.augment else of_batch
            logits = network((seen.float() / 255 - mean) / std)
            loss = F.cross_entropy(logits, batch_labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            correct += (logits.argmax(dim=1) == batch_labels).sum()
            loss_sum += loss.detach().double() * len(batch)
        curve.accuracy.append(float(correct) / len(images))
        curve.loss.append(float(loss_sum) / len(images))
        curve.time_s.append(time.perf_counter() - start)
    return curve


def augmented(images: UInt8[Tensor, "n 3 h w"], generator: torch.Generator) -> UInt8[Tensor, "n 3 h w"]:
    """Return each image cropped at random from itself with four black pixels around it, and mirrored half of the time.

    NATS-Bench's augmentation for images of 32 pixels; smaller images get an eighth of their width around them.

    Args:
        images: Pixels.
        generator: Decides crops and mirroring.
    """
    n, height, width = len(images), images.shape[-2], images.shape[-1]
    margin = min(4, width // 8)
    rows, columns = torch.randint(0, 2 * margin + 1, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < 0.5
    padded = F.pad(images, (margin, margin, margin, margin))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (n, 3, rows, columns, height, width), a view
    cropped = windows[torch.arange(n), :, rows, columns]
    return torch.where(mirrored.view(n, 1, 1, 1).to(images.device), cropped.flip(-1), cropped)


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
