"""``harness zoo train``: train the networks of the zoo that are not there yet, and write them as archives."""

import argparse

from harness import spaces
from harness.cli.interrupts import draining
from harness.cli.output import meter, next_step, say
from harness.cli.session import placing, require_device
from harness.config import Settings
from harness.errors import StoppedEarlyError
from harness.zoo import TrainTask, archive_folder, missing_records, prepare_archive


def train(settings: Settings, _: argparse.Namespace) -> int:
    """Train what is missing of the zoo and return 0."""
    require_device(settings.runner.device)
    recipe, library = settings.recipe, settings.library
    paths = {space: archive_folder(settings.zoo_root, recipe, space, library) for space in spaces.names()}
    items = [item for space, path in paths.items() for item in missing_records(path, space, settings.study.limit)]
    folders = " and ".join(map(str, paths.values()))
    if not items:
        say(f"nothing to do: the zoo is trained in {folders}")
        next_step(f"{settings.command('run')} measures it")
        return 0
    plural = "s" if recipe.epochs > 1 else ""
    say(f"training {len(items)} architectures on {recipe.dataset}, {recipe.epochs} epoch{plural}, into {folders}")
    for space, path in paths.items():
        prepare_archive(path, space)
    task = TrainTask(recipe, paths, library, settings.runner.device)
    lost = []
    with placing(settings.runner) as place, meter("architectures", len(items)) as progress, draining() as drain:
        for outcome in place(task, drain.until_requested(items), lambda item: [item]):
            progress.advance(1, outcome.lost if outcome.result is None else outcome.result.summary)
            lost += [outcome.item] if outcome.result is None else []
    if drain.requested and progress.done < len(items):
        raise StoppedEarlyError(f"interrupted with {progress.done} of {len(items)} trained; run again to resume")
    if lost:
        names = ", ".join(f"{space} {index}" for space, index in lost)
        say(f"not trained, the worker died: {names}; {settings.command('zoo train')} tries again")
        return 1
    next_step(f"{settings.command('run')} measures them")
    return 0
