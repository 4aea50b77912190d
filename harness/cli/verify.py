"""``harness verify``: the store is sound, and every planned unit is done, failed on record, or absent on record."""

import argparse

from harness.cli.output import say
from harness.cli.plan import print_counts
from harness.cli.session import selections
from harness.config import Settings
from harness.runner.plan import make_plan
from harness.store import open_store
from harness.store.audit import Finding, check_files, check_rows, count_duplicates, remove_leftovers


def verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print what is wrong with the store; return 0 if nothing is, else 1."""
    store = open_store(str(settings.store))
    if arguments.clean:
        say(f"removed {remove_leftovers(store.root)} leftovers of killed writers")
    findings = list(check_files(store.root))
    if not any(finding.check == "bytes" for finding in findings):
        findings += check_rows(store)
        findings += _check_plan(settings)
        say(f"{count_duplicates(store)} equal duplicate rows (legal: two drivers or an orphan worker)")
    for finding in findings:
        say(f"{finding.check}: {finding.where}: {finding.message}")
    say(f"verify: {len(findings)} violations" if findings else "verify: the store is sound and complete")
    return 1 if findings else 0


def _check_plan(settings: Settings) -> list[Finding]:
    plan = make_plan(settings.study, selections(settings), open_store(str(settings.store)), retry=False)
    print_counts(plan)
    if not len(plan):
        return []
    return [
        Finding("plan", str(settings.store), f"{len(plan)} planned units are neither done nor failed: `harness run`")
    ]
