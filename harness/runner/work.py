"""The task of ``run``: a worker evaluates a parcel, commits its rows and failures, and says how far it is."""

import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from harness.archives import open_archive
from harness.datasets import AbstractLibrary
from harness.runner.evaluate import Context, Evaluated, evaluate
from harness.runner.inference import AbstractInference, Inference
from harness.runner.memory import keep_freed_memory
from harness.runner.remote import Answer, InferenceTask, RemoteInference, Request
from harness.runner.reporting import WorkerReport
from harness.runner.stored import Keep, Keeper
from harness.store.files import StoreRoot
from harness.store.logits import LOSSLESS
from harness.store.logits_reader import LogitsReader
from harness.store.logits_writer import LogitsWriter
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
        archives: Folder of the archive of each space; none where rows are made from stored logits alone.
        store: Root of the store.
        run_id: Name of the run.
        inference: How networks are run.
        library: The data sets and conditions.
        threads: Torch threads of a worker.
        logs: Folder of the workers' logs on their machine.
        keep: Which logits to keep; None for none.
        read_ahead: Records that each worker decompresses ahead of the one that it evaluates.
        stored_as: Type of the stored logits that take the place of inferences where there are any.
    """

    archives: Mapping[str, str]
    store: StoreRoot
    run_id: str
    inference: Inference
    library: AbstractLibrary
    threads: int
    logs: Path
    keep: Keep | None = None
    read_ahead: int = 0
    stored_as: str = LOSSLESS

    def start(self) -> Callable[[Parcel], ParcelDone]:
        """Try the device, open the archives and return the function that evaluates and commits a parcel."""
        self.inference.claim_device()
        return self._start(self.inference)

    def service(self) -> InferenceTask:
        """Return the task of workers that only run networks."""
        return InferenceTask(self.inference, self.threads)

    def start_with(self, ask: Callable[[Request], Answer]) -> Callable[[Parcel], ParcelDone]:
        """Do as :meth:`start`, and have networks run by such a worker."""
        return self._start(RemoteInference(self.inference.device, self.inference.precision, ask))

    def _start(self, inference: AbstractInference) -> Callable[[Parcel], ParcelDone]:
        torch.set_num_threads(self.threads)
        keep_freed_memory()
        report = WorkerReport.start(self.store, self.run_id, inference.device, self.logs, inference.clock)
        with report.logged("starting"):
            context = Context(
                archives={space: open_archive(path, space) for space, path in self.archives.items()},
                inference=inference,
                library=self.library,
                stored=LogitsReader(self.store, inference.precision, self.stored_as),
                note=report.note,
                read_ahead=self.read_ahead,
            )
        worker = _ParcelWorker(self, context, report)
        weakref.finalize(worker, report.close)  # when the runner lets go of it: nothing else says that it is over
        return worker.work


@dataclass(eq=False)
class _ParcelWorker:
    """A started worker."""

    task: EvaluateTask
    context: Context
    report: WorkerReport

    def work(self, parcel: Parcel) -> ParcelDone:
        """Evaluate a parcel and commit what came of it."""
        start = time.perf_counter()
        units = parcel.units
        first, last = units[0].key.model, units[-1].key.model
        what = f"{parcel.space} {first.arch_index}..{last.arch_index} of {first.source}, {len(units)} units"
        with self.report.logged(what):
            evaluated = self._evaluate(parcel)
            self.report.note(f"committing {what}")
            rows = [{**row, "run_id": self.task.run_id} for row in evaluated.rows]
            write_measurements(self.task.store, rows, self.task.run_id)
            write_failures(self.task.store, evaluated.failures, self.task.run_id)
        failed = sum(failure.kind is FailureKind.FAILED for failure in evaluated.failures)
        absent = len(evaluated.failures) - failed
        done = ParcelDone(evaluated.units_done, failed, absent, time.perf_counter() - start)
        self.report.count(done.done, evaluated.failures, failed)
        self.report.logger.info(
            "%s: %d done, %d failed, %d absent in %.1f s", what, done.done, failed, absent, done.seconds
        )
        return done

    def _evaluate(self, parcel: Parcel) -> Evaluated:
        """Evaluate a parcel; the logits that are kept are committed before the rows that were measured of them."""
        task = self.task
        if task.keep is None:
            return evaluate(parcel, self.context)
        with LogitsWriter(task.store, task.run_id) as writer:
            evaluated = evaluate(parcel, self.context, Keeper(task.keep, task.library, writer))
            writer.commit()
        return evaluated
