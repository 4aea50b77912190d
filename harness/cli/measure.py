"""``harness measure FILE.npz``: the measurements of your own predictions, without a store."""

import argparse
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Integer

from harness.cli.output import print_table
from harness.config import Settings
from harness.errors import DataError
from harness.metrics import MEASUREMENTS, measure_with_reasons

_EXPECTED = "expected a file of numpy.savez with probs (images, classes) and labels (images,)"

_OF_LOGITS = "; probabilities of logits are harness.metrics.softmax(logits), in float64"


def measure(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print every measurement of the predictions in a file, and return 0."""
    path = Path(arguments.file)
    probs, labels = _read(path)
    try:
        measured = measure_with_reasons(probs, labels, settings.study.families)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    units = {m.name: m.unit for m in MEASUREMENTS}
    rows = [
        (name, "" if value is None else f"{value:.6g}", units[name], measured.reasons.get(name, ""))
        for name, value in measured.values.items()
    ]
    title = f"{path}: {len(labels):,} images, {probs.shape[1]} classes"
    print_table(title, ("measurement", "value", "unit", "undefined because"), rows)
    return 0


def _read(path: Path) -> tuple[Float64[np.ndarray, "n classes"], Integer[np.ndarray, " n_labels"]]:
    """Return probabilities, as float64, and labels; pickled arrays are refused."""
    try:
        arrays = np.load(path, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: {_EXPECTED}, it is a single array")
        with arrays:
            if not {"probs", "labels"} <= set(arrays):
                hint = _OF_LOGITS if "logits" in arrays else ""
                raise DataError(f"{path}: {_EXPECTED}, it holds {', '.join(sorted(arrays)) or 'nothing'}{hint}")
            probs, labels = arrays["probs"], arrays["labels"]
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {_EXPECTED}: {error}") from error
    if probs.ndim != 2 or not np.issubdtype(probs.dtype, np.floating):
        raise DataError(f"{path}: probs: expected floats (images, classes), got {probs.dtype} of shape {probs.shape}")
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{path}: labels: expected integers (images,), got {labels.dtype} of shape {labels.shape}")
    return probs.astype(np.float64), labels
