"""Small archives to read, whole or spoilt, and the real ones of the test data."""

import bz2
import pickle
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.archives import Archive, NewTrial, record_dict, write_meta, write_record


@pytest.fixture(scope="session")
def nats(real_data) -> Path:
    """The folder of the real archives without weights."""
    return real_data / "nats_simple"


@pytest.fixture(scope="session")
def state_dict() -> OrderedDict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    large = torch.randn(40, generator=generator)
    return OrderedDict(
        {
            "conv.weight": torch.randn(2, 3, generator=generator),
            "conv.transposed": torch.randn(2, 3, generator=generator).t(),
            "conv.part": large[3:9:2],
            "bn.half": torch.randn(4, generator=generator).bfloat16(),
            "bn.num_batches_tracked": torch.tensor(17),
            "empty": torch.empty(0, 3),
            "parameter": torch.nn.Parameter(torch.ones(2)),
        }
    )


@pytest.fixture(scope="session")
def make_trial(state_dict) -> Callable[..., NewTrial]:
    def make(**changes: Any) -> NewTrial:
        values = {
            "dataset": "digits",
            "seed": 777,
            "num_classes": 10,
            "parameters": 1234,
            "multiply_adds": 5678,
            "train_accuracies": (0.5, 0.75),
            "train_losses": (1.5, 0.75),
            "accuracies": {"ori-test": 0.625},
            "losses": {"ori-test": 1.25},
            "train_time_s": 2.0,
            "eval_time_s": 0.5,
            "latency_s": 0.25,
            "weights": state_dict,
            "channels": 4,
            "cells": 1,
        }
        return NewTrial(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def empty_archives(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("empty")
    return {space: write_meta(root / space, space).parent for space in ("tss", "sss")}


@pytest.fixture(scope="session")
def sound_record(tmp_path_factory, make_trial) -> Path:
    """The file of record 12 of the topology space: one run on digits, seed 777, hp 12. Not to be changed."""
    return write_record(tmp_path_factory.mktemp("sound"), 12, record_dict("tss", 12, {"12": [make_trial()]}))


@pytest.fixture
def folder(sound_record, tmp_path) -> Path:
    """A folder with record 12 and no meta file, which takes the longest to read."""
    path = tmp_path / "zoo-0123abcd-tss"
    path.mkdir()
    shutil.copy(sound_record, path)
    return path


@pytest.fixture
def archive(folder) -> Archive:
    """The archive in ``folder``, as if opened."""
    return Archive(folder, "tss", "zoo-0123abcd", (12,))


@pytest.fixture
def whole(folder, empty_archives) -> Path:
    """The same folder with its meta file."""
    shutil.copy(empty_archives["tss"] / "meta.pickle.pbz2", folder)
    return folder


@pytest.fixture
def plant(folder) -> Callable[[object], Path]:
    """Put bytes, or the pickle of an object, in the place of record 12."""

    def put(content: object) -> Path:
        raw = content if isinstance(content, bytes) else pickle.dumps(content, protocol=4)
        path = folder / "000012.pickle.pbz2"
        path.write_bytes(bz2.compress(raw))
        return path

    return put


@pytest.fixture
def record() -> Callable[[Path], Any]:
    """What is in a file of our own, read without any guard."""
    return lambda path: pickle.loads(bz2.decompress(path.read_bytes()))
