"""``harness measure``: what is missing, from stored logits, without networks, data or GPU.

``harness measure FILE.npz`` prints the measurements of your own predictions, without a store.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Integer

from harness.cli.measure_stored import measure_stored
from harness.cli.output import print_table
from harness.config import Settings
from harness.errors import DataError
from harness.metrics import label_families, measure_with_reasons

_EXPECTED = "expected a file of numpy.savez with probs (images, classes) and labels (images,)"

_OF_LOGITS = "; probabilities of logits are harness.metrics.softmax(logits), in float64"


def measure(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make the missing units of which logits are stored, or print every measurement of the predictions in a file.

    Returns 0, or 1 if units of the plan have failed.
    """
    if arguments.file is not None:
        return _measure_file(Path(arguments.file), settings)
    return measure_stored(settings, ("missing", "failed") if arguments.retry else ("missing",))


def _measure_file(path: Path, settings: Settings) -> int:
    probs, labels = _read(path)
    try:
        measured = measure_with_reasons(probs, labels, settings.study.families)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    units = {m.name: m.unit for member in label_families(settings.study.families) for m in member.measurements}
    rows = [
        (name, "" if value is None else f"{value:.6g}", units[name], measured.reasons.get(name, ""))
        for name, value in measured.values.items()
    ]
    title = f"{path}: {len(labels):,} images, {probs.shape[1]} classes"
    print_table(title, ("measurement", "value", "unit", "undefined because"), rows)
    return 0


def _read(path: Path) -> tuple[Float64[np.ndarray, "n classes"], Integer[np.ndarray, " n_labels"]]:
    """Return probabilities, as float64, and labels; pickled arrays are refused."""
    if path.is_file() and not zipfile.is_zipfile(path):
        raise DataError(f"{path}: {_EXPECTED}, it is none")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not {"probs", "labels"} <= set(arrays):
                hint = _OF_LOGITS if "logits" in arrays else ""
                raise DataError(f"{path}: {_EXPECTED}, it holds {', '.join(sorted(arrays)) or 'nothing'}{hint}")
            probs, labels = arrays["probs"], arrays["labels"]
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {_EXPECTED}: {error}") from error
    if probs.ndim != 2 or not np.issubdtype(probs.dtype, np.floating):
        raise DataError(f"{path}: probs: expected floats (images, classes), got {probs.dtype} of shape {probs.shape}")
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        found = f"{labels.dtype} of shape {labels.shape}{'; save labels.astype(int)' if _are_whole(labels) else ''}"
        raise DataError(f"{path}: labels: expected integers (images,), got {found}")
    if probs.dtype == np.float16:
        raise DataError(
            f"{path}: probs: expected float32 or float64, got float16, which is too coarse for sums of 1; save them "
            "before rounding, or the softmax of the logits"
        )
    return probs.astype(np.float64), labels


def _are_whole(labels: np.ndarray) -> bool:
    return labels.ndim == 1 and np.issubdtype(labels.dtype, np.floating) and bool((labels == np.round(labels)).all())
