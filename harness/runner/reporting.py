"""What a driver and its workers say of themselves while they work: heartbeats in the store, a log per worker.

A thread repeats the heartbeat, so that a long parcel makes nobody look dead. A heartbeat or a log that cannot be
written stops no work: no result depends on them.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.runner.inference import Stopwatch
from harness.store.files import StoreRoot
from harness.store.live import BEAT_EVERY_S, RunBeat, Sender, WorkerBeat, beat, worker_name
from harness.values import Failure, FailureKind


class Pulse:
    """Calls a function every few seconds from a thread of its own until it is closed.

    Args:
        call: The function; it raises nothing.
        every_s: Seconds between two calls.
    """

    def __init__(self, call: Callable[[], None], every_s: float) -> None:
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._repeat, args=(call, every_s), daemon=True)
        self._thread.start()

    def _repeat(self, call: Callable[[], None], every_s: float) -> None:
        while not self._closed.wait(every_s):
            call()

    def close(self) -> None:
        """End the thread and wait for it."""
        self._closed.set()
        self._thread.join()


def this_process() -> Sender:
    """Return this process as the sender of heartbeats, started now."""
    now = time.time()
    return Sender(socket.gethostname(), os.getpid(), now, now)


@dataclass
class WorkerReport:
    """What one worker says of itself; :meth:`start` opens its log and begins its heartbeats, :meth:`close` ends both.

    Attributes:
        root: The store.
        beat: The last heartbeat; what changes replaces it.
        logger: The log of this worker.
        clock: Adds up the seconds in which its device is in inference.
    """

    root: StoreRoot
    beat: WorkerBeat
    logger: logging.Logger
    clock: Stopwatch
    _pulse: Pulse | None = None

    @classmethod
    def start(cls, root: StoreRoot, run_id: str, device: str, logs: Path, clock: Stopwatch) -> "WorkerReport":
        """Return the report of this process as a worker.

        Args:
            root: The store.
            run_id: The run.
            device: Torch device of its inference.
            logs: Folder of the logs on this machine; a folder per run is made in it.
            clock: Adds up the seconds in which the device is in inference.
        """
        name = worker_name()
        logger, log = _open_log(logs / run_id / f"{name}.log", f"{run_id}.{name}")
        sender = this_process()
        first = WorkerBeat(run_id, name, sender, device, "starting", sender.started_at, 0, 0, 0.0, log)
        report = cls(root, first, logger, clock)
        report.logger.info("worker %s of run %s starts on %s", name, run_id, device)
        report.send()
        report._pulse = Pulse(report.send, BEAT_EVERY_S)
        return report

    def note(self, doing: str) -> None:
        """Keep what the worker does from now on; the next heartbeat says it."""
        self.beat = replace(self.beat, doing=doing, since=time.time())

    def count(self, done: int, failures: Sequence[Failure], n_failed: int) -> None:
        """Add units that were committed, log each failure, and send a heartbeat."""
        for failure in failures:
            level = logging.INFO if failure.kind == FailureKind.ABSENT else logging.ERROR
            said = (failure.unit.key, failure.kind, failure.stage, failure.type, failure.message)
            trace = f"\n{failure.traceback}" if failure.traceback else ""
            self.logger.log(level, "%s is %s at stage %s: %s: %s%s", *said, trace)
        before = self.beat
        self.beat = replace(before, units_done=before.units_done + done, units_failed=before.units_failed + n_failed)
        self.note("waiting for work")
        self.send()

    @contextlib.contextmanager
    def logged(self, what: str) -> Iterator[None]:
        """Log what the body raises, which ends the run."""
        try:
            yield
        except BaseException:
            self.logger.exception("%s ended with an exception", what)
            raise

    def send(self) -> None:
        """Send a heartbeat; one that cannot be written is logged."""
        now = replace(self.beat.sender, updated_at=time.time())
        try:
            beat(self.root, replace(self.beat, sender=now, inference_s=self.clock.seconds))
        except StoreError as error:
            self.logger.warning("%s", error)

    def close(self) -> None:
        """End the heartbeats and the log."""
        if self._pulse is not None:
            self._pulse.close()
        self.logger.info("worker ends")
        for handler in list(self.logger.handlers):
            self.logger.removeHandler(handler)
            handler.close()


def _open_log(path: Path, name: str) -> tuple[logging.Logger, str | None]:
    """Return a logger that writes to a file, and the file; to standard error and None where it cannot be opened."""
    logger = logging.getLogger(f"harness.worker.{name}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    reason = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path)
    except OSError as error:
        handler, reason = logging.StreamHandler(), str(error)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    if reason is not None:
        logger.warning("no log file of this worker: %s", reason)
    return logger, str(path) if reason is None else None


@dataclass
class RunReport:
    """What a driver says of its run: counts of units as the outcomes of parcels come in."""

    root: StoreRoot
    beat: RunBeat
    _last: float = 0.0

    def count(self, *, done: int = 0, failed: int = 0, absent: int = 0) -> None:
        """Add units, and send a heartbeat if the last one is a second old."""
        before = self.beat
        self.beat = replace(
            before,
            n_done=before.n_done + done,
            n_failed=before.n_failed + failed,
            n_absent=before.n_absent + absent,
        )
        if time.monotonic() - self._last >= 1.0:
            self.send()

    def send(self) -> None:
        """Send a heartbeat; one that cannot be written is dropped, for the commits of the run will say why."""
        self._last = time.monotonic()
        with contextlib.suppress(StoreError):
            beat(self.root, replace(self.beat, sender=replace(self.beat.sender, updated_at=time.time())))


@contextlib.contextmanager
def reported_run(
    root: StoreRoot, run_id: str, command: str, n_units: int, wanted: Sequence[Mapping[str, Any]]
) -> Iterator[RunReport]:
    """Give the report of a run, whose heartbeats go on while the body runs.

    Args:
        root: The store.
        run_id: The run.
        command: ``run``, ``retry`` or ``measure``.
        n_units: Units that it is to make.
        wanted: Units of the whole study per partition, as they stand.

    Raises:
        StoreError: The store cannot be written.
    """
    first = RunBeat(run_id, command, this_process(), n_units, wanted=tuple(map(dict, wanted)))
    beat(root, first)
    report = RunReport(root, first)
    pulse = Pulse(report.send, BEAT_EVERY_S)
    try:
        yield report
    finally:
        pulse.close()
