"""One parcel becomes rows and failures: a visit to each record, each model run once on what its units show.

An exception while a unit is made becomes its failure, with the stage at which it stopped: this module is the worker
boundary, the only place that catches every exception. What it returns is not yet written anywhere.
"""

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from harness.archives import Archive, Record
from harness.datasets import UNSHIFTED, Library
from harness.errors import EvaluationError, MissingTrialError
from harness.metrics import family
from harness.runner.fingerprint import row_fingerprint
from harness.runner.inference import PRECISION, Gate, Inference, Model, Stage, start_model
from harness.runner.protocols import PROTOCOLS
from harness.runner.scoring import Columns, Scene, measured_columns
from harness.store.writer import unit_columns, variant_columns
from harness.values import Failure, FailureKind, ModelKey, Parcel, WantedRow, WantedUnit


@dataclass(frozen=True, slots=True)
class Context:
    """What a worker has at hand for every parcel.

    Attributes:
        archives: The archives by search space.
        inference: How networks are run.
        library: The data sets and conditions.
    """

    archives: Mapping[str, Archive]
    inference: Inference
    library: Library


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
        """Record that units ended with an exception."""
        self.failures += [failure_of(unit, stage, error) for unit in units]


def evaluate(parcel: Parcel, context: Context) -> Evaluated:
    """Return the rows and failures of a parcel, all of its units accounted for."""
    evaluated = Evaluated()
    archive = context.archives[parcel.space]
    for arch_index, members in groupby(parcel.units, key=lambda unit: unit.key.model.arch_index):
        units = list(members)
        try:
            record = archive.record(arch_index)
        except Exception as error:  # noqa: BLE001 - the worker boundary: a damaged record becomes failure rows
            evaluated.fail(units, "archive", error)
            continue
        for model, wanted in groupby(units, key=lambda unit: unit.key.model):
            _evaluate_model(model, list(wanted), record, context, evaluated)
    return evaluated


def _evaluate_model(
    key: ModelKey, units: Sequence[WantedUnit], record: Record, context: Context, evaluated: Evaluated
) -> None:
    """Make all wanted units of one model."""
    stage = Stage()
    start = time.perf_counter()
    try:
        test = context.library.load(key.dataset, "test")
        model = start_model(key, record, test, context.inference, stage)
    except Exception as error:  # noqa: BLE001 - the worker boundary: weights that do not fit, non-finite logits
        evaluated.fail(units, stage.name, error)
        return
    for unit in units:
        try:
            rows = _unit_rows(unit, model, record, context.library, stage)
        except Exception as error:  # noqa: BLE001 - the worker boundary: what a calibrator or measurement refuses
            evaluated.fail([unit], stage.name, error)
            continue
        now = time.perf_counter()
        share = {"device": context.inference.device, "seconds": now - start}
        start = now
        evaluated.rows += [{**row, **share} for row in rows]
        evaluated.units_done += 1


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


def _unit_rows(unit: WantedUnit, model: Model, record: Record, library: Library, stage: Stage) -> list[Columns]:
    """Return the rows that a unit lacks.

    Raises:
        MissingTrialError: The protocol takes another seed of the network.
        EvaluationError: The data here give another fingerprint than the plan, or a logit is not finite.
        ValueError: A calibrator or a measurement refuses its input.
    """
    key, protocol = unit.key, PROTOCOLS[unit.key.protocol]
    stage.name = "archive"
    first = record.first_seed(key.model.dataset, key.model.hp)
    if protocol.takes_first_seed_only and key.model.seed != first:
        raise MissingTrialError(f"{key}: protocol {protocol.name} takes the first stored seed alone, which is {first}")
    stage.name = "data"
    test = library.load(key.model.dataset, "test")
    shifted = None
    if key.condition != UNSHIFTED:
        shifted = library.shifted(key.model.dataset, key.condition, key.severity)
    return [_unit_row(unit, row, model, Scene(protocol, test, shifted), stage) for row in unit.missing_rows]


def _unit_row(unit: WantedUnit, row: WantedRow, model: Model, scene: Scene, stage: Stage) -> Columns:
    """Return one wanted row of a unit."""
    here = row_fingerprint(scene.protocol, scene.test, scene.shifted, row.variant, PRECISION)
    if here != row.fingerprint:
        raise EvaluationError(
            f"{unit.key}: planned with fingerprint {row.fingerprint}, the data on this machine give {here}; "
            "every machine of a run must read the same data files"
        )
    return {
        **unit_columns(unit.key),
        **variant_columns(row.variant),
        **measured_columns(model, scene, row.variant, unit.families, stage),
        **_gate_columns(model.gate),
        "test_set": scene.test.identity,
        "weights_hash": model.weights_hash,
        "precision": PRECISION,
        "families": [family(name).tag for name in unit.families],
        "fingerprint": row.fingerprint,
    }


def _gate_columns(gate: Gate) -> dict[str, float | str | None]:
    return {
        "recorded_accuracy": gate.recorded_accuracy,
        "recomputed_accuracy": gate.recomputed_accuracy,
        "recorded_loss": gate.recorded_loss,
        "recomputed_loss": gate.recomputed_loss,
        "gate": gate.verdict,
    }
