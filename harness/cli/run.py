"""``harness run`` makes what is missing, ``harness retry`` what has failed: plan, place, commit, count."""

import argparse
import math

from harness.cli.interrupts import draining
from harness.cli.output import meter, next_step, say
from harness.cli.plan import print_counts, print_selections
from harness.cli.session import existing_store, placing, require_device, selections
from harness.config import Settings
from harness.errors import StoppedEarlyError, StoreError
from harness.runner.inference import Inference
from harness.runner.placement import Outcome
from harness.runner.plan import Plan, halve, make_plan
from harness.runner.provenance import describe_run, new_run_id
from harness.runner.work import EvaluateTask, ParcelDone
from harness.store import StoreRoot
from harness.store.audit import check_gate
from harness.store.live import end_run
from harness.store.reader import Store
from harness.store.writer import write_failures, write_run
from harness.values import Failure, FailureKind, Parcel


def run(settings: Settings, _: argparse.Namespace) -> int:
    """Make the missing units; return 0, or 1 if units of the plan have failed."""
    return _execute(settings, "run", ("missing",))


def retry(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make the failed units once more, and the absent ones if asked to; return 0, or 1 if some fail again."""
    return _execute(settings, "retry", ("failed", "absent") if arguments.absent else ("failed",))


def _execute(settings: Settings, command: str, states: tuple[str, ...]) -> int:
    """Plan, make the units that are in the given states, and say where the plan stands then."""
    require_device(settings.runner.device)
    chosen = selections(settings)
    store = existing_store(settings.store)
    plan = make_plan(settings.study, chosen, settings.library, store, make=states)
    if not len(plan):
        done = sum(count.done for count in plan.counts)
        say(f"nothing to do: no unit is {' or '.join(states)}, {done:,} units are done in {settings.store}")
        return _conclude(plan, store, settings)
    root = StoreRoot.create(settings.store)
    print_selections(chosen, settings)
    print_counts(plan)
    run_id = new_run_id()
    try:
        write_run(root, describe_run(run_id, command, settings.as_json))
        _place(plan, settings, root, run_id)
    except StoreError as error:
        raise StoppedEarlyError(f"{error}; what was committed is kept, {settings.command(command)} resumes") from error
    finally:
        end_run(root, run_id)
    store = Store(root)
    after = make_plan(settings.study, chosen, settings.library, store)
    print_counts(after)
    return _conclude(after, store, settings)


def _conclude(plan: Plan, store: Store | None, settings: Settings) -> int:
    """Say what is wrong and what to do next; return 0, or 1 if units have failed or too many models fail the gate."""
    failed = sum(count.failed for count in plan.counts)
    if failed:
        say(
            f"{failed:,} units failed; {settings.command('status')} lists them, {settings.command('retry')} tries again"
        )
    absent = sum(count.absent for count in plan.counts)
    if absent:
        say(f"{absent:,} units are absent, on record: the archive has no such seed, data set or budget of the network")
    findings = [] if store is None else list(check_gate(store, settings.test_sets()))
    for finding in findings:
        say(f"{finding.check}: {finding.message}")
    if failed or findings:
        return 1
    next_step(f"{settings.command('verify')} audits the store", f"{settings.command('report')} builds the page")
    return 0


def _place(plan: Plan, settings: Settings, root: StoreRoot, run_id: str) -> None:
    """Hand the parcels of a plan to workers and count what they commit."""
    options = settings.runner
    task = EvaluateTask(
        archives={setting.space: str(settings.archive_path(setting)) for setting in settings.archives},
        store=root,
        run_id=run_id,
        inference=Inference(options.device, options.batch_size),
        library=settings.library,
        threads=options.threads,
    )
    # Small plans make small parcels, so that every worker has some and the progress moves.
    records = max(1, min(options.parcel_records, math.ceil(len(plan) / (options.workers * 4))))
    failed = 0
    # The signals are taken over after Ray has started, which would otherwise take them back.
    with placing(options) as place, meter("units", len(plan)) as progress, draining() as drain:
        for outcome in place(task, drain.until_requested(plan.parcels(records)), halve):
            failed += _count_failed(outcome, root, run_id)
            progress.advance(len(outcome.item.units), f"{failed} failed" if failed else "")
    if drain.requested and progress.done < len(plan):
        raise StoppedEarlyError(f"interrupted with {progress.done:,} of {len(plan):,} units made; run again to resume")


def _count_failed(outcome: Outcome[Parcel, ParcelDone], root: StoreRoot, run_id: str) -> int:
    """Return the number of failed units of a parcel; a unit on which workers keep dying becomes a failure row."""
    if outcome.result is not None:
        return outcome.result.failed
    lost = outcome.lost or "the worker died"
    failures = [Failure(unit, FailureKind.FAILED, "worker", "WorkerDied", lost, "") for unit in outcome.item.units]
    write_failures(root, failures, run_id)
    return len(failures)
