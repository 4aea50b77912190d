"""``harness zoo train``: train the networks of the zoo that are not there yet, and write them as archives."""

import argparse

from harness import spaces
from harness.archives import write_meta
from harness.cli.output import meter, next_step, say
from harness.cli.session import placing
from harness.config import Settings
from harness.errors import StoreError
from harness.zoo import TrainTask, archive_folder, missing_records


def train(settings: Settings, _: argparse.Namespace) -> int:
    """Train what is missing of the zoo and return 0."""
    recipe, root = settings.recipe, settings.zoo_root
    items = [item for space in spaces.names() for item in missing_records(root, recipe, space)]
    folders = " and ".join(str(archive_folder(root, recipe, space)) for space in spaces.names())
    if not items:
        say(f"nothing to do: the zoo is trained in {folders}")
        next_step("`harness run`")
        return 0
    say(f"training {len(items)} architectures on {recipe.dataset}, {recipe.epochs} epochs, into {folders}")
    try:
        for space in spaces.names():
            write_meta(archive_folder(root, recipe, space), space)
        with placing(settings.runner) as place, meter("architectures", len(items)) as progress:
            for outcome in place(TrainTask(recipe, str(root)), items, lambda item: [item]):
                progress.advance(1, "" if outcome.result is None else outcome.result.summary)
    except OSError as error:
        raise StoreError(f"cannot write {folders}: {error}; give another folder with results=...") from error
    next_step("`harness run` measures them")
    return 0
