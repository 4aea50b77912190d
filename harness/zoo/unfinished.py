"""Finished trainings of an architecture whose other seeds are still to be trained.

A record holds all seeds of its architecture, so each training but the last waits in a file of the folder ``unfinished``
of the archive; a zoo that was killed goes on with the next seed. They are numpy archives, not pickles.
"""

import contextlib
import json
from collections import OrderedDict
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
import torch

from harness.archives import NewTrial
from harness.atomic import write_file
from harness.errors import DataError

UNFINISHED_FOLDER = "unfinished"

_FACTS = "facts"
_WEIGHT = "weight:"


def unfinished_path(folder: Path, arch_index: int, seed: int) -> Path:
    """Return the file in which the training of a seed waits for those of the others."""
    return folder / UNFINISHED_FOLDER / f"{arch_index:06d}-{seed}.npz"


def keep_trial(folder: Path, arch_index: int, trial: NewTrial) -> None:
    """Write a finished training of an architecture.

    Args:
        folder: The archive.
        arch_index: The architecture.
        trial: The training, with its weights.

    Raises:
        DataError: It cannot be written.
    """
    path = unfinished_path(folder, arch_index, trial.seed)
    arrays: dict[str, Any] = {_FACTS: np.array(json.dumps(asdict(replace(trial, weights=None))))}
    arrays |= {f"{_WEIGHT}{name}": tensor.cpu().numpy() for name, tensor in (trial.weights or {}).items()}
    content = BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    try:
        write_file(path, content.getvalue())
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}") from error


def kept_trial(folder: Path, arch_index: int, seed: int) -> NewTrial | None:
    """Return the finished training of a seed, None if there is none.

    Raises:
        DataError: The file is damaged, or is not what its name says.
    """
    path = unfinished_path(folder, arch_index, seed)
    if not path.exists():
        return None
    try:
        if not is_zipfile(path):
            raise ValueError("it is no numpy archive")
        with np.load(path, allow_pickle=False) as arrays:
            weights = OrderedDict(
                (name.removeprefix(_WEIGHT), torch.from_numpy(arrays[name])) for name in arrays if name != _FACTS
            )
            facts: dict[str, Any] = json.loads(arrays[_FACTS].item())
        for name in ("train_accuracies", "train_losses"):
            facts[name] = tuple(facts[name])
        trial = NewTrial(**{**facts, "weights": weights})
        if trial.seed != seed:
            raise ValueError(f"it is of seed {trial.seed}")
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path}: expected a training that waits for those of other seeds ({error}); remove it, and that seed is "
            "trained again"
        ) from error
    return trial


def forget_trials(folder: Path, arch_index: int) -> None:
    """Remove the finished trainings of an architecture, which its record holds now, and the folder after the last."""
    waiting = folder / UNFINISHED_FOLDER
    for path in waiting.glob(f"{arch_index:06d}-*.npz"):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others wait in it, or there is none
        waiting.rmdir()
