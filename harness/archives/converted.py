"""Converted archives: the same records without bz2 and without pickles, each a safetensors file.

The tensors of a file are named ``HP/DATASET/SEED/NAME``. Its metadata hold what the record tells of its training runs,
as JSON with a hash, and the hash of the weights of each run: safetensors itself has no checksum. ``archive.json`` says
of which space and source the archive is.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from harness import spaces
from harness.archives.fields import count, number, required
from harness.archives.hashing import require_regular, weights_hash
from harness.archives.naming import DESCRIPTION_FILE, converted_file
from harness.archives.record import Record, check_architecture
from harness.archives.trial import Trial, TrialKey
from harness.atomic import write_data, write_file
from harness.errors import DataError
from harness.pickles import mapping, shown

_FORMAT = "nas-calibration-harness archive"
_VERSION = 1
_MAX_DESCRIPTION_BYTES = 1 << 16


class Description(NamedTuple):
    """What a converted archive is.

    Attributes:
        space: Its search space.
        source: Name of the archive that was converted, under which the store keeps its rows; None if it had none.
    """

    space: str
    source: str | None


class Origin(NamedTuple):
    """The file that a record was converted from."""

    n_bytes: int
    mtime_ns: int
    sha256: str


def write_description(folder: Path, description: Description) -> None:
    """Write what a converted archive is, with its folder if there is none.

    Raises:
        DataError: It cannot be written.
    """
    content = json.dumps({"format": _FORMAT, "version": _VERSION, **description._asdict()}, indent=2)
    write_data(folder / DESCRIPTION_FILE, f"{content}\n".encode())


def read_description(folder: Path) -> Description:
    """Return what a converted archive is.

    Raises:
        FileNotFoundError: It is none.
        DataError: The file that says so is damaged or of another version.
    """
    path = folder / DESCRIPTION_FILE
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_MAX_DESCRIPTION_BYTES))
        version = required(told, "version", "content", int)
        if required(told, "format", "content", str) != _FORMAT or version != _VERSION:
            raise ValueError(f"expected version {_VERSION} of a {_FORMAT}, got {shown(version)}")
        space = spaces.get(required(told, "space", "content", str)).name
        source = None if told.get("source") is None else required(told, "source", "content", str)
        (source or "").encode()  # half a surrogate, which JSON admits, is no text that a store can hold
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: does not describe a converted archive: {error}") from error
    return Description(space, source)


def write_converted(folder: Path, record: Record, origin: Origin) -> Path:
    """Write a record as a file of a converted archive and return its path.

    Raises:
        DataError: The names of its training runs cannot be told apart.
        OSError: It cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    trials = []
    for key, trial in record.info.items():
        weights = record.weights(*key) if trial.has_weights else OrderedDict()
        for name, tensor in weights.items():
            if _tensor_name(key, name) in tensors:
                raise DataError(f"{record.path}: two tensors would be named {_tensor_name(key, name)}")
            tensors[_tensor_name(key, name)] = tensor.clone(memory_format=torch.contiguous_format)
        trials.append({**asdict(trial), "names": list(weights), "weights_sha256": weights_hash(weights)})
    seeds = [[dataset, hp, list(listed)] for (dataset, hp), listed in record.seeds.items()]
    told = {"arch_index": record.arch_index, "arch_str": record.arch_str, "origin": origin._asdict()}
    text = json.dumps({**told, "seeds": seeds, "trials": trials})
    path = folder / converted_file(record.arch_index)
    write_file(path, save(tensors, metadata={"record": text, "record_sha256": _text_hash(text)}))
    return path


def read_converted(path: Path, space: spaces.AbstractSpace, arch_index: int) -> Record:
    """Return the record in a file of a converted archive; weights are read and held against their hash when asked for.

    Args:
        path: The file.
        space: Search space of the archive.
        arch_index: Index that the file's name says.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It is damaged, something else, or of another architecture.
    """
    try:
        told = _told(path)
        check_architecture(told, "record", space, arch_index)
        seeds = {(dataset, hp): listed for dataset, hp, listed in map(_seeds, required(told, "seeds", "record", list))}
        runs = [_run(raw) for raw in required(told, "trials", "record", list)]
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    stored = {TrialKey(run.trial.dataset, run.trial.seed, run.trial.hp): run for run in runs}
    info = {key: run.trial for key, run in stored.items()}
    return Record(path, arch_index, space.arch_str(arch_index), info, seeds, _Weights(path, stored))


def read_origin(path: Path) -> Origin:
    """Return the file that a record was converted from.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It is damaged or something else.
    """
    try:
        raw = required(_told(path), "origin", "record", dict)
        sha256 = required(raw, "sha256", "origin", str)
        return Origin(required(raw, "n_bytes", "origin", int), required(raw, "mtime_ns", "origin", int), sha256)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


class _Run(NamedTuple):
    """A training run of a file, and what its weights must be."""

    trial: Trial
    names: list[str]
    sha256: str


class _Weights(NamedTuple):
    """Reads the weights of a run from its file."""

    path: Path
    runs: Mapping[TrialKey, _Run]

    def __call__(self, key: TrialKey) -> OrderedDict[str, Tensor]:
        run = self.runs[key]
        with _opened(self.path) as file:
            weights = OrderedDict((name, file.get_tensor(_tensor_name(key, name))) for name in run.names)
        if weights_hash(weights) != run.sha256:
            raise DataError(
                f"{self.path}: damaged: the weights of {key} are not those that were converted; convert it again"
            )
        return weights


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    require_regular(path)
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(f"{path}: damaged or no safetensors file: {error}; convert the record again") from error


def _told(path: Path) -> dict[str, Any]:
    """Return what a file tells of its record.

    Raises:
        ValueError: It tells nothing, or its text was changed.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
    text = metadata.get("record")
    if text is None:
        raise ValueError("expected a record of a converted archive, this is another safetensors file")
    if _text_hash(text) != metadata.get("record_sha256"):
        raise ValueError("damaged: what it tells of the record is not what was converted; convert the record again")
    try:
        return mapping(json.loads(text), "record")
    except RecursionError as error:
        raise ValueError("record: it is nested too deep") from error


def _seeds(raw: object) -> tuple[str, str, tuple[int, ...]]:
    match raw:
        case [str(dataset), str(hp), [*listed]] if listed and {type(seed) for seed in listed} == {int}:
            return dataset, hp, tuple(listed)
    raise ValueError(f"seeds: expected a data set, a budget and its seeds, got {shown(raw)}")


def _run(raw: object) -> _Run:
    fields = mapping(raw, "trials")
    dataset, hp = (required(fields, name, "trial", str) for name in ("dataset", "hp"))
    key = TrialKey(dataset, required(fields, "seed", "trial", int), hp)
    what = str(key)
    names = required(fields, "names", what, list)
    if not all(type(name) is str for name in names):
        raise ValueError(f"{what}: names: expected those of tensors")
    trial = Trial(
        dataset=dataset,
        seed=key.seed,
        hp=hp,
        epochs=count(fields, "epochs", what),
        num_classes=count(fields, "num_classes", what),
        channels=None if fields.get("channels") is None else count(fields, "channels", what),
        cells=None if fields.get("cells") is None else count(fields, "cells", what),
        parameters=required(fields, "parameters", what, int),
        multiply_adds=required(fields, "multiply_adds", what, int),
        accuracies=_numbers(fields, "accuracies", what),
        losses=_numbers(fields, "losses", what),
        train_accuracy=number(fields.get("train_accuracy"), f"{what}: train_accuracy"),
        train_loss=number(fields.get("train_loss"), f"{what}: train_loss"),
        has_weights=bool(names),
    )
    return _Run(trial, names, required(fields, "weights_sha256", what, str))


def _numbers(fields: dict[str, Any], key: str, what: str) -> dict[str, float]:
    return {name: number(value, f"{what}: {key}") for name, value in required(fields, key, what, dict).items()}


def _tensor_name(key: TrialKey, name: str) -> str:
    return f"{key.hp}/{key.dataset}/{key.seed}/{name}"


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
