"""``harness plan``: what is wanted, and how much of it the store has. Changes nothing."""

import argparse

from harness.cli.output import next_step, print_table
from harness.cli.session import existing_store, selections
from harness.config import Settings
from harness.runner.plan import Plan, make_plan


def plan(settings: Settings, _: argparse.Namespace) -> int:
    """Print the units per partition and return 0."""
    made = make_plan(settings.study, selections(settings), existing_store(settings.store), retry=False)
    print_counts(made)
    if len(made):
        next_step("`harness run` makes the missing units")
    return 0


def print_counts(made: Plan) -> None:
    """Print the units of a plan per partition."""
    print_table(
        "units (one network, protocol and condition each)",
        ("space", "dataset", "protocol", "total", "done", "missing", "failed", "absent"),
        [(c.space, c.dataset, c.protocol, c.total, c.done, c.missing, c.failed, c.absent) for c in made.counts],
    )
