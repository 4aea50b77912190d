"""``harness run`` makes what is missing, ``harness retry`` what has failed: plan, place, commit, count."""

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import duckdb

from harness.cli.interrupts import draining
from harness.cli.output import meter, next_step, say
from harness.cli.plan import print_counts, print_notes, print_selections
from harness.cli.session import (
    existing_store,
    logs_only_notes,
    placing,
    require_worker_device,
    selections,
)
from harness.config import Settings
from harness.errors import ConfigError, StoppedEarlyError, StoreError
from harness.runner.inference import inference_of
from harness.runner.placement import Outcome, Place
from harness.runner.plan import Plan, halve, make_plan
from harness.runner.provenance import describe_run, new_run_id
from harness.runner.reporting import reported_run
from harness.runner.selection import Selection
from harness.runner.work import EvaluateTask, ParcelDone
from harness.store import StoreRoot
from harness.store.audit import check_gate
from harness.store.causes import find_causes
from harness.store.live import end_run, remove_dead_runs
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
    require_worker_device(settings.runner)
    chosen = selections(settings)
    store = existing_store(settings.store)
    plan = make_plan(settings.study, chosen, settings.library, store, make=states)
    if not len(plan):
        done = sum(count.done for count in plan.counts)
        say(f"nothing to do: no unit is {' or '.join(states)}, {done:,} units are done in {settings.store}")
        return conclude(plan, store, settings, settings.test_sets())
    _require_weights(plan, chosen, settings)
    print_selections(chosen, settings)
    print_notes(chosen, settings)
    print_counts(plan)
    with placing(settings.runner) as place:  # before anything is written: a cluster may refuse
        root = StoreRoot.create(settings.store)
        carry_out(plan, _task(settings, root), settings, place, command)
    with reading_back(settings):
        store = Store(root)
        after = make_plan(settings.study, chosen, settings.library, store)
        print_counts(after)
        return conclude(after, store, settings, settings.test_sets())


def _require_weights(plan: Plan, chosen: Sequence[Selection], settings: Settings) -> None:
    """Refuse to make units that would all fail: of a kind of network of which an archive holds no weights at all.

    A record without weights among others is no reason to refuse: its units are failures on record.

    Raises:
        ConfigError: So it is, and stored logits do not serve them.
    """
    if notes := logs_only_notes(plan, chosen, settings.study):
        raise ConfigError("; ".join(notes))


@contextlib.contextmanager
def reading_back(settings: Settings) -> Iterator[None]:
    """Have a store that cannot be read after the work count as a run that ended early, not as one that did nothing.

    Raises:
        StoppedEarlyError: The store cannot be read.
    """
    try:
        yield
    except (StoreError, OSError, duckdb.Error) as error:
        raise StoppedEarlyError(
            f"all is committed, but the store cannot be read: {str(error).splitlines()[0]}; {settings.command('run')} "
            "says what is left"
        ) from error


def conclude(plan: Plan, store: Store | None, settings: Settings, test_sets: Sequence[str]) -> int:
    """Say what is wrong and what to do next; return 0, or 1 if units have failed or too many models fail the gate."""
    failed = sum(count.failed for count in plan.counts)
    if failed:
        say(f"{failed:,} units failed; {settings.command('status')} says why, {settings.command('retry')} tries again")
        _say_commonest(plan, store)
    absent = sum(count.absent for count in plan.counts)
    if absent:
        say(f"{absent:,} units are absent, on record: the archive has no such seed, data set or budget of the network")
    findings = [] if store is None else list(check_gate(store, test_sets, settings.study.precision))
    for finding in findings:
        say(f"{finding.check}: {finding.message}")
    if failed or findings:
        return 1
    next_step(f"{settings.command('verify')} audits the store", f"{settings.command('report')} builds the report")
    return 0


def _say_commonest(plan: Plan, store: Store | None) -> None:
    """Say of what most units of a plan have failed."""
    fingerprints = {wanted.fingerprint for wanted in plan.wanted.values()}
    causes = [] if store is None else find_causes(store, fingerprints)
    for cause in causes[:1]:
        most = f"{cause.n_units:,} of them" if len(causes) > 1 else "all of them"
        say(f"{most} at the stage {cause.stage}: {cause.message}")


def _task(settings: Settings, root: StoreRoot) -> EvaluateTask:
    options = settings.runner
    return EvaluateTask(
        archives={setting.space: str(settings.archive_path(setting)) for setting in settings.archives},
        store=root,
        run_id=new_run_id(),
        inference=inference_of(options, settings.study.precision),
        library=settings.library,
        threads=options.threads,
        keep=settings.keep,
        read_ahead=options.read_ahead,
        logs=settings.logs,
    )


def carry_out(plan: Plan, task: EvaluateTask, settings: Settings, place: Place, command: str) -> None:
    """Make the units of a plan as a run of the store, which its heartbeats tell of until it has ended.

    Raises:
        StoppedEarlyError: It was interrupted, Ray is lost, or the store could not be written on.
        StoreError: The store cannot be written at all.
    """
    root, run_id = task.store, task.run_id
    write_run(root, describe_run(run_id, command, settings.as_json))  # a full disk is refused here
    remove_dead_runs(root)
    try:
        _make_units(plan, task, plan.parcel_records(settings.runner.parcel_records), place, command)
    except StoreError as error:
        kept = f"what was committed is kept, {settings.command(command)} resumes"
        raise StoppedEarlyError(f"{error}; {kept}") from error
    finally:
        end_run(root, run_id)


def _make_units(plan: Plan, task: EvaluateTask, records: int, place: Place, command: str) -> None:
    """Hand the parcels of a plan to workers and count what they commit, for this process and in the store."""
    root, run_id = task.store, task.run_id
    failed = 0
    counts = [asdict(count) for count in plan.counts]
    reported = reported_run(root, run_id, command, len(plan), counts)
    # The signals are taken over after Ray has started, which would otherwise take them back.
    with reported as report, meter("units", len(plan)) as progress, draining("parcels") as drain:
        for outcome in place(task, drain.until_requested(plan.parcels(records)), halve):
            made = _made(outcome, root, run_id)
            report.count(done=made.done, failed=made.failed, absent=made.absent)
            failed += made.failed
            progress.advance(len(outcome.item.units), f"{failed} failed" if failed else "")
    drain.require_all(progress.done, len(plan), "units made")


def _made(outcome: Outcome[Parcel, ParcelDone], root: StoreRoot, run_id: str) -> ParcelDone:
    """Return what came of a parcel; a unit on which workers keep dying becomes a failure row."""
    if outcome.result is not None:
        return outcome.result
    assert outcome.lost is not None
    failures = [
        Failure(unit, FailureKind.FAILED, "worker", "WorkerDied", outcome.lost, "") for unit in outcome.item.units
    ]
    write_failures(root, failures, run_id)
    return ParcelDone(0, len(failures), 0, 0.0)
