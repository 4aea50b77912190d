"""Stored logits: every type comes back, damage of any kind is found, files are named by what they hold."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.audit import check_files, check_rows
from harness.store.labels import read_labels, write_labels
from harness.store.logits import fits
from harness.store.logits_reader import LogitsFile, LogitsReader
from harness.store.logits_writer import LogitsWriter
from harness.values import ModelKey

CONSTANTS = "[[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]]"
LABELS = {
    "dataset": "digits", "condition": "unshifted", "severity": 0, "test_set": "t" * 16, "images_hash": "i" * 64,
    "labels_hash": "l" * 64, "name": "digits/test", "labels": [0, 1, 2], "n_classes": 10,
    "normalisation": CONSTANTS, "published": None,
}  # fmt: skip


def columns(index=0, **changes):
    return {
        "source": "zoo-00000000", "space": "tss", "arch_index": index, "dataset": "digits", "hp": "12", "seed": 777,
        "condition": "unshifted", "severity": 0, "images_hash": "i" * 64, "normalisation": CONSTANTS,
        "precision": "float32", "recorded_accuracy": 0.5, "recomputed_accuracy": 1 / 3, "recorded_loss": None,
        "recomputed_loss": 0.2, "gate": "pass", "test_set": "t" * 16, "weights_hash": "w" * 64, "first_seed": 777,
        "run_id": "r1", "device": "cpu", **changes,
    }  # fmt: skip


def model(index=0, dataset="digits"):
    return ModelKey("zoo-00000000", "tss", index, dataset, "12", 777)


def logits(seed=0, n=50, k=10):
    return np.random.default_rng(seed).normal(size=(n, k)).astype(np.float32)


def write(root, rows, stored_as="float32", run_id="r1"):
    with LogitsWriter(root, run_id) as writer:
        for row, matrix in rows:
            writer.add(row, matrix, stored_as)
        writer.commit()
    return [path.relative_to(root.path).as_posix() for path in root.table_files("logits")]


@pytest.fixture
def root(tmp_path):
    return StoreRoot.create(tmp_path / "store")


@pytest.mark.parametrize("stored_as", ["float32", "float16"])
def test_every_type_comes_back(root, stored_as):
    written = [logits(i, n=5 + i, k=3 + i) for i in range(6)]
    names = write(root, [(columns(i), matrix) for i, matrix in enumerate(written)], stored_as)
    reader = LogitsReader(root, "float32", stored_as)
    for i, matrix in enumerate(written):
        (found,) = reader.of(model(i), "t" * 16, names)
        assert found.logits.dtype == stored_as
        assert np.array_equal(found.logits, matrix.astype(stored_as))
        assert found.columns["n_images"], found.columns["n_classes"] == matrix.shape
        assert {name: found.columns[name] for name in columns()} == columns(i)
    assert reader.of(model(7), "t" * 16, names) == []
    assert reader.of(model(0), "u" * 16, names) == [], "the gate stands on other images"
    other = "float16" if stored_as == "float32" else "float32"
    assert LogitsReader(root, "float32", other).of(model(0), "t" * 16, names) == []


def test_values_at_the_ends_come_back(root):
    matrix = np.array([[0.0, -0.0, 1e-45, 3.4e38], [65504.0, -65504.0, 1e-8, 1.0]], dtype=np.float32)
    write(root, [(columns(), matrix)])
    found = open_store(str(root.path)).logits_of(arch_index=0)
    assert found.tobytes() == matrix.tobytes()
    assert fits(matrix[1:], "float16")
    assert not fits(matrix, "float16")
    assert fits(matrix, "float32")


def test_many_row_groups_and_many_files(root, monkeypatch):
    monkeypatch.setattr("harness.store.logits_writer._GROUP_BYTES", 3 * 2000)
    monkeypatch.setattr("harness.store.logits_writer._FILE_BYTES", 6 * 2000)
    names = write(root, [(columns(i), logits(i)) for i in range(20)])
    assert len(names) == 4, "a file is committed when it is full"
    assert max(pq.ParquetFile(root.path / name).num_row_groups for name in names) == 2
    reader = LogitsReader(root, "float32", "float32")
    for i in (*range(20), 3, 17, 0):
        (found,) = reader.of(model(i), "t" * 16, names)
        assert np.array_equal(found.logits, logits(i))
    assert not [f for f in check_files(root) if f.check != "labels"]


def test_one_file_for_each_space_and_data_set_named_by_what_it_holds(root):
    rows = [(columns(0), logits(0)), (columns(1, space="sss"), logits(1)), (columns(2, dataset="cifar10"), logits(2))]
    names = write(root, rows)
    assert [name.rsplit("/", 1)[0] for name in names] == [
        "logits/space=sss/dataset=digits", "logits/space=tss/dataset=cifar10", "logits/space=tss/dataset=digits",
    ]  # fmt: skip
    assert write(root, [rows[2], rows[0], rows[1]], run_id="r2") == names, "what is there is not written again"
    assert len(write(root, rows[:1], "float16")) == 4, "another type is another inference"


def test_nothing_is_committed_when_an_exception_leaves_the_writer(root):
    def stop_in_the_middle():
        with LogitsWriter(root, "r") as writer:
            writer.add(columns(), logits(), "float32")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_in_the_middle()
    assert root.table_files("logits") == []
    assert root.leftovers() == []


def test_the_store_gives_matrices_and_lazy_relations(root):
    write(root, [(columns(i), logits(i)) for i in range(3)])
    write(root, [(columns(1), logits(1)), (columns(5), logits(5))], run_id="r2")
    store = open_store(str(root.path))
    assert sorted(store.logits().df()["arch_index"]) == [0, 1, 2, 5], "an equal duplicate is shown once"
    assert store.logits(arch_index=[0, 2]).aggregate("sum(n_images)").fetchall() == [(100,)]
    assert np.array_equal(store.logits_of(arch_index=1, condition="unshifted"), logits(1))
    with pytest.raises(StoreError, match=r"expected one stored inference, .* gives 4"):
        store.logits_of(space="tss")
    with pytest.raises(StoreError, match="gives 0"):
        store.logits_of(arch_index=9)
    with pytest.raises(StoreError, match="cannot filter by gate"):
        store.logits(gate="pass")


@pytest.mark.parametrize("folder", ["logits", "labels"])
def test_every_single_flipped_bit_is_found(root, folder):
    write(root, [(columns(i), logits(i, n=4)) for i in range(2)])
    write_labels(root, [LABELS], "r1")
    (path,) = root.table_files(folder)
    content = path.read_bytes()
    assert list(check_files(root)) == []
    rng = np.random.default_rng(0)
    for position in rng.choice(len(content), 150, replace=False):
        flipped = bytearray(content)
        flipped[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        assert [(f.check, f.where) for f in check_files(root)] == [("bytes", str(path))], position


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_truncated_file_is_named(root, keep):
    (name,) = write(root, [(columns(), logits())])
    path = root.path / name
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreError, match=rf"{path.name} is damaged: .*, or delete it and `harness retry`"):
        LogitsFile(root, name)
    assert {finding.check for finding in check_files(root)} == {"bytes"}


def test_a_missing_file_is_named(root):
    with pytest.raises(StoreError, match=r"gone.parquet is damaged: .*; bring it back"):
        LogitsReader(root, "float32", "float32").of(model(), "t" * 16, ["logits/gone.parquet"])


def test_a_changed_name_folder_or_type_is_found(root):
    (name,) = write(root, [(columns(), logits())])
    write_labels(root, [LABELS], "r1")
    path = root.path / name
    moved = path.with_name("0" * 32 + ".parquet")
    path.rename(moved)
    assert {finding.check for finding in check_files(root)} == {"name"}
    elsewhere = root.path / "logits/space=sss/dataset=digits" / path.name
    elsewhere.parent.mkdir(parents=True)
    moved.rename(elsewhere)
    assert {finding.check for finding in check_files(root)} == {"folder"}


def test_other_weights_and_missing_labels_are_found(root):
    write(root, [(columns(), logits())])
    (finding,) = check_rows(open_store(str(root.path)))
    assert finding.check == "labels"
    write_labels(root, [LABELS], "r1")
    assert list(check_rows(open_store(str(root.path)))) == []
    write(root, [(columns(weights_hash="v" * 64), logits())])
    (finding,) = check_rows(open_store(str(root.path)))
    assert (finding.check, finding.where) == ("weights", "zoo-00000000/tss/0/digits/12/777")


def test_labels_are_kept_once_and_damage_is_found(root):
    write_labels(root, [LABELS], "r1")
    write_labels(root, [LABELS], "r2")
    assert read_labels(root) == [LABELS]
    (path,) = root.table_files("labels")
    path.write_bytes(path.read_bytes()[:-5])
    assert {finding.check for finding in check_files(root)} == {"bytes"}
    with pytest.raises(StoreError, match=rf"{path.name} is damaged"):
        read_labels(root)
