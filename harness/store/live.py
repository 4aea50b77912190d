"""Heartbeats of running workers: small JSON files that ``status`` reads from any shell. No result depends on them."""

import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.atomic import write_file
from harness.errors import StoreError
from harness.store.files import StoreRoot

STALE_AFTER_S = 120.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker last said of itself.

    Attributes:
        run_id: Run that it works for.
        worker: Name of the worker, unique within the run.
        units_done: Units that it committed.
        units_failed: Units that it recorded as failed.
        updated_at: Seconds since the epoch.
    """

    run_id: str
    worker: str
    units_done: int
    units_failed: int
    updated_at: float


def worker_name() -> str:
    """Return the name of this process as a worker: host and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


def beat(root: StoreRoot, heartbeat: Heartbeat) -> None:
    """Replace the heartbeat of a worker.

    Raises:
        StoreError: The store cannot be written.
    """
    path = root.path / "live" / heartbeat.run_id / f"{heartbeat.worker}.json"
    try:
        write_file(path, json.dumps(asdict(heartbeat)).encode())
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error}") from error


def live_workers(root: StoreRoot, *, now: float | None = None) -> list[Heartbeat]:
    """Return the heartbeats younger than two minutes, the youngest first."""
    limit = (time.time() if now is None else now) - STALE_AFTER_S
    beats = [_read(path) for path in (root.path / "live").rglob("*.json")]
    return sorted((b for b in beats if b is not None and b.updated_at > limit), key=lambda b: -b.updated_at)


def end_run(root: StoreRoot, run_id: str) -> None:
    """Remove the heartbeats of a run that has ended."""
    folder = root.path / "live" / run_id
    for path in folder.glob("*.json"):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _read(path: Path) -> Heartbeat | None:
    """Return a heartbeat, or None for one that is gone or damaged: nothing depends on it."""
    try:
        return Heartbeat(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
