"""The task of ``run``: a worker evaluates a parcel, commits its rows and failures, and says how far it is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch

from harness.archives import open_archive
from harness.datasets import Library
from harness.runner.evaluate import Context, evaluate
from harness.runner.inference import Inference
from harness.store.files import StoreRoot
from harness.store.live import Heartbeat, beat, worker_name
from harness.store.writer import write_failures, write_measurements
from harness.values import FailureKind, Parcel


class ParcelDone(NamedTuple):
    """What a worker reports of a parcel: numbers of units, all committed."""

    done: int
    failed: int
    absent: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EvaluateTask:
    """Evaluating parcels; see :class:`harness.runner.placement.AbstractTask`.

    Attributes:
        archives: Folder of the archive of each space.
        store: Root of the store.
        run_id: Name of the run.
        inference: How networks are run.
        library: The data sets and conditions.
        threads: Torch threads of a worker.
    """

    archives: Mapping[str, str]
    store: StoreRoot
    run_id: str
    inference: Inference
    library: Library
    threads: int

    def start(self) -> Callable[[Parcel], ParcelDone]:
        """Open the archives and return the function that evaluates and commits a parcel."""
        torch.set_num_threads(self.threads)
        context = Context(
            archives={space: open_archive(path, space) for space, path in self.archives.items()},
            inference=self.inference,
            library=self.library,
        )
        return _ParcelWorker(self, context).work


@dataclass
class _ParcelWorker:
    """A started worker and its counts."""

    task: EvaluateTask
    context: Context
    units_done: int = 0
    units_failed: int = 0

    def work(self, parcel: Parcel) -> ParcelDone:
        """Evaluate a parcel and commit what came of it."""
        start = time.perf_counter()
        evaluated = evaluate(parcel, self.context)
        rows = [{**row, "run_id": self.task.run_id} for row in evaluated.rows]
        write_measurements(self.task.store, rows, self.task.run_id)
        write_failures(self.task.store, evaluated.failures, self.task.run_id)
        failed = sum(failure.kind is FailureKind.FAILED for failure in evaluated.failures)
        self._beat(evaluated.units_done, failed)
        absent = len(evaluated.failures) - failed
        return ParcelDone(evaluated.units_done, failed, absent, time.perf_counter() - start)

    def _beat(self, done: int, failed: int) -> None:
        self.units_done += done
        self.units_failed += failed
        heartbeat = Heartbeat(self.task.run_id, worker_name(), self.units_done, self.units_failed, time.time())
        beat(self.task.store, heartbeat)
