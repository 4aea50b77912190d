"""``harness verify``: the store is sound, and every planned unit is done, failed on record, or absent on record."""

import argparse
from collections.abc import Iterable

from harness.cli.output import say
from harness.cli.plan import print_counts
from harness.cli.session import selections
from harness.cli.status import print_gate
from harness.config import Settings
from harness.runner.plan import make_plan
from harness.store import StoreRoot
from harness.store.audit import Finding, check_files, check_gate, check_rows, count_duplicates, remove_leftovers
from harness.store.reader import Store


def verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print what is wrong with the store; return 0 if nothing is, else 1."""
    root = StoreRoot.existing(settings.store)
    if arguments.clean:
        say(f"removed {remove_leftovers(root)} leftovers of killed writers")
    n_findings = _print_findings(check_files(root))
    if n_findings:
        say("the rows and the plan are checked once the files are sound")
    else:
        store = Store(root)
        n_findings += _print_findings(check_rows(store))
        n_findings += _print_findings(check_gate(store, settings.test_sets()))
        print_gate(store)
        say(f"{count_duplicates(store)} equal duplicate rows (legal: two drivers or an orphan worker)")
        n_findings += _print_findings(_check_plan(settings, store))
    if n_findings:
        say(f"verify: {n_findings} violation{'s' * (n_findings > 1)}")
        return 1
    say("verify: the store is sound and complete")
    return 0


def _print_findings(findings: Iterable[Finding]) -> int:
    """Print each finding as it comes and return their number."""
    number = 0
    for finding in findings:
        say(f"{finding.check}: {finding.where}: {finding.message}")
        number += 1
    return number


def _check_plan(settings: Settings, store: Store) -> list[Finding]:
    plan = make_plan(settings.study, selections(settings), settings.library, store)
    print_counts(plan)
    if not len(plan):
        return []
    message = f"{len(plan)} planned units are not made yet: {settings.command('run')} makes them"
    return [Finding("plan", str(settings.store), message)]
