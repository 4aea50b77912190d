"""Writes an archive in NATS-Bench's layout, such that its own API reads it: typed values in, its dictionaries out.

Every file appears completely or not at all.
"""

import bz2
import math
import pickle
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from harness import spaces
from harness.archives.naming import META_FILE, record_file
from harness.atomic import write_data
from harness.errors import DataError
from harness.spaces.cell import format_cell

_PROTOCOL = 4
_MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrial:
    """A finished training run, to be written.

    Attributes:
        dataset: Data set that it was trained on.
        seed: Training seed.
        num_classes: Outputs of the classifier.
        parameters: Number of parameters.
        multiply_adds: Multiply-adds of one forward pass.
        train_accuracies: Accuracy in [0, 1] on the training set in each epoch; their number is that of the epochs.
        train_losses: Cross-entropy on the training set in each epoch.
        accuracies: Accuracy in [0, 1] on each evaluation set after the last epoch; ``ori-test`` is the test set.
        losses: Cross-entropy on each evaluation set after the last epoch.
        train_time_s: Training time of an epoch.
        eval_time_s: Time of an evaluation.
        latency_s: Time of a forward pass of one batch.
        weights: State dict; None writes a record without weights.
        channels: Channels of the first stage; of the topology space only.
        cells: Cells per stage; of the topology space only.

    Raises:
        ValueError: A sequence is empty or of another length, or an accuracy is not in [0, 1].
    """

    dataset: str
    seed: int
    num_classes: int
    parameters: int
    multiply_adds: int
    train_accuracies: tuple[float, ...]
    train_losses: tuple[float, ...]
    accuracies: Mapping[str, float]
    losses: Mapping[str, float]
    train_time_s: float
    eval_time_s: float
    latency_s: float
    weights: Mapping[str, Tensor] | None
    channels: int = 16
    cells: int = 5

    def __post_init__(self) -> None:
        if not self.train_accuracies or len(self.train_accuracies) != len(self.train_losses):
            raise ValueError(
                "train_accuracies, train_losses: expected one value of each per epoch, got "
                f"{len(self.train_accuracies)} and {len(self.train_losses)}"
            )
        if set(self.accuracies) != set(self.losses):
            raise ValueError(f"losses: expected those of {sorted(self.accuracies)}, got those of {sorted(self.losses)}")
        for accuracy in (*self.train_accuracies, *self.accuracies.values()):
            if not 0.0 <= accuracy <= 1.0 or math.isnan(accuracy):
                raise ValueError(f"accuracy: expected a fraction in [0, 1], got {accuracy}")

    @property
    def epochs(self) -> int:
        """Number of training epochs."""
        return len(self.train_losses)


def trial_dict(space: str, arch_str: str, trial: NewTrial) -> dict[str, Any]:
    """Return NATS-Bench's dictionary of one training run."""
    last = trial.epochs - 1
    return {
        "name": trial.dataset,
        "train_acc1es": {epoch: 100.0 * accuracy for epoch, accuracy in enumerate(trial.train_accuracies)},
        "train_acc5es": None,
        "train_losses": dict(enumerate(trial.train_losses)),
        "train_times": OrderedDict((epoch, trial.train_time_s) for epoch in range(trial.epochs)),
        "arch_config": _arch_config(space, arch_str, trial),
        "params": trial.parameters / _MILLION,
        "flop": trial.multiply_adds / _MILLION,
        "seed": f"{trial.seed:04d}",
        "epochs": trial.epochs,
        "latency": [trial.latency_s],
        "eval_names": list(trial.accuracies),
        "eval_acc1es": {f"{name}@{last}": 100.0 * accuracy for name, accuracy in trial.accuracies.items()},
        # NATS-Bench's API adds up the times of all epochs, whether evaluated or not.
        "eval_times": {f"{name}@{e}": trial.eval_time_s for name in trial.accuracies for e in range(trial.epochs)},
        "eval_losses": {f"{name}@{last}": loss for name, loss in trial.losses.items()},
        "net_state_dict": None if trial.weights is None else _state_dict(trial.weights),
    }


def record_dict(
    space: str, arch_index: int, trials: Mapping[str, Iterable[NewTrial]]
) -> OrderedDict[str, dict[str, Any]]:
    """Return NATS-Bench's dictionary of one architecture.

    Args:
        space: Name of the search space.
        arch_index: Index of the architecture.
        trials: Its training runs by budget key.

    Raises:
        IndexError: The space has no such architecture.
        ValueError: There is no such space, or two runs of a budget have the same data set and seed.
    """
    arch_str = spaces.get(space).arch_str(arch_index)
    return OrderedDict((hp, _budget_dict(space, arch_index, arch_str, list(runs))) for hp, runs in trials.items())


def write_meta(path: str | Path, space: str, *, overwrite: bool = False) -> Path:
    """Write the meta file of an archive, with the folder if there is none, and return its path.

    Args:
        path: Folder of the archive.
        space: Name of the search space.
        overwrite: Replace a file that is there.

    Raises:
        DataError: The file is there already, or cannot be written.
        ValueError: There is no such space.
    """
    enumerated = spaces.get(space)
    meta = {
        "meta_archs": list(enumerated.strings),
        "total_archs": len(enumerated),
        "arch2infos": None,
        "evaluated_indexes": set(),
    }
    return _write(Path(path) / META_FILE, meta, overwrite=overwrite)


def write_record(path: str | Path, arch_index: int, record: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write the record of an architecture, with the folder if there is none, and return its path.

    Args:
        path: Folder of the archive.
        arch_index: Index of the architecture.
        record: What :func:`record_dict` returns.
        overwrite: Replace a file that is there.

    Raises:
        DataError: The file is there already, or cannot be written.
        ValueError: The record is of another architecture.
    """
    found = {budget["arch_index"] for budget in record.values()}
    if found != {arch_index}:
        raise ValueError(f"record: expected one of architecture {arch_index}, got one of {sorted(found)}")
    return _write(Path(path) / record_file(arch_index), record, overwrite=overwrite)


def _arch_config(space: str, arch_str: str, trial: NewTrial) -> dict[str, Any]:
    if space == "tss":
        config: dict[str, Any] = {"channel": trial.channels, "num_cells": trial.cells, "arch_str": arch_str}
    else:
        config = {
            "name": "infer.shape.tiny",
            "channels": arch_str,
            "arch_str": arch_str,
            "genotype": format_cell(spaces.get(space).skeleton(arch_str).operations),
        }
    return {**config, "class_num": trial.num_classes}


def _state_dict(weights: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Return plain CPU tensors; the copy leaves behind a larger storage of which a tensor is a part."""
    return OrderedDict((name, tensor.detach().to("cpu", copy=True).contiguous()) for name, tensor in weights.items())


def _budget_dict(space: str, arch_index: int, arch_str: str, trials: list[NewTrial]) -> dict[str, Any]:
    results = {(trial.dataset, trial.seed): trial_dict(space, arch_str, trial) for trial in trials}
    if len(results) != len(trials):
        raise ValueError(f"trials: expected one run per data set and seed, got {len(trials)} for {len(results)}")
    seeds: dict[str, list[int]] = {}
    for dataset, seed in sorted(results):
        seeds.setdefault(dataset, []).append(seed)
    return {
        "arch_index": arch_index,
        "arch_str": arch_str,
        "all_results": results,
        "dataset_seed": seeds,
        "clear_net_done": all(trial.weights is None for trial in trials),
    }


def _write(path: Path, content: object, *, overwrite: bool) -> Path:
    if path.exists() and not overwrite:
        raise DataError(f"{path}: is there already; remove it or allow it to be replaced")
    write_data(path, bz2.compress(pickle.dumps(content, protocol=_PROTOCOL)))
    return path
