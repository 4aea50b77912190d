"""Finished trainings of an architecture whose other seeds are still to be trained.

A record holds all seeds of its architecture, so each training but the last waits in a file of the folder ``unfinished``
of the archive; a zoo that was killed goes on with the next seed. A file is a numpy archive, not a pickle, and the
SHA-256 of it.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Container
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.archives import NewTrial
from harness.atomic import write_data
from harness.errors import DataError

UNFINISHED_FOLDER = "unfinished"

_FACTS = "facts"
_INDEX = "arch_index"
_WEIGHT = "weight:"
_SEAL_BYTES = hashlib.sha256().digest_size


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
    facts = {_INDEX: arch_index, **asdict(replace(trial, weights=None))}
    arrays: dict[str, Any] = {_FACTS: np.array(json.dumps(facts))}
    arrays |= {f"{_WEIGHT}{name}": tensor.cpu().numpy() for name, tensor in (trial.weights or {}).items()}
    content = BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_data(path, content.getvalue() + _seal(content.getvalue()))


def kept_trial(folder: Path, arch_index: int, seed: int) -> NewTrial | None:
    """Return the finished training of a seed, None if there is none.

    Raises:
        DataError: The file is damaged, or is not what its name says.
    """
    path = unfinished_path(folder, arch_index, seed)
    try:
        content = path.read_bytes()
        sealed, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
        if _seal(sealed) != seal:
            raise ValueError("its contents are not those that were written")
        with np.load(BytesIO(sealed), allow_pickle=False) as arrays:
            weights = OrderedDict(
                (name.removeprefix(_WEIGHT), torch.from_numpy(arrays[name])) for name in arrays if name != _FACTS
            )
            facts: dict[str, Any] = json.loads(arrays[_FACTS].item())
        found = (facts.pop(_INDEX), facts["seed"])
        if found != (arch_index, seed):
            raise ValueError(f"it is of architecture {found[0]}, seed {found[1]}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: expected a training that waits for those of other seeds ({error}); remove it, and that seed is "
            "trained again"
        ) from error
    for name in ("train_accuracies", "train_losses"):
        facts[name] = tuple(facts[name])
    return NewTrial(**{**facts, "weights": weights})


def forget_trials(folder: Path, held: Container[int]) -> None:
    """Remove the finished trainings of architectures that have a record, which holds them."""
    for path in (folder / UNFINISHED_FOLDER).glob("*-*.npz"):
        index = path.name.partition("-")[0]
        if index.isdecimal() and int(index) in held:
            path.unlink(missing_ok=True)


def _seal(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
