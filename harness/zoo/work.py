"""The work of a zoo: which records are missing, and the task that trains architectures and writes their records."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from harness import networks, spaces
from harness.archives import META_FILE, NewTrial, open_archive, record_dict, write_meta, write_record
from harness.datasets import ImageSet, Library
from harness.errors import TrainingError, WorkerLostError
from harness.spaces import Features
from harness.zoo.diverged import DivergedNote, read_notes, remove_note, write_note
from harness.zoo.recipe import Recipe
from harness.zoo.training import initialised, train_network
from harness.zoo.unfinished import forget_trials, keep_trial, kept_trial, unfinished_path

_TEST = "ori-test"
_EVAL_BATCH = 500


@dataclass(frozen=True, slots=True)
class Trained:
    """What a worker reports of an architecture.

    Attributes:
        space: Search space.
        arch_index: Index of the architecture.
        accuracies: Test accuracy in [0, 1] of each network that was trained, without those of an earlier, killed run.
        train_time_s: Seconds of training of each of these.
        diverged: Why a training counts as diverged, by its seed.
    """

    space: str
    arch_index: int
    accuracies: tuple[float, ...]
    train_time_s: tuple[float, ...]
    diverged: Mapping[int, str]

    @property
    def summary(self) -> str:
        """What came of it, in a line."""
        shown = ", ".join(f"{100 * accuracy:.1f}" for accuracy in self.accuracies)
        parts = [f"{shown} % accurate"] if shown else []
        parts += [f"seed {seed} diverged: {reason}" for seed, reason in self.diverged.items()]
        return f"{self.space} {self.arch_index}: {'; '.join(parts)}"


def missing_records(
    folder: Path, space: str, arch_indices: Iterable[int], *, with_diverged: bool = False
) -> list[tuple[str, int]]:
    """Return (space, architecture index) of every record of the zoo that is not written yet.

    Args:
        folder: The archive of the space.
        space: Search space.
        arch_indices: The wanted architectures.
        with_diverged: Also those of which a training diverged before; they are passed over otherwise.

    Raises:
        DataError: The archive is there and damaged, or the note of a training that diverged cannot be read.
    """
    held = set(open_archive(folder, space).held) if (folder / META_FILE).exists() else set()
    notes = read_notes(folder)
    if with_diverged:
        held -= set(notes)
    else:
        held |= {index for index, note in notes.items() if not note.trained}
    return [(space, index) for index in arch_indices if index not in held]


def missing_seeds(folder: Path, recipe: Recipe, space: str, arch_index: int) -> list[int]:
    """Return the seeds of an architecture without a record with which it has not been trained yet."""
    seeds = recipe.seeds_of(spaces.get(space).arch_str(arch_index))
    return [seed for seed in seeds if not unfinished_path(folder, arch_index, seed).exists()]


def prepare_archive(folder: Path, space: str) -> None:
    """Make the folder of an archive of the zoo, with its meta file, if there is none; else tidy what a kill left in it.

    Raises:
        DataError: It cannot be written.
    """
    if not (folder / META_FILE).exists():
        write_meta(folder, space)
    forget_trials(folder, set(open_archive(folder, space).held))


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
        """Try the device, load the data and return the function that trains an architecture, given (space, index).

        Raises:
            WorkerLostError: The device cannot be used.
        """
        torch.set_num_threads(1)
        networks.try_device(self.device)
        train, test = self.recipe.training_images(self.library), self.library.load(self.recipe.dataset, "test")
        return _Trainer(self, train, test).train


@dataclass(frozen=True, slots=True)
class _Trainer:
    """A started training worker."""

    task: TrainTask
    train_images: ImageSet
    test_images: ImageSet

    def train(self, item: tuple[str, int]) -> Trained:
        """Train an architecture with each of its seeds and write its record, of those that did not diverge.

        What was trained before its worker died is taken from there. The note of those that diverged comes first: killed
        between the two, the record is missing and is made again.

        Raises:
            DataError: Something cannot be written, or a training that waited for the others is damaged.
        """
        space, arch_index = item
        recipe, folder = self.task.recipe, self.task.folders[space]
        arch_str = spaces.get(space).arch_str(arch_index)
        *earlier_seeds, last_seed = recipe.seeds_of(arch_str)
        kept, new, diverged = {}, {}, {}
        for seed in (*earlier_seeds, last_seed):
            trial = kept_trial(folder, arch_index, seed)
            if trial is not None:
                kept[seed] = trial
                continue
            try:
                new[seed] = self._trial(space, arch_index, seed)
            except TrainingError as error:
                diverged[seed] = str(error)
                continue
            if seed != last_seed:
                keep_trial(folder, arch_index, new[seed])
        trials = kept | new
        if diverged:
            write_note(folder, DivergedNote(space, arch_index, arch_str, diverged, tuple(sorted(trials))))
        if trials:
            record = record_dict(space, arch_index, {recipe.hp: trials.values()})
            write_record(folder, arch_index, record, overwrite=True)
            forget_trials(folder, {arch_index})
        if not diverged:
            remove_note(folder, arch_index)
        accuracies = tuple(trial.accuracies[_TEST] for trial in new.values())
        times = tuple(trial.train_time_s * trial.epochs for trial in new.values())
        return Trained(space, arch_index, accuracies, times, diverged)

    def _trial(self, space: str, arch_index: int, seed: int) -> NewTrial:
        """Train one network and return its trial.

        Raises:
            MemoryError: The device has too little of it.
            TrainingError: It diverged.
            WorkerLostError: The device is lost.
        """
        try:
            return self._train_one(space, arch_index, seed)
        except RuntimeError as error:
            _raise_for_runner(error)
            raise

    def _train_one(self, space: str, arch_index: int, seed: int) -> NewTrial:
        recipe, test, device = self.task.recipe, self.test_images, self.task.device
        network = initialised(space, spaces.get(space).arch_str(arch_index), test.n_classes, recipe, seed).to(device)
        curve = train_network(network, self.train_images, recipe, seed)
        start = time.perf_counter()
        logits = networks.infer(network, test.images, *test.normalisation, batch_size=_EVAL_BATCH, device=device)
        eval_time_s = time.perf_counter() - start
        if not bool(torch.isfinite(logits).all()):
            raise TrainingError(f"its logits of {test.name} are no finite numbers")
        features = features_of(space, arch_index, test, recipe)
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


def _raise_for_runner(error: RuntimeError) -> None:
    """Raise what the runner answers with another worker, if an exception is for want of memory or of the device."""
    if networks.is_out_of_memory(error):
        raise MemoryError(str(error)) from error
    if networks.is_device_lost(error):
        raise WorkerLostError(str(error)) from error


def features_of(space: str, arch_index: int, images: ImageSet, recipe: Recipe) -> Features:
    """Return the features of an architecture at the size of the recipe and its images."""
    return spaces.get(space).features(
        arch_index,
        num_classes=images.n_classes,
        image_size=images.images.shape[-1],
        **recipe.skeleton_of(space),
    )
