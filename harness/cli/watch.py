"""``harness status --watch``: the runs on the store, refreshed until they end; reads no archives and no data."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from harness.cli.output import console, duration, say, table
from harness.store import StoreRoot
from harness.store.watching import RunState, watch_runs, worker_json


def watch(root: StoreRoot, every_s: float) -> int:
    """Show the runs on a store until all have ended or the user interrupts; return 1 if units have failed, else 0.

    On a terminal it is one view that changes, elsewhere a line per run and refresh.

    Args:
        root: The store.
        every_s: Seconds between two looks.
    """
    states = watch_runs(root)
    if not any(state.state == "live" for state in states):
        _print(states)
        say(f"no run is at work on {root.path}")
        return _exit_code(states)
    seen: list[RunState] = states
    try:
        if sys.stdout.isatty():
            with Live(view(states), console=console(), auto_refresh=False) as live:
                while states := _next_look(root, every_s):
                    seen = states
                    live.update(view(states), refresh=True)
        else:
            _print(states)
            while states := _next_look(root, every_s):
                seen = states
                _print(states)
    except KeyboardInterrupt:
        return _exit_code(seen)
    left = watch_runs(root)
    _print(left)
    say("a driver is gone, `harness run` resumes" if left else "the run has ended")
    return _exit_code(left or seen)


def _next_look(root: StoreRoot, every_s: float) -> list[RunState]:
    """Wait, look again, and return the runs; none where no driver is alive."""
    time.sleep(every_s)
    states = watch_runs(root)
    return states if any(state.state == "live" for state in states) else []


def _exit_code(states: Sequence[RunState]) -> int:
    return int(any(state.run.n_failed for state in states))


def _print(states: Sequence[RunState]) -> None:
    for state in states:
        say(run_line(state))


def print_runs(states: Sequence[RunState]) -> None:
    """Print the runs on a store with their workers."""
    if states:
        console().print(view(states))


def view(states: Sequence[RunState]) -> RenderableType:
    """Return everything that is known of some runs, to be shown on a terminal."""
    parts: list[RenderableType] = []
    for state in states:
        parts.append(Text(run_line(state)))
        if state.failures:
            rows = [(f.kind, f.stage, f.type, f.n_units) for f in state.failures]
            parts.append(table("failures of the run", ("kind", "stage", "type", "units"), rows))
        parts.append(_workers(state))
        folders = sorted({str(Path(worker.log).parent) for worker in state.workers if worker.log is not None})
        parts += [Text(f"logs, on the machine of each worker: {folder}\n") for folder in folders]
    return Group(*parts)


def run_line(state: RunState) -> str:
    """Return the state of a run in one line."""
    run = state.run
    rate, eta = state.units_per_s, state.eta_s
    facts = [f"{run.command} {run.run_id}: {run.n_made:,}/{run.n_units:,} units"]
    if state.state == "stale":
        age = duration(run.sender.age_s(state.now))
        facts.append(f"driver {run.sender.host} {run.sender.pid} gone, last heard of {age} ago")
    elif rate is not None and eta is not None:
        facts += [f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each", f"{duration(eta)} left"]
    facts += [f"{number:,} {kind}" for kind, number in (("failed", run.n_failed), ("absent", run.n_absent)) if number]
    n_live = sum(worker.sender.is_alive(state.now) for worker in state.workers)
    facts.append(f"{n_live} workers" + (f", {len(state.workers) - n_live} stale" * (n_live < len(state.workers))))
    if state.device_idle_share is not None:
        facts.append(f"device idle {state.device_idle_share:.0%}")
    return ", ".join(facts)


def _workers(state: RunState) -> RenderableType:
    columns = ("worker", "state", "device", "doing", "for", "heartbeat", "done", "failed", "device idle")
    rows = []
    for worker in state.workers:
        said = worker_json(worker, state.now)
        idle = said["device_idle_share"]
        rows.append(
            (
                *(said[name] for name in ("worker", "state", "device", "doing")),
                duration(said["doing_s"]),
                f"{duration(said['heartbeat_age_s'])} ago",
                *(said[name] for name in ("units_done", "units_failed")),
                None if idle is None else f"{idle:.0%}",
            )
        )
    return table("workers", columns, rows)
