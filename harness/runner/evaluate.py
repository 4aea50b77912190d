"""One parcel becomes rows and failures: a visit to each record, each model run once on what its units show.

An exception while a unit is made becomes its failure, with the stage at which it stopped: this module is the worker
boundary, the only place of the harness's own code that catches every exception. Only what lies beside the unit goes on
to the runner, which tries again: want of memory, and the death of another worker. What it returns is not yet written
anywhere.
"""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby

from harness.archives import Archive, Record
from harness.datasets import AbstractLibrary, ImageSet
from harness.errors import EvaluationError, MissingTrialError, WorkerLostError
from harness.metrics import family
from harness.networks import is_out_of_memory
from harness.runner.ahead import RecordsAhead
from harness.runner.inference import AbstractInference, Shown
from harness.runner.model import Model, Stage, start_model
from harness.runner.protocols import PROTOCOLS
from harness.runner.scoring import Columns, Scene, measured_columns, scene
from harness.runner.stored import gate_columns, precision_of, stored_model
from harness.store.logits import LOSSLESS
from harness.store.logits_reader import LogitsReader
from harness.store.writer import unit_columns, variant_columns
from harness.values import Failure, FailureKind, ModelKey, Parcel, WantedRow, WantedUnit


def _ignore(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Context:
    """What a worker has at hand for every parcel.

    Attributes:
        archives: The archives by search space; none where rows are made from stored logits alone.
        inference: How networks are run.
        library: The data sets and conditions.
        stored: The logits that the store has, which take the place of inferences; None to ask for none.
        note: Is told which model is evaluated from now on.
        read_ahead: Records to decompress ahead of the one that is evaluated.
    """

    archives: Mapping[str, Archive]
    inference: AbstractInference
    library: AbstractLibrary
    stored: LogitsReader | None = None
    note: Callable[[str], None] = _ignore
    read_ahead: int = 0

    @property
    def precision(self) -> str:
        """What rows made here have as their precision."""
        stored_as = LOSSLESS if self.stored is None else self.stored.stored_as
        return precision_of(self.inference.precision, stored_as)


@dataclass
class Evaluated:
    """What came of a parcel.

    Attributes:
        rows: Measurement rows, as columns of the store without the run.
        failures: The units that could not be made.
        units_done: The number of units that were.
    """

    rows: list[Columns] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    units_done: int = 0

    def fail(self, units: Sequence[WantedUnit], stage: str, error: Exception) -> None:
        """Record that units ended with an exception.

        Raises:
            MemoryError: It was for want of memory, which others may have taken.
            WorkerLostError: It was for want of another worker.
        """
        if isinstance(error, WorkerLostError):
            raise error
        if is_out_of_memory(error):
            raise MemoryError(f"{units[0].key}: out of memory at stage {stage}: {error}") from error
        self.failures += [failure_of(unit, stage, error) for unit in units]


@dataclass
class _Visit:
    """A visit to the record of an architecture, opened when the first of its models asks for it."""

    records: RecordsAhead | None
    arch_index: int
    _opened: Record | Exception | None = None

    def record(self) -> Record:
        """Return the record; one that cannot be read is not tried again for the next model."""
        if self._opened is None:
            try:
                if self.records is None:
                    raise EvaluationError("no archive is at hand, and not all logits that are needed are stored")
                self._opened = self.records.record(self.arch_index)
            except Exception as error:  # noqa: BLE001 - raised below, for every model of the record
                self._opened = error
        if isinstance(self._opened, Exception):
            raise self._opened
        return self._opened

    def forget(self) -> None:
        """Let go of the record; an exception would keep alive whoever was at work when it was raised."""
        self._opened = None


def evaluate(
    parcel: Parcel, context: Context, keep: Callable[[Model, Sequence[WantedUnit]], None] | None = None
) -> Evaluated:
    """Return the rows and failures of a parcel, all of its units accounted for.

    Args:
        parcel: The units to make.
        context: What there is to make them from.
        keep: Called with every model that could be started and its units, to keep its logits; None to keep none.

    Raises:
        StoreError: The logits cannot be kept for lack of room.
    """
    evaluated = Evaluated()
    with _reading_ahead(parcel, context) as records:
        for arch_index, members in groupby(parcel.units, key=lambda unit: unit.key.model.arch_index):
            visit = _Visit(records, arch_index)
            for key, wanted in groupby(members, key=lambda unit: unit.key.model):
                units = list(wanted)
                model = _evaluate_model(key, units, visit, context, evaluated)
                if model is not None and keep is not None:
                    keep(model, units)
            visit.forget()
    return evaluated


def _reading_ahead(parcel: Parcel, context: Context) -> AbstractContextManager[RecordsAhead | None]:
    """Return the records of a parcel, those read ahead that hold units of which no logits are stored."""
    archive = context.archives.get(parcel.space)
    if archive is None:
        return nullcontext()
    to_read = {unit.key.model.arch_index: None for unit in parcel.units if context.stored is None or not unit.logits}
    return RecordsAhead(archive, to_read, context.read_ahead)


def _evaluate_model(
    key: ModelKey, units: Sequence[WantedUnit], visit: _Visit, context: Context, evaluated: Evaluated
) -> Model | None:
    """Make all wanted units of one model and return it; None where it cannot be started."""
    context.note(f"evaluating {key}")
    stage = Stage()
    start = time.perf_counter()
    try:
        model = _start(key, units, visit, context, stage)
    except Exception as error:  # noqa: BLE001 - the worker boundary: a damaged record, weights that do not fit
        evaluated.fail(units, stage.name, error)
        return None
    for unit in units:
        try:
            rows = _unit_rows(unit, model, context, stage)
        except Exception as error:  # noqa: BLE001 - the worker boundary: what a calibrator or measurement refuses
            evaluated.fail([unit], stage.name, error)
            continue
        now = time.perf_counter()
        share = {"device": model.device, **model.how._asdict(), "seconds": now - start}
        start = now
        evaluated.rows += [{**row, **share} for row in rows]
        evaluated.units_done += 1
    return model


def _start(key: ModelKey, units: Sequence[WantedUnit], visit: _Visit, context: Context, stage: Stage) -> Model:
    """Return a model from its stored logits where these serve all of its units, else with its network at work."""
    stage.name = "data"
    test = context.library.load(key.dataset, "test")
    stage.name = "logits"
    before = None
    if context.stored is not None:
        names = {name for unit in units for name in unit.logits}
        before = stored_model(key, context.stored.of(key, test.identity, names))
    if before is not None and all(before.remembers(_needed(unit, context.library)) for unit in units):
        return before
    stage.name = "archive"
    record = visit.record()
    if not isinstance(test, ImageSet):
        raise EvaluationError(f"{key}: the images of {test.name} are not at hand, and not all logits are stored")
    return start_model(key, record, test, context.inference, stage, before)


def _scene(unit: WantedUnit, library: AbstractLibrary) -> Scene:
    key = unit.key
    return scene(library, key.protocol, key.model.dataset, key.condition, key.severity)


def _needed(unit: WantedUnit, library: AbstractLibrary) -> set[Shown]:
    """Return the inferences that the rows of a unit are computed from."""
    scene = _scene(unit, library)
    return {shown for row in unit.rows for shown in scene.inferences(row.variant.calibrator)}


def failure_of(unit: WantedUnit, stage: str, error: Exception) -> Failure:
    """Return the failure of a unit from the exception that ended it; a missing trial is an absence."""
    absent = isinstance(error, MissingTrialError)
    return Failure(
        unit=unit,
        kind=FailureKind.ABSENT if absent else FailureKind.FAILED,
        stage=stage,
        type=type(error).__name__,
        message=str(error),
        traceback="" if absent else "".join(traceback.format_exception(error)),
    )


def _unit_rows(unit: WantedUnit, model: Model, context: Context, stage: Stage) -> list[Columns]:
    """Return the rows that a unit lacks.

    Raises:
        MissingTrialError: The protocol takes another seed of the network.
        EvaluationError: The data here give another fingerprint than the plan, or a logit is not finite.
        ValueError: A calibrator or a measurement refuses its input.
    """
    key, protocol = unit.key, PROTOCOLS[unit.key.protocol]
    stage.name = "archive"
    if protocol.takes_first_seed_only and key.model.seed != model.first_seed:
        raise MissingTrialError(
            f"{key}: protocol {protocol.name} takes the first stored seed alone, which is {model.first_seed}"
        )
    stage.name = "data"
    scene = _scene(unit, context.library)
    return [_unit_row(unit, row, model, scene, context.precision, stage) for row in unit.missing_rows]


def _unit_row(unit: WantedUnit, row: WantedRow, model: Model, scene: Scene, precision: str, stage: Stage) -> Columns:
    """Return one wanted row of a unit."""
    here = scene.fingerprint(row.variant, precision)
    if here != row.fingerprint:
        raise EvaluationError(
            f"{unit.key}: planned with fingerprint {row.fingerprint}, the data on this machine give {here}; "
            "every machine of a run must read the same data files"
        )
    return {
        **unit_columns(unit.key),
        **variant_columns(row.variant),
        **measured_columns(model, scene, row.variant, unit.families, stage),
        **gate_columns(model.gate),
        "test_set": scene.test.identity,
        "weights_hash": model.weights_hash,
        "precision": precision,
        "families": [family(name).tag for name in unit.families],
        "fingerprint": row.fingerprint,
    }
