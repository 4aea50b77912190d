"""How the runs on a store stand, from the store alone: what drivers and workers last said, and the failures on record.

:func:`watch_runs` reads heartbeats and the table of failures, no measurements, so it stays fast in a large store.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.store.files import StoreRoot, readable
from harness.store.live import RunBeat, WorkerBeat, run_beats, worker_beats
from harness.store.schema import FAILURE_TABLE

_CAUSE = ("kind", "stage", "type")


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How many units have failed, or are absent, in one way.

    Attributes:
        kind: ``failed`` or ``absent``.
        stage: Where they stopped.
        type: Name of the exception.
        n_units: Their number.
    """

    kind: str
    stage: str
    type: str
    n_units: int


@dataclass(frozen=True, slots=True)
class RunState:
    """How a run stands.

    Attributes:
        run: What its driver last said.
        workers: What its workers last said.
        failures: What it has recorded as failed or absent, the commonest first.
        now: When this was read, in seconds since the epoch.
    """

    run: RunBeat
    workers: tuple[WorkerBeat, ...]
    failures: tuple[FailureCount, ...]
    now: float

    @property
    def state(self) -> str:
        """``live``, or ``stale`` where the driver has not been heard of for two minutes or is gone."""
        return "live" if self.run.sender.is_alive(self.now) else "stale"

    @property
    def units_per_s(self) -> float | None:
        """Units made per second since the start of the run; None before the first."""
        elapsed = self.run.sender.updated_at - self.run.sender.started_at
        return self.run.n_made / elapsed if self.run.n_made and elapsed > 0 else None

    @property
    def eta_s(self) -> float | None:
        """Seconds until the run is done at that rate; None before the first unit."""
        rate = self.units_per_s
        return None if rate is None else (self.run.n_units - self.run.n_made) / rate

    @property
    def device_idle_share(self) -> float | None:
        """Share of the wall time of all workers in which their device was not in inference; None without workers."""
        return idle_share(self.workers)

    def as_json(self) -> dict[str, Any]:
        """Return the state as plain values; docs/store.md lists the keys."""
        run = self.run
        return {
            "run_id": run.run_id,
            "command": run.command,
            "state": self.state,
            "host": run.sender.host,
            "pid": run.sender.pid,
            "started_at": run.sender.started_at,
            "heartbeat_age_s": run.sender.age_s(self.now),
            "units": {"total": run.n_units, "done": run.n_done, "failed": run.n_failed, "absent": run.n_absent},
            "wanted": list(run.wanted),
            "units_per_s": self.units_per_s,
            "eta_s": self.eta_s,
            "device_idle_share": self.device_idle_share,
            "failures": [asdict(failure) for failure in self.failures],
            "workers": [worker_json(worker, self.now) for worker in self.workers],
        }


def idle_share(workers: Sequence[WorkerBeat]) -> float | None:
    """Return the share of the wall time of some workers in which their device was not in inference, in [0, 1].

    ``1 - sum of seconds in inference / sum of seconds since the start``; None where there is no time yet.
    """
    total = sum(worker.total_s for worker in workers)
    return None if total <= 0 else min(1.0, max(0.0, 1 - sum(worker.inference_s for worker in workers) / total))


def worker_json(worker: WorkerBeat, now: float) -> dict[str, Any]:
    """Return what a worker last said as plain values; docs/store.md lists the keys."""
    return {
        "worker": worker.worker,
        "state": "live" if worker.sender.is_alive(now) else "stale",
        "host": worker.sender.host,
        "pid": worker.sender.pid,
        "device": worker.device,
        "doing": worker.doing,
        "doing_s": max(0.0, now - worker.since),
        "heartbeat_age_s": worker.sender.age_s(now),
        "units_done": worker.units_done,
        "units_failed": worker.units_failed,
        "device_idle_share": idle_share([worker]),
        "log": worker.log,
    }


def watch_runs(root: StoreRoot, *, now: float | None = None) -> list[RunState]:
    """Return the state of every run on a store that has not ended by itself, in the order of their start."""
    now = time.time() if now is None else now
    runs = run_beats(root)
    failures = _failures_of(root, {run.run_id for run in runs if run.n_failed or run.n_absent})
    return [RunState(run, tuple(worker_beats(root, run.run_id)), failures.get(run.run_id, ()), now) for run in runs]


def _failures_of(root: StoreRoot, run_ids: set[str]) -> dict[str, tuple[FailureCount, ...]]:
    """Return what some runs have recorded as failed or absent."""
    counts: dict[str, Counter[tuple[str, ...]]] = {run_id: Counter() for run_id in run_ids}
    for path in root.table_files(FAILURE_TABLE.folder) if run_ids else ():
        table = pq.ParquetFile(readable(path)).read(columns=["run_id", *_CAUSE])
        for row in table.filter(pc.field("run_id").isin(list(run_ids))).to_pylist():
            counts[row["run_id"]][tuple(row[name] for name in _CAUSE)] += 1
    return {run_id: _commonest_first(causes) for run_id, causes in counts.items()}


def _commonest_first(causes: Counter[tuple[str, ...]]) -> tuple[FailureCount, ...]:
    ordered = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    return tuple(FailureCount(kind, stage, type_, n_units) for (kind, stage, type_), n_units in ordered)
