"""``harness plan``: what is wanted, and how much of it the store has. Changes nothing."""

import argparse
from collections.abc import Sequence

from harness import spaces
from harness.cli.output import next_step, print_table, say
from harness.cli.session import existing_store, selections
from harness.config import Settings
from harness.runner.plan import Plan, Selection, make_plan


def plan(settings: Settings, _: argparse.Namespace) -> int:
    """Print the units per partition and return 0."""
    chosen = selections(settings)
    made = make_plan(settings.study, chosen, settings.library, existing_store(settings.store))
    print_selections(chosen, settings)
    print_counts(made)
    if len(made):
        next_step(f"{settings.command('run')} makes the missing units")
    return 0


def print_selections(chosen: Sequence[Selection], settings: Settings) -> None:
    """Print how many architectures each archive holds and how many of them the study chooses."""
    for selection in chosen:
        of_space = len(spaces.get(selection.space))
        say(
            f"{selection.space}: {selection.source} holds {selection.n_held:,} of {of_space:,} architectures, "
            f"study.archs={settings.study.archs} chooses {len(selection.arch_indices):,} of them"
        )


def print_counts(made: Plan) -> None:
    """Print the units of a plan per partition."""
    print_table(
        "units (one network, protocol and condition each)",
        ("space", "dataset", "protocol", "total", "done", "missing", "failed", "absent"),
        [(c.space, c.dataset, c.protocol, c.total, c.done, c.missing, c.failed, c.absent) for c in made.counts],
    )
