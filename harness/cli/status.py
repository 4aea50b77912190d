"""``harness status``: what the store holds, what has failed and who is at work, from the store alone."""

import argparse

from harness.cli.output import next_step, print_table, say
from harness.config import Settings
from harness.store import open_store
from harness.store.live import live_workers

_MOST = 20


def status(settings: Settings, _: argparse.Namespace) -> int:
    """Print the state of the store; return 0, or 1 if units have failed."""
    store = open_store(str(settings.store))
    rows = store.sql(
        "SELECT space, dataset, protocol, condition, calibrator,"
        " count(DISTINCT (source, arch_index, hp, seed)) AS models, count(*) AS n_rows,"
        " count(*) FILTER (gate = 'pass') AS pass, count(*) FILTER (gate = 'warn') AS warn,"
        " count(*) FILTER (gate = 'fail') AS fail FROM measurements GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    columns = ("space", "dataset", "protocol", "condition", "calibrator", "models", "rows", "gate pass", "warn", "fail")
    print_table(f"measurements in {settings.store}", columns, rows)
    for beat in live_workers(store.root):
        say(f"worker {beat.worker} of run {beat.run_id}: {beat.units_done} units done, {beat.units_failed} failed")
    ((absent,),) = store.failures(kind="absent").aggregate("count(*)").fetchall()
    say(f"absent: {absent} units whose model the archive does not hold")
    failed = store.failures(kind="failed").order("ALL").fetchall()
    if not failed:
        say("failed: none")
        return 0
    _print_failed(store.failures(kind="failed").columns, failed)
    return 1


def _print_failed(columns: list[str], failed: list[tuple[object, ...]]) -> None:
    wanted = ("source", "space", "arch_index", "dataset", "hp", "seed", "stage", "type", "message")
    rows = [[str(dict(zip(columns, row, strict=True))[name]) for name in wanted] for row in failed[:_MOST]]
    print_table(f"failed: {len(failed)} units", wanted, rows)
    if len(failed) > _MOST:
        say(f"... and {len(failed) - _MOST} more, in the table `failures` of the store")
    next_step("mend the cause, then `harness retry`")
