"""``harness zoo train``: train the networks of the zoo that are not there yet, and write them as archives."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from harness import spaces
from harness.cli.interrupts import draining
from harness.cli.output import Meter, duration, meter, next_step, say
from harness.cli.session import placing, require_worker_device
from harness.config import Settings
from harness.errors import ConfigError
from harness.runner.part import cut
from harness.runner.selection import arch_indices
from harness.zoo import (
    DivergedNote,
    Trained,
    TrainTask,
    archive_folder,
    missing_records,
    missing_seeds,
    prepare_archive,
    read_notes,
    sample_indices,
    write_recipe,
)

_SAMPLE = "sample"

_SAID = 10
"""So many trainings that diverged are named; all of them are noted in the archive."""

_Item = tuple[str, int]


@dataclass
class _Outcomes:
    """What came of the architectures: those that a worker reported, and those whose worker died."""

    trained: list[Trained] = field(default_factory=list)
    lost: list[_Item] = field(default_factory=list)


def train(settings: Settings, arguments: argparse.Namespace) -> int:
    """Train what is missing of the zoo; return 0, or 1 if a training diverged, now or before, or its worker died."""
    require_worker_device(settings.runner)
    _require_precision(settings)
    recipe, library = settings.recipe, settings.library
    wanted = {space: _chosen(settings, space) for space in settings.zoo_spaces}
    paths = {space: archive_folder(settings.zoo_root, recipe, space, library) for space in wanted}
    items = [
        item
        for space, path in paths.items()
        for item in missing_records(path, space, wanted[space], with_diverged=arguments.diverged)
    ]
    if not items:
        say(f"nothing to do: nothing is left to train in {_folders(paths)}")
        return _conclude(settings, paths, wanted, [])
    _announce(settings, items, paths)
    outcomes = _Outcomes()
    with (
        placing(settings.runner) as place,
        _progress(settings, len(items)) as progress,
        draining("architectures") as drain,
    ):
        for space, path in paths.items():
            prepare_archive(path, space)
            write_recipe(path, recipe)
        task = TrainTask(recipe, paths, library, settings.runner.device)
        for outcome in place(task, drain.until_requested(items), lambda item: [item]):
            progress.advance(1, outcome.lost if outcome.result is None else outcome.result.summary)
            if outcome.result is None:
                outcomes.lost.append(outcome.item)
            else:
                outcomes.trained.append(outcome.result)
    _summarise(outcomes.trained)
    drain.require_all(progress.done, progress.total, "architectures trained")
    return _conclude(settings, paths, wanted, outcomes.lost)


def _require_precision(settings: Settings) -> None:
    """Refuse less than float32 on a CPU, where it is slower and no more than rounding is won.

    Raises:
        ConfigError: The recipe asks for it.
    """
    precision, device = settings.recipe.precision, settings.runner.device
    if precision != "float32" and torch.device(device).type == "cpu":
        raise ConfigError(
            f"zoo.precision={precision} is for training on a GPU, got runner.device={device}: give runner.device=cuda, "
            "or zoo.precision=float32"
        )


def _chosen(settings: Settings, space: str) -> list[int]:
    """Return the architectures of a space that are to be trained: those of ``zoo.archs``, ``limit`` and ``part``.

    Raises:
        ConfigError: The expression is not understood, or lists an architecture that the space does not have.
    """
    size = len(spaces.get(space))
    if settings.zoo_archs == _SAMPLE:
        found: Sequence[int] = sample_indices(space)
    else:
        try:
            found = arch_indices(settings.zoo_archs, space, range(size), key="zoo.archs")
        except ConfigError as error:
            hint = f"; or {_SAMPLE}, the fixed one of each space" if settings.zoo_archs.isalpha() else ""
            raise ConfigError(f"{error}{hint}") from error
    return cut(space, np.asarray(found, dtype=np.int64), settings.study.limit, settings.part).tolist()


def _folders(paths: Mapping[str, Path]) -> str:
    return " and ".join(map(str, paths.values()))


def _announce(settings: Settings, items: Sequence[_Item], paths: Mapping[str, Path]) -> None:
    """Say how many networks will be trained, on how many images, and where they go."""
    recipe = settings.recipe
    networks = sum(len(missing_seeds(paths[space], recipe, space, index)) for space, index in items)
    images = len(recipe.training_images(settings.library))
    say(
        f"training {_counted(len(items), 'architecture')}, {_counted(networks, 'network')}, on {images:,} images of "
        f"{recipe.dataset}, {_counted(recipe.epochs, 'epoch')}, into {_folders(paths)}"
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@contextmanager
def _progress(settings: Settings, total: int) -> Iterator[Meter]:
    """Show a meter that tells the time left as soon as every worker has trained an architecture."""
    with meter("architectures", total) as progress:
        progress.early = settings.runner.workers or 1
        yield progress


def _summarise(trained: Sequence[Trained]) -> None:
    """Say how good the new networks are, and how long each took."""
    accuracies = [accuracy for one in trained for accuracy in one.accuracies]
    times = [seconds for one in trained for seconds in one.train_time_s]
    if accuracies:
        say(
            f"trained {_counted(len(accuracies), 'network')}: test accuracy {np.mean(accuracies):.1%} on average "
            f"({min(accuracies):.1%} to {max(accuracies):.1%}), {duration(float(np.mean(times)))} per network "
            f"({duration(min(times))} to {duration(max(times))})"
        )


def _conclude(
    settings: Settings, paths: Mapping[str, Path], wanted: Mapping[str, Sequence[int]], lost: Sequence[_Item]
) -> int:
    """Say what was not trained and what to do next; return 0, or 1 if there is something that was not."""
    if lost:
        names = ", ".join(f"{space} {index}" for space, index in lost)
        say(f"not trained, the worker died: {names}; {settings.command('zoo train')} tries again")
    notes = [
        note for space, path in paths.items() for index, note in read_notes(path).items() if index in wanted[space]
    ]
    _tell_diverged(notes, settings, paths)
    if sum(not note.trained for note in notes) + len(lost) < sum(map(len, wanted.values())):
        next_step(f"{_measuring(settings)} measures what is trained")
    return 1 if lost or notes else 0


def _tell_diverged(notes: Sequence[DivergedNote], settings: Settings, paths: Mapping[str, Path]) -> None:
    """Say what diverged, now or before, and what to do about it."""
    if not notes:
        return
    said = [
        f"diverged: {note.space} {note.arch_index}, seed {seed}: {reason}"
        for note in notes
        for seed, reason in note.reasons.items()
    ]
    for line in said[:_SAID]:
        say(line)
    if len(said) > _SAID:
        say(f"... and {len(said) - _SAID:,} more")
    say(
        f"what diverged is in no record, it is noted in the folder diverged of {_folders(paths)}; give a gentler "
        "recipe, such as a lower zoo.learning_rate, which makes another zoo, or try the same again with "
        f"{settings.command('zoo train --diverged')}"
    )


def _measuring(settings: Settings) -> str:
    """Return the command that measures the zoo, which asks for what the zoo has where the study asks for other things.

    Seeds that were given for the study stay, if the zoo has some of them.
    """
    recipe, study = settings.recipe, settings.study
    more = [] if set(study.spaces) <= set(settings.zoo_spaces) else [f"study.spaces=[{','.join(settings.zoo_spaces)}]"]
    more += [] if recipe.dataset in study.datasets else [f"study.datasets=[{recipe.dataset}]"]
    more += [] if recipe.hp in study.hps else [f"study.hps=['{recipe.hp}']"]
    are_given = any(word.startswith("study.seeds=") for word in settings.overrides)
    shared, trained = set(recipe.seeds) & set(study.seeds), set(recipe.seeds)
    if not shared or (shared < trained and not are_given):
        more += [f"study.seeds=[{','.join(map(str, recipe.seeds))}]"]
    return replace(settings, overrides=(*settings.overrides, *more)).command("run")
