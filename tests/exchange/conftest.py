"""Tables of the published layout, made up: numbers that say nothing, in the right columns and rows."""

import numpy as np
import pandas as pd
import pytest

from harness import spaces
from harness.cli.main import main
from harness.metrics import FAMILIES
from harness.store import StoreRoot, open_store
from harness.store.published import PUBLISHED_COLUMNS, published_names
from harness.store.writer import write_measurements

STUDY = FAMILIES["study"].members


def published_frame(space_name, indices=None, seed=0):
    """Rows of a published file, in which isomorphic topologies repeat their representative."""
    space = spaces.get(space_name)
    representatives = np.array([space.representative(i) for i in range(len(space))])
    rng = np.random.default_rng(seed)
    holds = [column.name for column in PUBLISHED_COLUMNS if space_name in column.holds]
    values = rng.uniform(0.01, 0.99, (len(space), len(holds)))[representatives]
    frame = pd.DataFrame(values, columns=holds)
    frame.insert(0, "config", range(len(space)))
    frame["arch"] = [space.strings[i] for i in representatives]
    frame = frame[published_names(space_name)]
    return frame if indices is None else frame.iloc[list(indices)].reset_index(drop=True)


def measured(index, **columns):
    """A row of measurements of our own, as a run would have written it, with made numbers."""
    row = {
        "source": "s", "space": "tss", "arch_index": index, "dataset": "cifar10", "hp": "200", "seed": 777,
        "protocol": "paper", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": "none", "gate": "pass", "test_set": "t", "weights_hash": f"w{index}",
        "families": ["study@1"], "run_id": "r", "seconds": 1.5,
    } | columns  # fmt: skip
    row["fingerprint"] = f"{row['protocol']}-{row['calibrator']}-{row['condition']}"
    if row["condition"] == "svhn":
        return row | {"ood_auroc": 0.5 + index / 100_000, "families": ["ood@1"]}
    place = f"{row['space']}-{row['dataset']}-{index}-{row['calibrator']}-{row['seed']}"
    rng = np.random.default_rng(list(place.encode()))
    return row | {name: float(value) for name, value in zip(STUDY, rng.uniform(0.1, 0.9, len(STUDY)), strict=True)}


def pre_and_post(index, **columns):
    """The rows before and after calibration of a network."""
    return [measured(index, calibrator=calibrator, **columns) for calibrator in ("none", "temperature")]


@pytest.fixture
def own(tmp_path):
    """Write rows into a store, by default that of the commands; returns its folder."""

    def make(*rows, folder="results/store"):
        root = StoreRoot.create(str(tmp_path / folder))
        write_measurements(root, list(rows), "r")
        return tmp_path / folder

    return make


@pytest.fixture(scope="session")
def tss_frame():
    """A whole file of topologies, once for all tests; none changes it."""
    return published_frame("tss")


@pytest.fixture(scope="session")
def some(tss_frame):
    """The first twelve topologies, of which 11 are not representatives or are, as they come."""
    return tss_frame.iloc[:12]


@pytest.fixture
def harness(tmp_path, capsys):
    """Run a command on a store of its own; returns exit code, standard output and standard error."""

    def call(*arguments):
        code = main([*map(str, arguments), f"results={tmp_path / 'results'}"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    call.store = lambda: open_store(str(tmp_path / "results/store"))
    call.files = lambda: sorted(path.name for path in (tmp_path / "results").rglob("*.parquet"))
    return call
