"""``harness plan``: what is wanted, and how much of it the store has. Changes nothing."""

import argparse
from collections.abc import Sequence

from harness import spaces
from harness.cli.output import next_step, print_table, say
from harness.cli.session import existing_store, logs_only_notes, selections
from harness.config import Settings
from harness.runner.estimate import Estimate, estimate
from harness.runner.plan import Plan, make_plan
from harness.runner.selection import Selection

_HOURS = ((1.0, "core-hours"), (1 / 60, "core-minutes"), (1 / 3600, "core-seconds"))
_GIGABYTES = ((1.0, "GB"), (1e-3, "MB"), (1e-6, "kB"))


def plan(settings: Settings, _: argparse.Namespace) -> int:
    """Print the units per partition and return 0."""
    chosen = selections(settings)
    store = existing_store(settings.store)
    made = make_plan(settings.study, chosen, settings.library, store)
    print_selections(chosen, settings)
    print_notes(chosen, settings)
    print_counts(made)
    if not len(made):
        if any(count.failed for count in made.counts):
            next_step(f"{settings.command('status')} says why units failed, and how they are tried again")
        else:
            next_step(f"{settings.command('report')} builds the report")
        return 0
    if notes := logs_only_notes(made, chosen, settings.study):
        for note in notes:
            say(note)
    else:
        print_estimate(estimate(made, chosen, settings.library, store, settings.runner), settings)
        next_step(f"{settings.command('run')} makes the missing units")
    return 0


def print_selections(chosen: Sequence[Selection], settings: Settings) -> None:
    """Print how many architectures each archive holds and how many of them the study chooses."""
    for selection in chosen:
        of_space = len(spaces.get(selection.space))
        say(
            f"{selection.space}: {selection.source} holds {selection.n_held:,} of {of_space:,} architectures, "
            f"study.archs={settings.study.archs} chooses {len(selection.arch_indices):,} of them"
            + ("" if settings.part is None else f" for part {settings.part}")
        )


def print_notes(chosen: Sequence[Selection], settings: Settings) -> None:
    """Print which listed seeds no record has, or which first one is not listed, and which files are not shown."""
    conditions = {name for name, _ in settings.study.conditions}
    for name in sorted(settings.library.image_files.keys() - conditions):
        say(f"image_files: {name} is shown to no network: study.conditions lists no {name}")
    for selection in chosen:
        for datasets, hp, lacking, held in selection.lacking_seeds(settings.study):
            has = ",".join(map(str, held))
            say(
                f"{selection.space}: no record has seed {' or '.join(map(str, lacking))} with hp {hp} "
                f"({', '.join(datasets)}): study.seeds=[{has}] lists those that they have"
            )
        for dataset, hp, seed in selection.first_seeds_left_out(settings.study):
            if (dataset, hp) not in selection.seeds:  # no index tells what others there are
                say(
                    f"{selection.space}: the first record has seed {seed} first ({dataset}, hp {hp}), which "
                    "study.seeds leaves out: seeds that a record lacks become absent, "
                    f"study.seeds=[{seed}] asks for this one"
                )


def print_counts(made: Plan) -> None:
    """Print the units of a plan per partition."""
    print_table(
        "units (one network, protocol and condition each)",
        ("space", "dataset", "protocol", "total", "done", "missing", "failed", "absent"),
        [(c.space, c.dataset, c.protocol, c.total, c.done, c.missing, c.failed, c.absent) for c in made.counts],
    )


def print_estimate(found: Estimate, settings: Settings) -> None:
    """Print what the units to make will take, and on what that rests."""
    model = "the model of docs/running.md"
    hours = f"{found.n_measured:,} measured units of this store" if found.modelled < 1 else model
    if 0 < found.modelled < 1:
        hours += f", and {100 * found.modelled:.0f} % of the units, which are like none of these, from {model}"
    rows = f"{found.n_rows:,} rows of this store" if found.n_rows else model
    if found.gpu_hours:
        gpu_hours = _amount(found.gpu_hours, [(size, name.replace("core", "GPU")) for size, name in _HOURS])
        say(f"about {gpu_hours} and {_amount(found.core_hours, _HOURS)}, from {hours}")
    else:
        say(f"about {_amount(found.core_hours, _HOURS)} on {settings.runner.device}, from {hours}")
    archives = _amount(found.archive_gb, _GIGABYTES)
    say(f"about {archives} of archive records to read, from the sizes of some of their files")
    say(f"about {_amount(found.disk_gb, _GIGABYTES)} of rows to write, from {rows}")


def _amount(value: float, units: Sequence[tuple[float, str]]) -> str:
    """Return an amount with two significant digits, or whole if it is larger, in the first unit of which there is 0.1.

    Example:
        >>> _amount(1234.5, _HOURS), _amount(0.25, _HOURS), _amount(1.9e-05, _HOURS)
        ('1,234 core-hours', '0.25 core-hours', '0.068 core-seconds')
    """
    size, name = next(((size, name) for size, name in units if value >= 0.1 * size), units[-1])
    scaled = value / size
    return f"{scaled:,.0f} {name}" if scaled >= 10 else f"{scaled:.2g} {name}"
