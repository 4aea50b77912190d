"""Pruning: rows of other inputs and superseded ones go, all that readers see stays, a kill in between loses nothing."""

import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from harness.cli.main import main
from harness.datasets import Library
from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.audit import check_files, check_rows, count_duplicates
from harness.store.live import RunBeat, Sender, beat
from harness.store.pruning import SUPERSEDED, UNWANTED, WANTED_BY, find_prunable, prune
from harness.store.writer import write_measurements

OLD, NEW = "0" * 32, "1" * 32


def row(index=1, **columns):
    return {
        "source": "s", "space": "tss", "arch_index": index, "dataset": "digits", "hp": "12", "seed": 777,
        "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": "none", "ECE_15": index / 7, "weights_hash": f"w{index}",
        "families": ["study@1"], "fingerprint": NEW, "run_id": "r", "reasons": [("NLL", "why")],
        "bin15_accuracy": [0.1, None], "own": [("gap", index / 3)],
    } | columns  # fmt: skip


WANTED = pa.Table.from_pylist([{name: row()[name] for name in (*WANTED_BY, "fingerprint")}])


@pytest.fixture
def store(tmp_path):
    def make(*files):
        root = StoreRoot.create(tmp_path / "store")
        for rows in files:
            write_measurements(root, rows, "r")
        return root

    return make


def committed(root):
    """All committed rows, in an order of their own."""
    found = open_store(str(root.path)).sql("SELECT * EXCLUDE (filename) FROM committed_measurements ORDER BY ALL")
    return found.to_arrow_table().to_pylist()


def seen(root):
    return open_store(str(root.path)).sql("FROM all_measurements ORDER BY ALL").to_arrow_table().to_pylist()


def reasons(files):
    return {(reason, file.count(reason)) for file in files for reason in (UNWANTED, SUPERSEDED) if file.count(reason)}


def test_rows_of_other_inputs_go_and_the_rest_of_their_file_stays(store):
    stays = [row(2, fingerprint=OLD, split_seed=7), row(3, fingerprint=OLD, condition="svhn"), row(4)]
    root = store([row(1, fingerprint=OLD), *stays], [row(1)])
    before = root.table_files("measurements")
    files = find_prunable(root, WANTED)
    assert reasons(files) == {(UNWANTED, 1)}
    assert root.table_files("measurements") == before, "finding changes nothing"
    prune(root, files)
    assert [(r["arch_index"], r["fingerprint"]) for r in committed(root)] == [(1, NEW), (2, OLD), (3, OLD), (4, NEW)]
    kept = next(r for r in committed(root) if r["arch_index"] == 4)
    assert {name: kept[name] for name in row()} == row(4), "every value as it was"
    assert list(check_files(root)) == []
    assert find_prunable(root, WANTED) == []


@pytest.mark.parametrize(
    ("families", "n_pruned"),
    [
        (["sharpness@1", "study@1"], 1),  # more families
        (["study@2"], 1),  # a higher version
        (["study@1"], 1),  # an equal duplicate
        (["sharpness@1"], 0),  # others: neither has what the other has
        (["sharpness@1", "signed@1"], 0),  # hides the row without having its values
        (["sharpness@1", "study@0"], 0),  # a lower version
    ],
)
def test_what_another_row_has_too_goes(store, families, n_pruned):
    root = store([row(1)], [row(1, families=families, run_id="r2"), row(2)])
    before = seen(root)
    files = find_prunable(root, WANTED)
    assert sum(file.count(SUPERSEDED) for file in files) == n_pruned
    prune(root, files)
    assert seen(root) == before
    assert len(committed(root)) == 3 - n_pruned


@pytest.mark.parametrize(
    "number", range(2, 8)
)  # the names of the two files, and so which is seen, are as chance has it
def test_a_kill_between_writing_and_deleting_leaves_equal_duplicates(store, number):
    root = store([row(1, fingerprint=OLD), row(number)], [row(1)])
    files = find_prunable(root, WANTED)
    old = {path: path.read_bytes() for path in root.table_files("measurements")}
    prune(root, files)
    for path, content in old.items():
        path.write_bytes(content)  # as if it had not been deleted
    assert list(check_files(root)) == []
    assert list(check_rows(open_store(str(root.path)))) == []
    assert count_duplicates(open_store(str(root.path))) == 1
    prune(root, find_prunable(root, WANTED))
    assert [r["arch_index"] for r in committed(root)] == [1, number]
    assert find_prunable(root, WANTED) == []


SCRIPT = """
import sys, pyarrow as pa
from harness.store import StoreRoot
from harness.store.pruning import find_prunable, prune
root, wanted = StoreRoot.existing(sys.argv[1]), pa.Table.from_pylist([eval(sys.argv[2])])
prune(root, find_prunable(root, wanted))
"""


def test_what_was_not_made_again_stays(store):
    old = {"fingerprint": OLD}
    root = store([row(1, **old), row(2, **old, families=["smooth@1", "study@1"]), row(3, **old)], [row(2), row(3)])
    (file,) = find_prunable(root, WANTED)
    assert file.count(UNWANTED) == len(file.dropped) == 1
    prune(root, [file])
    rows = [(r["arch_index"], r["fingerprint"]) for r in committed(root)]
    assert sorted(rows) == [(1, OLD), (2, OLD), (2, NEW), (3, NEW)]


def test_rows_of_stored_logits_of_either_type_stay(overrides, tmp_path, capsys):
    arguments = [*overrides, f"results={tmp_path}", "limit=1", "study.spaces=[tss]", "keep_logits=float16"]
    assert main(["run", *arguments]) == 0
    assert main(["measure", *arguments, "study.families=[study,smooth]"]) == 0
    capsys.readouterr()
    for families in ("[study]", "[study,smooth]"):
        assert main(["store", "prune", "--yes", *arguments, f"study.families={families}"]) == 0
        assert "nothing to prune" in capsys.readouterr().out


def test_a_prune_that_is_killed_is_pruned_again(store):
    root = store(*([row(i), row(i, calibrator="temperature"), row(i, fingerprint=OLD)] for i in range(40)))
    wanted = {name: WANTED.column(name)[0].as_py() for name in WANTED.column_names}
    before = {path.name for path in root.table_files("measurements")}
    for n_gone in (3, 20):  # killed when so many of the old files are gone
        with subprocess.Popen([sys.executable, "-c", SCRIPT, str(root.path), repr(wanted)]) as process:
            while len(before - {path.name for path in root.table_files("measurements")}) < n_gone:
                assert process.poll() is None
                time.sleep(0.005)
            process.kill()
        assert [f for f in check_files(root) if f.check != "leftovers"] == []
        assert list(check_rows(open_store(str(root.path)))) == []
        kept = [r for r in seen(root) if r["fingerprint"] == NEW]
        assert len(kept) == 80, "nothing that is wanted is ever away"
    prune(root, find_prunable(root, WANTED))
    assert [(r["arch_index"], r["calibrator"]) for r in seen(root)] == [
        (i, calibrator) for i in range(40) for calibrator in ("none", "temperature")
    ]
    assert len(committed(root)) == 80


def test_a_store_at_work_or_damaged_is_not_pruned(store):
    root = store([row(1, fingerprint=OLD)], [row(1)])
    path = root.table_files("measurements")[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(StoreError, match="nothing was pruned: bytes"):
        find_prunable(root, WANTED)
    path.write_bytes(whole)
    beat(root, RunBeat("r1", "run", Sender("another machine", 7, 0.0, 9e9), 10))
    with pytest.raises(StoreError, match="run r1 is at work"):
        find_prunable(root, WANTED)


def test_a_study_whose_images_have_changed_is_pruned(overrides, tmp_path, capsys):
    pixels = Library().load("digits", "test").images.permute(0, 2, 3, 1).numpy()
    arguments = [*overrides, f"results={tmp_path}", f"image_files=[mine:{tmp_path}/mine.npy]", "limit=1",
                 "study.spaces=[tss]", "study.seeds=[777]", "study.conditions=[unshifted,mine]"]  # fmt: skip
    for shift in (0, 1):
        np.save(tmp_path / "mine.npy", np.roll(pixels, shift, axis=0))
        assert main(["run", *arguments]) == 0
    root = StoreRoot.existing(tmp_path / "store")
    everything = root.table_files("measurements")
    capsys.readouterr()
    for options in ([], ["--dry-run"], ["--dry-run", "--yes"]):
        assert main(["store", "prune", *arguments, *options]) == 0
        out = capsys.readouterr().out
        assert "2 rows of 1 files would be removed; nothing was changed" in out
        assert root.table_files("measurements") == everything
    assert main(["store", "prune", *arguments, "--yes"]) == 0
    assert main(["verify", *arguments]) == 0
    assert len(open_store(str(root.path)).measurements().df()) == 4, "no several fingerprints any more"
    capsys.readouterr()
    assert main(["store", "prune", *arguments, "--yes"]) == 0
    assert "nothing to prune" in capsys.readouterr().out
