"""Who is at work: small JSON files of every run and worker, which ``status`` reads from any shell or machine.

A driver writes ``live/<run_id>/run.json``, a worker ``live/<run_id>/<worker>.json``; both replace theirs every few
seconds, and the driver removes them when the run has ended. No result depends on them.
"""

import contextlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import StoreError
from harness.store.files import StoreRoot, changed_at, replace_file

BEAT_EVERY_S = 10.0
STALE_AFTER_S = 120.0  # twelve beats: a slow file system or clocks that are a minute apart make nobody stale

_FOLDER = "live"
_RUN = "run"


@dataclass(frozen=True, slots=True)
class Sender:
    """The process that a heartbeat is of.

    Attributes:
        host: Name of its machine.
        pid: Its process id there.
        started_at: When it began, in seconds since the epoch on its own clock, as all times here.
        updated_at: When it last said so.
    """

    host: str
    pid: int
    started_at: float
    updated_at: float

    def age_s(self, now: float) -> float:
        """Return the age of the heartbeat, at least 0: the clocks of two machines may differ.

        Example:
            >>> Sender("node", 7, 100.0, 160.0).age_s(175.0)
            15.0
        """
        return max(0.0, now - self.updated_at)

    def is_alive(self, now: float) -> bool:
        """Return whether the process was heard of within two minutes; of this machine also whether it is still there.

        Example:
            >>> Sender("another machine", 7, 100.0, 160.0).is_alive(280.0)
            True
        """
        return self.age_s(now) <= STALE_AFTER_S and not (self.host == socket.gethostname() and is_gone(self.pid))


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    """What a worker last said of itself.

    Attributes:
        run_id: Run that it works for.
        worker: Its name, unique within the run.
        sender: Its process.
        device: Torch device of its inference.
        doing: What it does.
        since: Since when.
        units_done: Units that it committed.
        units_failed: Units that it recorded as failed.
        inference_s: Seconds in which its device was in inference.
        log: Its log, a file on its machine; None if none could be opened.
    """

    run_id: str
    worker: str
    sender: Sender
    device: str
    doing: str
    since: float
    units_done: int
    units_failed: int
    inference_s: float
    log: str | None

    @property
    def total_s(self) -> float:
        """Seconds from its start to its last heartbeat."""
        return self.sender.updated_at - self.sender.started_at


@dataclass(frozen=True, slots=True)
class RunBeat:
    """What a driver last said of its run.

    Attributes:
        run_id: Name of the run.
        command: ``run``, ``retry`` or ``measure``.
        sender: The driver.
        n_units: Units that the run is to make.
        n_done: Those that were made.
        n_failed: Those that failed, on record.
        n_absent: Those that the archive lacks, on record.
        wanted: Units of the whole study per partition as they stood at the start: space, dataset, protocol, total,
            done, missing, failed, absent.
    """

    run_id: str
    command: str
    sender: Sender
    n_units: int
    n_done: int = 0
    n_failed: int = 0
    n_absent: int = 0
    wanted: tuple[dict[str, Any], ...] = field(default=())

    @property
    def n_made(self) -> int:
        """Units of which the run has said what came of them."""
        return self.n_done + self.n_failed + self.n_absent


Beat = TypeVar("Beat", WorkerBeat, RunBeat)


def worker_name() -> str:
    """Return the name of this process as a worker: host and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


def is_gone(pid: int) -> bool:
    """Return whether this machine has no process of that id, or one that has ended and that nobody has waited for.

    In a container without an init process a killed orphan stays in the table of processes for ever.

    Example:
        >>> is_gone(os.getpid())
        False
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # another user's
    with contextlib.suppress(OSError, IndexError):  # no /proc: another system than Linux
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def beat(root: StoreRoot, heartbeat: WorkerBeat | RunBeat) -> None:
    """Replace the heartbeat of a worker or of a run; a worker's is dropped once its run has ended.

    Raises:
        StoreError: The store cannot be written.
    """
    folder = root.path / _FOLDER / heartbeat.run_id
    name = _RUN if isinstance(heartbeat, RunBeat) else heartbeat.worker
    if name != _RUN and not (folder / f"{_RUN}.json").exists():
        return
    try:
        replace_file(folder / f"{name}.json", json.dumps(asdict(heartbeat)).encode())
    except OSError as error:
        raise StoreError(f"cannot write a heartbeat into {folder}: {error}") from error


def run_beats(root: StoreRoot) -> list[RunBeat]:
    """Return what the drivers of all runs last said that have not ended by themselves, in the order of their start."""
    return [found for name in _run_ids(root) if (found := _read(root, name, _RUN, RunBeat)) is not None]


def worker_beats(root: StoreRoot, run_id: str) -> list[WorkerBeat]:
    """Return what the workers of a run last said, in the order of their names."""
    names = sorted(path.stem for path in (root.path / _FOLDER / run_id).glob("*.json") if path.stem != _RUN)
    return [found for name in names if (found := _read(root, run_id, name, WorkerBeat)) is not None]


def live_runs(root: StoreRoot, *, now: float | None = None) -> list[RunBeat]:
    """Return the runs whose driver is alive."""
    now = time.time() if now is None else now
    return [run for run in run_beats(root) if run.sender.is_alive(now)]


def live_workers(root: StoreRoot, *, now: float | None = None) -> list[WorkerBeat]:
    """Return the workers that are alive, of every run."""
    now = time.time() if now is None else now
    found = (worker for run_id in _run_ids(root) for worker in worker_beats(root, run_id))
    return [worker for worker in found if worker.sender.is_alive(now)]


def end_run(root: StoreRoot, run_id: str) -> None:
    """Remove the heartbeats of a run that has ended, the driver's first so that no worker writes another."""
    folder = root.path / _FOLDER / run_id
    with contextlib.suppress(OSError):  # what cannot be removed is soon too old to count
        (folder / f"{_RUN}.json").unlink(missing_ok=True)
        for path in folder.glob("*"):
            path.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def dead_runs(root: StoreRoot, *, now: float | None = None) -> list[str]:
    """Return the names of the runs that have heartbeats and no living driver: it was killed, say."""
    now = time.time() if now is None else now
    return [run_id for run_id in _run_ids(root) if _is_dead(root, run_id, now)]


def remove_dead_runs(root: StoreRoot, *, now: float | None = None) -> int:
    """Remove the heartbeats of runs whose driver is gone, and return the number of those runs."""
    dead = dead_runs(root, now=now)
    for run_id in dead:
        end_run(root, run_id)
    return len(dead)


def _is_dead(root: StoreRoot, run_id: str, now: float) -> bool:
    """Return whether a run has no living driver; one whose driver said nothing yet may be about to start."""
    folder = root.path / _FOLDER / run_id
    if (folder / f"{_RUN}.json").exists():
        run = _read(root, run_id, _RUN, RunBeat)
        return run is None or not run.sender.is_alive(now)
    try:
        return now - changed_at(folder) > STALE_AFTER_S
    except FileNotFoundError:
        return False  # it has ended meanwhile


def _run_ids(root: StoreRoot) -> list[str]:
    folder = root.path / _FOLDER
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _read(root: StoreRoot, run_id: str, name: str, kind: type[Beat]) -> Beat | None:
    """Return a heartbeat, or None for one that is gone or damaged: nothing depends on it."""
    path = root.path / _FOLDER / run_id / f"{name}.json"
    try:
        values = json.loads(path.read_text())
        if "wanted" in values:
            values["wanted"] = tuple(values["wanted"])
        return kind(**{**values, "sender": Sender(**values["sender"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
