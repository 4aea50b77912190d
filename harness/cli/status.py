"""``harness status``: what the store holds, what has failed and who is at work, from the store alone."""

import argparse

from harness.cli.output import next_step, print_table, say
from harness.config import Settings
from harness.errors import DataError
from harness.runner.plan import wanted_settings
from harness.store import open_store
from harness.store.audit import gate_counts
from harness.store.live import live_workers
from harness.store.reader import Store
from harness.store.schema import MODEL_KEY, key_names
from harness.values import unit_fingerprint

_MOST = 20


def status(settings: Settings, _: argparse.Namespace) -> int:
    """Print the state of the store; return 0, or 1 if units have failed."""
    store = open_store(str(settings.store))
    model = ", ".join(key_names(MODEL_KEY))
    rows = store.sql(
        f"SELECT space, dataset, hp, protocol, condition, severity, count(DISTINCT ({model})) AS models, count(*) AS n"
        " FROM all_measurements WHERE gate IS DISTINCT FROM 'fail' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    columns = ("space", "dataset", "hp", "protocol", "condition", "severity", "models", "rows")
    print_table(f"measurements in {settings.store}", columns, rows)
    print_gate(store)
    for beat in live_workers(store.root):
        say(f"worker {beat.worker} of run {beat.run_id}: {beat.units_done} units done, {beat.units_failed} failed")
    n_absent = len(store.failures(kind="absent").fetchall())
    say(f"absent: {n_absent} units whose model the archive lacks, or holds with another first seed than planned")
    relation = store.failures(kind="failed", **_of_these_settings(settings)).order("ALL")
    failed = relation.fetchall()  # once: a relation keeps no result and would be computed again
    others = len(store.failures(kind="failed").fetchall()) - len(failed)
    if others:
        say(f"failed under other settings than these: {others} units, in the table `failures` of the store")
    if not failed:
        say("failed: none")
        return 0
    _print_failed(settings, relation.columns, failed)
    return 1


def _of_these_settings(settings: Settings) -> dict[str, list[str]]:
    """Return a filter for the failures of the study; none where its data sets are not at hand, as on a laptop."""
    try:
        wanted = wanted_settings(settings.study, settings.library).values()
    except DataError as error:
        say(f"failures of all settings are shown, for those of this study need its data: {error}")
        return {}
    return {"fingerprint": [unit_fingerprint(row.fingerprint for row in unit.rows) for unit in wanted]}


def print_gate(store: Store) -> None:
    """Print how many models pass the accuracy gate."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in gate_counts(store).items())
    say(f"accuracy gate: {counts or 'no models'}")


def _print_failed(settings: Settings, columns: list[str], failed: list[tuple[object, ...]]) -> None:
    wanted = ("source", "space", "arch_index", "dataset", "hp", "seed", "stage", "type", "message")
    rows = [[str(dict(zip(columns, row, strict=True))[name]) for name in wanted] for row in failed[:_MOST]]
    print_table(f"failed: {len(failed)} units", wanted, rows)
    if len(failed) > _MOST:
        say(f"... and {len(failed) - _MOST} more, in the table `failures` of the store")
    next_step(f"mend the cause, then {settings.command('retry')}")
