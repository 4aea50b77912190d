"""``harness status``: what the store holds, what has failed and who is at work, from the store alone."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from harness.cli.output import next_step, print_table, say
from harness.cli.watch import print_runs, watch
from harness.config import Settings
from harness.errors import DataError
from harness.runner.wanted import wanted_settings
from harness.store import StoreRoot, open_store
from harness.store.audit import gate_counts
from harness.store.causes import Cause, find_causes
from harness.store.reader import Store
from harness.store.schema import MODEL_KEY, key_names
from harness.store.views import PASSES_GATE
from harness.store.watching import watch_runs

_MOST_CAUSES = 20
_CAUSE = ("cause", "units", "networks", "stage", "type", "the first of them")
_COUNTED = ("space", "dataset", "hp", "protocol", "condition", "severity", "models", "rows")


def status(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print the state of the store; return 0, or 1 if units have failed."""
    if arguments.watch:
        return watch(StoreRoot.existing(settings.store), arguments.every)
    store = open_store(str(settings.store))
    if arguments.json:
        return _print_json(store)
    rows = _measurement_counts(store)
    print_table(f"measurements in {settings.store}", _COUNTED, rows)
    print_gate(store)
    print_runs(watch_runs(store.root))
    n_absent = len(store.failures(kind="absent").fetchall())
    say(f"absent: {n_absent} units whose model the archive lacks, or holds with another first seed than planned")
    return _print_failed(settings, store)


def _measurement_counts(store: Store) -> list[tuple[Any, ...]]:
    model = ", ".join(key_names(MODEL_KEY))
    return store.sql(
        f"SELECT space, dataset, hp, protocol, condition, severity, count(DISTINCT ({model})) AS models, count(*) AS n"
        f" FROM all_measurements WHERE {PASSES_GATE} GROUP BY ALL ORDER BY ALL"
    ).fetchall()


def _print_json(store: Store) -> int:
    """Print the state of the store as one JSON document; docs/store.md lists its keys. Exit codes as in `status`."""
    failures = store.sql(
        "SELECT kind, stage, type, count(*) AS n_units FROM failures GROUP BY ALL "
        "ORDER BY n_units DESC, kind, stage, type"
    )
    causes = [dict(zip(failures.columns, row, strict=True)) for row in failures.fetchall()]
    document = {
        "store": str(store.root.path),
        "runs": [state.as_json() for state in watch_runs(store.root)],
        "measurements": [dict(zip(_COUNTED, row, strict=True)) for row in _measurement_counts(store)],
        "gate": gate_counts(store),
        "failures": causes,
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return int(any(cause["kind"] == "failed" for cause in causes))


def _print_causes(causes: Sequence[Cause]) -> None:
    """Print a table of causes, and below it the message of each, which would not fit into a column."""
    shown = causes[:_MOST_CAUSES]
    n_units = sum(cause.n_units for cause in causes)
    rows = [(number, *cause[1:-1]) for number, cause in enumerate(shown, start=1)]
    print_table(f"failed: {n_units:,} units", _CAUSE, rows)
    for number, cause in enumerate(shown, start=1):
        say(f"cause {number}: {cause.message}")
    if len(causes) > _MOST_CAUSES:
        say(f"... and {len(causes) - _MOST_CAUSES} more causes")


def _fingerprints_of_study(settings: Settings) -> set[str] | None:
    """Return those of the study's units; None where its data sets are not at hand, as on a laptop."""
    try:
        return {unit.fingerprint for unit in wanted_settings(settings.study, settings.library).values()}
    except DataError as error:
        say(f"failures of all settings are taken for this study's, for telling them apart needs its data: {error}")
        return None


def print_gate(store: Store) -> None:
    """Print how many models pass the accuracy gate."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in gate_counts(store).items())
    say(f"accuracy gate: {counts or 'no models'}")


def _print_failed(settings: Settings, store: Store) -> int:
    """Print why units of the store have failed, those of these settings first; return 1 if there are any of these."""
    if not len(store.failures(kind="failed").limit(1).fetchall()):
        say("failed: none")
        return 0
    causes = find_causes(store, _fingerprints_of_study(settings))
    _print_causes(causes)
    every = 'query "FROM failures"'
    say(f"{settings.command(every)} has every unit")
    n_others = sum(cause.n_units for cause in causes if not cause.is_of_study)
    if n_others:
        say(f"{n_others} of these failed under other settings than these, which `retry` tries again when it is given")
    if all(not cause.is_of_study for cause in causes):
        return 0
    next_step(f"mend the cause, then {settings.command('retry')}")
    return 1
