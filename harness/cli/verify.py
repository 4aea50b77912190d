"""``harness verify``: the store is sound, and every planned unit is done, failed on record, or absent on record."""

import argparse
from collections.abc import Iterable

from harness.cli.output import next_step, say
from harness.cli.plan import print_counts
from harness.cli.session import selections
from harness.cli.status import print_gate
from harness.config import Settings
from harness.runner.plan import Plan, make_plan
from harness.store import StoreRoot
from harness.store.audit import check_files, check_gate, count_duplicates, remove_leftovers
from harness.store.consistency import check_store
from harness.store.reader import Store
from harness.values import Finding


def verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print what is wrong with the store; return 0 if nothing is, else 1."""
    root = StoreRoot.existing(settings.store)
    if arguments.clean:
        removed = remove_leftovers(root)
        for path in removed:
            say(f"removed {path}")
        say(f"removed {len(removed)} leftovers of killed processes")
    n_findings, verdict = print_findings(check_files(root)), ""
    if n_findings:
        say("the rows and the plan are checked once the files are sound")
    else:
        store = Store(root)
        n_findings += print_findings(check_store(store))
        n_findings += print_findings(check_gate(store, settings.test_sets(), settings.study.precision))
        print_gate(store)
        say(f"{count_duplicates(store)} equal duplicate rows (legal: two drivers or an orphan worker)")
        plan = make_plan(settings.study, selections(settings), settings.library, store)
        print_counts(plan)
        n_findings += print_findings(_check_plan(plan, settings))
        verdict = _verdict(plan, settings)
    if n_findings:
        say(f"verify: {n_findings} violation{'s' * (n_findings > 1)}")
        return 1
    say(f"verify: {verdict}")
    next_step(f"{settings.command('report')} builds the report")
    return 0


def print_findings(findings: Iterable[Finding]) -> int:
    """Print each finding as it comes and return their number."""
    number = 0
    for finding in findings:
        say(f"{finding.check}: {finding.where}: {finding.message}")
        number += 1
    return number


def _verdict(plan: Plan, settings: Settings) -> str:
    """Return what a store without violations is: failures on record are sound, but the study is not complete."""
    failed = sum(count.failed for count in plan.counts)
    if not failed:
        return "the store is sound and complete" + ("" if settings.part is None else f" for part {settings.part}")
    total = sum(count.total for count in plan.counts)
    return f"the store is sound; {failed:,} of {total:,} wanted units failed, {settings.command('status')} says why"


def _check_plan(plan: Plan, settings: Settings) -> list[Finding]:
    if not len(plan):
        return []
    message = f"{len(plan)} planned units are not made yet: {settings.command('run')} makes them"
    return [Finding("plan", str(settings.store), message)]
