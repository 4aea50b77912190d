"""Merging two stores: every file is there afterwards, contradictions are refused before anything is changed."""

import shutil

import numpy as np
import pytest

from harness.cli.main import main
from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.labels import write_labels
from harness.store.live import RunBeat, Sender, beat
from harness.store.logits_writer import LogitsWriter
from harness.store.merging import merge
from harness.store.writer import write_failures, write_measurements, write_run
from harness.values import Failure, FailureKind, ModelKey, UnitKey, Variant, WantedRow, WantedUnit


def row(index=1, **columns):
    return {
        "source": "s", "space": "tss", "arch_index": index, "dataset": "cifar10", "hp": "12", "seed": 777,
        "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": "none", "NLL": 0.5, "gate": "pass", "test_set": "t",
        "weights_hash": f"w{index}", "families": [], "fingerprint": "f" * 32, "run_id": "r",
    } | columns  # fmt: skip


@pytest.fixture
def store(tmp_path):
    def make(name, *files):
        root = StoreRoot.create(tmp_path / name)
        for rows in files:
            write_measurements(root, rows, "r")
        return root

    return make


def content(root):
    return {p.relative_to(root.path): p.read_bytes() for p in root.path.rglob("*") if p.is_file()}


def keys(root):
    found = open_store(str(root.path)).sql("SELECT arch_index, calibrator FROM all_measurements ORDER BY ALL")
    return found.fetchall()


def failure(index):
    rows = (WantedRow(Variant("random20", 42, "original", "none"), "f" * 32),)
    unit = UnitKey(ModelKey("s", "tss", index, "cifar10", "12", 777), "clean", "unshifted", 0)
    return Failure(WantedUnit(unit, rows, frozenset(), ("study",), 1), FailureKind.FAILED, "data", "E", "m", "")


def write_logits(root, measured):
    images = {
        "dataset": "cifar10", "condition": "unshifted", "severity": 0, "images_hash": "i" * 64, "test_set": "t",
        "normalisation": "[[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]]",
    }  # fmt: skip
    model = {name: measured[name] for name in ("source", "space", "arch_index", "hp", "seed", "gate", "weights_hash")}
    gate = {"recorded_accuracy": 0.5, "recomputed_accuracy": 0.5, "recorded_loss": 1.0, "recomputed_loss": 1.0}
    made = {"precision": "float32", "first_seed": 777, "run_id": "r", "device": "cpu"}
    labels = {"labels_hash": "l" * 64, "name": "cifar10/test", "labels": [0, 1], "n_classes": 2, "published": None}
    with LogitsWriter(root, "r") as writer:
        writer.add({**images, **model, **gate, **made}, np.zeros((2, 2), dtype=np.float32), "float32")
        writer.commit()
    write_labels(root, [{**images, **labels}], "r")


def test_what_one_has_and_the_other_has_not_is_copied(store):
    shared = [row(1)]
    source = store("from", shared, [row(2)], [row(1, calibrator="temperature")])
    target = store("into", shared, [row(3)])
    write_failures(source, [failure(9)], "r")
    write_run(source, {"run_id": "r", "command": "run"})
    write_logits(source, row(2))
    before, there = content(source), content(target)
    assert merge(source, target) == 6
    assert content(source) == before
    assert content(target) == there | before
    assert keys(target) == [(1, "none"), (1, "temperature"), (2, "none"), (3, "none")]
    assert open_store(str(target.path)).failures().df()["arch_index"].tolist() == [9]
    assert merge(source, target) == 0, "a second time, all is there"


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        ([row(1, temperature=1.0)], [row(1, temperature=2.0)], "duplicates: .*unequal values"),
        ([row(1, temperature=1.0)], [row(1, temperature=2.0), row(2)], "duplicates: .*unequal values"),
        ([row(1)], [row(1, weights_hash="w2", calibrator="temperature")], "weights: .*different weights"),
        (
            [row(1, own={"gap": 0.1}, families=["g@1"])],
            [row(1, own={"gap": 0.2}, families=["g@1"]), row(2)],
            "duplicates: .*family of your own",
        ),
    ],
)
def test_contradictions_are_refused_before_anything_is_changed(store, ours, theirs, message):
    source, target = store("from", theirs, [row(7)]), store("into", ours)
    before = content(target)
    with pytest.raises(StoreError, match=f"nothing was merged: {message}"):
        merge(source, target)
    assert content(target) == before


@pytest.mark.parametrize("damaged", ["from", "into"])
def test_a_damaged_store_is_not_merged(store, damaged):
    roots = {"from": store("from", [row(1)]), "into": store("into", [row(2)])}
    (path,) = roots[damaged].table_files("measurements")
    path.write_bytes(path.read_bytes()[:-9])
    before = content(roots["into"])
    with pytest.raises(StoreError, match=f"nothing was merged: bytes: {path}"):
        merge(roots["from"], roots["into"])
    assert content(roots["into"]) == before


def test_a_store_at_work_and_the_same_store_are_refused(store):
    source, target = store("from", [row(1)]), store("into")
    with pytest.raises(StoreError, match="expected two stores"):
        merge(source, source)
    beat(source, RunBeat("r1", "run", Sender("another machine", 7, 0.0, 9e9), 10))
    with pytest.raises(StoreError, match="run r1 is at work"):
        merge(source, target)
    assert keys(target) == []


def test_halves_of_a_study_become_the_whole(overrides, tmp_path, capsys):
    halves = {name: [f"results={tmp_path / name}", f"study.spaces=[{name}]"] for name in ("tss", "sss")}
    for half in halves.values():
        assert main(["run", *overrides, "limit=1", *half]) == 0
    shutil.copytree(tmp_path / "tss" / "store", tmp_path / "store")
    assert main(["store", "merge", str(tmp_path / "sss" / "store"), str(tmp_path / "new" / "store")]) == 0
    assert main(["store", "merge", str(tmp_path / "new" / "store"), str(tmp_path / "store")]) == 0
    assert main(["verify", *overrides, "limit=1", f"results={tmp_path}"]) == 0
    assert "the store is sound and complete" in capsys.readouterr().out
    assert len(open_store(str(tmp_path / "store")).sql("FROM runs").df()) == 2
    assert main(["store", "merge", str(tmp_path / "nowhere"), str(tmp_path / "store")]) == 2
    assert "no store at" in capsys.readouterr().err
