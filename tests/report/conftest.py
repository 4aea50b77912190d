"""A store of made-up rows of every kind that pages show, and the pages of it that are no notebooks."""

import json

import nbformat
import numpy as np
import pytest

from harness import spaces
from harness.metrics import FAMILIES
from harness.report import Site
from harness.store import StoreRoot, open_store
from harness.store.writer import write_measurements, write_run

STUDY = FAMILIES["study"].members
TSS = [int(index) for index in spaces.get("tss").representatives()[:9]]
SSS = [0, 4681, 32767]


def rows_of(space, index, dataset="cifar10", **columns):
    """The rows before and after calibration of a network, with made numbers."""
    for calibrator in ("none", "temperature"):
        rng = np.random.default_rng([index, len(calibrator), len(dataset)])
        row = {name: float(value) for name, value in zip(STUDY, rng.uniform(0.1, 0.9, len(STUDY)), strict=True)}
        yield row | {
            "source": "zoo-1", "space": space, "arch_index": index, "dataset": dataset, "hp": "200", "seed": 777,
            "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
            "label_set": "original", "calibrator": calibrator, "precision": "float32", "gate": "pass", "test_set": "t",
            "weights_hash": f"w{index}", "families": ["study@1"], "run_id": "r", "fingerprint": calibrator,
            "recorded_accuracy": 0.5, "recomputed_accuracy": 0.5,
            "bin15_count": rng.multinomial(100, np.ones(15) / 15).tolist(),
            "bin15_confidence": ((np.arange(15) + 0.5) / 15).tolist(), "bin15_accuracy": rng.random(15).tolist(),
        } | columns  # fmt: skip


@pytest.fixture(scope="session")
def made_store(tmp_path_factory):
    """Nine topologies on two data sets, three sizes, and a network that fails the gate."""
    folder = tmp_path_factory.mktemp("made") / "store"
    root = StoreRoot.create(str(folder))
    rows = [row for index in TSS for dataset in ("cifar10", "cifar100") for row in rows_of("tss", index, dataset)]
    rows += [row for index in SSS for row in rows_of("sss", index)]
    rows += rows_of("tss", TSS[0], seed=888, gate="fail", recorded_accuracy=0.75, weights_hash="other")
    write_measurements(root, rows, "r")
    run = {
        "run_id": "r",
        "command": "run",
        "started_at": "2026-01-01T00:00:00+00:00",
        "git_commit": "abc",
        "git_dirty": True,
    }
    written = {"config": json.dumps({"a": "<b>"}), "versions": json.dumps({"torch": "2"}), "hardware": json.dumps({})}
    write_run(root, run | written)
    return open_store(str(folder))


DRAW = """
import matplotlib.pyplot as plt

figure, axes = plt.subplots()
axes.plot([1, 2])
plt.close(figure)
figure
"""


@pytest.fixture(scope="session")
def made_site(made_store, tmp_path_factory):
    """The folder of the site of that store, whose only notebook draws a line."""
    folder = tmp_path_factory.mktemp("site")
    title = nbformat.v4.new_markdown_cell("# Overview", id="title")
    line = nbformat.v4.new_code_cell(DRAW, id="a-line", metadata={"alt": "A line that rises from 1 to 2"})
    nbformat.write(nbformat.v4.new_notebook(cells=[title, line]), folder / "overview.ipynb")
    site = Site((folder / "overview.ipynb",), made_store, "clean", folder / "report")
    assert all(page.fault is None for page in site.make())
    site.write()
    return site.folder
