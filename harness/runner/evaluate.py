"""One parcel becomes rows and failures: a visit to each record, an inference per model, calibrators, measurements.

An exception while a unit is made becomes its failure, with the stage at which it stopped: this module is the worker
boundary, the only place that catches every exception. What it returns is not yet written anywhere.
"""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from harness import calibrators, datasets
from harness.archives import Archive, Record
from harness.datasets import ImageSet
from harness.errors import EvaluationError, MissingTrialError
from harness.metrics import family, measure_with_reasons, reliability_bins
from harness.runner.fingerprint import row_fingerprint
from harness.runner.inference import PRECISION, Gate, Inference, Inferred, Stage, infer_model
from harness.store.writer import unit_columns, variant_columns
from harness.values import Failure, FailureKind, ModelKey, Parcel, Variant, WantedRow, WantedUnit

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What a worker has at hand for every parcel.

    Attributes:
        archives: The archives by search space.
        inference: How networks are run.
        load: Gives a part of a data set, the same object every time.
    """

    archives: Mapping[str, Archive]
    inference: Inference
    load: Callable[[str, str], ImageSet]


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
    model: ModelKey, units: Sequence[WantedUnit], record: Record, context: Context, evaluated: Evaluated
) -> None:
    """Infer one model once and make all of its wanted units."""
    stage = Stage()
    start = time.perf_counter()
    try:
        images = context.load(model.dataset, "test")
        inferred = infer_model(model, record, images, context.inference, stage)
    except Exception as error:  # noqa: BLE001 - the worker boundary: weights that do not fit, non-finite logits
        evaluated.fail(units, stage.name, error)
        return
    for unit in units:
        try:
            rows = [unit_row(unit, row, images, inferred, stage) for row in unit.missing_rows]
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


def unit_row(unit: WantedUnit, row: WantedRow, images: ImageSet, inferred: Inferred, stage: Stage) -> Columns:
    """Return one wanted row of a unit.

    Raises:
        EvaluationError: The data here give another fingerprint than the plan.
        ValueError: A calibrator or a measurement refuses its input.
    """
    here = row_fingerprint(unit.key.protocol, images, row.variant, PRECISION)
    if here != row.fingerprint:
        raise EvaluationError(
            f"{unit.key}: planned with fingerprint {row.fingerprint}, the data on this machine give {here}; "
            "every machine of a run must read the same data files"
        )
    return {
        **unit_columns(unit.key),
        **variant_columns(row.variant),
        **measured_columns(inferred.logits, images.labels.numpy(), row.variant, unit.families, stage),
        **_gate_columns(inferred.gate),
        "weights_hash": inferred.weights_hash,
        "precision": PRECISION,
        "families": [family(name).tag for name in unit.families],
        "fingerprint": row.fingerprint,
    }


def measured_columns(
    logits: Float64[np.ndarray, "n classes"],
    labels: Int64[np.ndarray, " n"],
    variant: Variant,
    families: Sequence[str],
    stage: Stage,
) -> Columns:
    """Return what is measured of a variant: the calibrator is fitted on the fit part, everything scored on the rest."""
    stage.name = "calibration"
    part = datasets.split(variant.split, len(labels), variant.split_seed)
    fitted = calibrators.get(variant.calibrator).fit(logits[part.fit], labels[part.fit])
    probs = fitted.apply(logits[part.evaluation])
    stage.name = "measurement"
    scored = labels[part.evaluation]
    measured = measure_with_reasons(probs, scored, families)
    bins = reliability_bins(probs, scored, n_bins=15)
    return {
        **measured.values,
        "n_samples": len(scored),
        "reasons": {**measured.reasons, **fitted.reasons},
        "temperature": fitted.parameters.get("temperature"),
        "bin15_count": bins.count,
        "bin15_confidence": bins.confidence,
        "bin15_accuracy": bins.accuracy,
    }


def _gate_columns(gate: Gate) -> dict[str, float | str | None]:
    return {
        "recorded_accuracy": gate.recorded_accuracy,
        "recomputed_accuracy": gate.recomputed_accuracy,
        "recorded_loss": gate.recorded_loss,
        "recomputed_loss": gate.recomputed_loss,
        "gate": gate.verdict,
    }
