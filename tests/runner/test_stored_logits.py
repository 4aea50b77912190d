"""Rows from stored logits: to the last bit those of the networks, without archives; faults end in named failures."""

import multiprocessing
import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest

from harness.archives import open_archive
from harness.cli.main import main
from harness.datasets import DataFolder, Library
from harness.errors import DataError
from harness.metrics.resampling import HEADLINE
from harness.runner import work
from harness.runner.inference import Inference
from harness.runner.model import Stage, start_model
from harness.runner.stored import StoredLibrary, choose_library
from harness.store import StoreRoot, open_store
from harness.store.audit import check_files, check_rows
from harness.values import ModelKey
from harness.zoo import archive_folder

CONDITIONS = "study.conditions=[unshifted,ood_uniform,darker]"
FLOAT16 = "float32 stored as float16"


@pytest.fixture(scope="module")
def arguments(overrides, tmp_path_factory):
    """A study of both protocols under three conditions, one of them with labels."""
    root = tmp_path_factory.mktemp("images")
    test = Library().load("digits", "test")
    pixels = test.images.permute(0, 2, 3, 1).numpy() // 2
    np.savez(root / "darker.npz", images=pixels, labels=test.labels.numpy())
    files = f"image_files=[darker:{root}/darker.npz]"
    return [*overrides, files, CONDITIONS, "study.protocols=[clean,paper]"]


def keeping(stored_as, conditions="unshifted,ood_uniform,darker"):
    return [f"keep_logits={stored_as}", f"keep_logits_conditions=[{conditions}]"]


def without_archives(arguments, tmp_path):
    """The same overrides on a machine that has no archive."""
    kept = [argument for argument in arguments if not argument.startswith("archives.")]
    return [*kept, f"archives.tss={tmp_path}/gone", f"archives.sss={tmp_path}/gone"]


def rows(root, **filters):
    """The measurement rows in their order, without what tells runs apart."""
    found = open_store(f"{root}/store").measurements(protocol=["clean", "paper"], **filters).df()
    key = list(found.columns[:13])
    return found.drop(columns=["run_id", "seconds"]).sort_values(key).reset_index(drop=True)


def drop_rows(root):
    """Delete the measurements of a store; its logits stay."""
    for path in StoreRoot.existing(f"{root}/store").table_files("measurements"):
        path.unlink()


def assert_sound(root):
    assert list(check_files(StoreRoot.existing(f"{root}/store"))) == []
    assert list(check_rows(open_store(f"{root}/store"))) == []


@pytest.fixture(scope="module")
def direct(arguments, tmp_path_factory):
    """A run that keeps no logits."""
    root = tmp_path_factory.mktemp("direct")
    assert main(["run", *arguments, f"results={root}"]) == 0
    assert not (root / "store" / "logits").exists()
    return rows(root)


@pytest.fixture(scope="module")
def kept(arguments, tmp_path_factory):
    """A run that keeps all logits as float32, to be copied by the tests that change it."""
    root = tmp_path_factory.mktemp("kept")
    assert main(["run", *arguments, *keeping("float32"), f"results={root}"]) == 0
    return root


@pytest.fixture
def store(kept, tmp_path):
    """A copy of the results with float32 logits."""
    root = tmp_path / "results"
    for path in (kept / "store").rglob("*"):
        if path.is_file():
            copy = root / path.relative_to(kept)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return root


def test_keeping_logits_changes_no_row(direct, kept):
    assert rows(kept).equals(direct)
    assert_sound(kept)


def test_the_stored_logits_are_those_of_the_networks(kept, zoo_root, recipe):
    store = open_store(f"{kept}/store")
    assert len(store.logits().fetchall()) == 3 * len(store.models().fetchall())
    test = Library().load("digits", "test")
    archive = open_archive(archive_folder(zoo_root, recipe, "tss", Library()))
    index = archive.held[0]
    key = ModelKey("zoo", "tss", index, "digits", recipe.hp, 777)
    model = start_model(key, archive.record(index), test, Inference("cpu", 500), Stage())
    found = store.logits_of(space="tss", arch_index=index, seed=777, condition="unshifted")
    assert np.array_equal(found.astype(np.float64), model.logits(test, test.normalisation))


def test_rows_from_float32_are_the_same_to_the_last_bit_without_archives(store, arguments, direct, tmp_path, capsys):
    drop_rows(store)
    assert main(["measure", *without_archives(arguments, tmp_path), f"results={store}"]) == 0
    assert rows(store).equals(direct)
    assert_sound(store)
    assert "the archives are not at hand" in capsys.readouterr().out
    assert main(["run", *arguments, f"results={store}"]) == 0, "nothing is left to do"
    assert len(rows(store)) == len(direct)


def test_added_families_and_calibrators_are_those_of_a_direct_run(store, arguments, tmp_path):
    more = ["study.families=[study,sharpness]", "study.calibrators=[none,temperature,vector]"]
    assert main(["measure", *without_archives(arguments, tmp_path), *more, f"results={store}"]) == 0
    other = tmp_path / "other"
    assert main(["run", *arguments, *more, f"results={other}"]) == 0
    measured, wanted = rows(store), rows(other)
    assert measured.equals(wanted)
    assert "vector" in set(measured["calibrator"])
    assert_sound(store)


def test_a_run_makes_units_again_from_stored_logits(store, arguments, direct, monkeypatch):
    drop_rows(store)
    monkeypatch.setattr("harness.runner.evaluate.start_model", _refuse)
    assert main(["run", *arguments, *keeping("float32"), f"results={store}"]) == 0
    assert rows(store).equals(direct)


def _refuse(*_):
    raise AssertionError("a network was started though all logits are stored")


def test_a_run_infers_what_is_not_stored_and_keeps_it(arguments, direct, tmp_path):
    some = [*keeping("float32", "unshifted"), f"results={tmp_path}"]
    assert main(["run", *arguments, *some, "study.conditions=[unshifted]"]) == 0
    drop_rows(tmp_path)
    assert main(["run", *arguments, *keeping("float32"), f"results={tmp_path}"]) == 0
    assert rows(tmp_path).equals(direct)
    stored = open_store(f"{tmp_path}/store").sql("SELECT condition, count(*) FROM committed_logits GROUP BY ALL")
    assert len(set(dict(stored.fetchall()).values())) == 1, "nothing was kept twice"
    assert_sound(tmp_path)


def test_what_measure_cannot_serve_is_counted(arguments, tmp_path, capsys):
    some = [*keeping("float32", "unshifted"), f"results={tmp_path}"]
    assert main(["run", *arguments, *some, "limit=1", "study.conditions=[unshifted]"]) == 0
    drop_rows(tmp_path)
    capsys.readouterr()
    assert main(["measure", *arguments, "study.datasets=[digits,cifar10]", f"results={tmp_path}"]) == 0
    said = capsys.readouterr().out
    assert "not measured: no logits of networks of cifar10 are stored" in said
    assert "not measured: no logits under ood_uniform, severity 0, are stored" in said
    assert "not measured: no logits under darker, severity 0, are stored" in said
    n_models = len(open_store(f"{tmp_path}/store").models().fetchall())
    assert "units of which not all logits are stored" in said
    assert set(rows(tmp_path)["condition"]) == {"unshifted"}
    assert n_models == len(open_store(f"{tmp_path}/store").logits().fetchall())


@pytest.fixture(scope="module")
def from_float16(arguments, tmp_path_factory):
    """Rows measured from logits that were stored as float16, beside the direct ones of the same store."""
    root = tmp_path_factory.mktemp("half")
    assert main(["run", *arguments, *keeping("float16"), f"results={root}"]) == 0
    assert main(["measure", *without_archives(arguments, root), f"results={root}"]) == 0
    return root


def test_rows_from_float16_have_their_own_fingerprint(from_float16, direct):
    store = open_store(f"{from_float16}/store")
    found = store.sql(
        "SELECT precision, list(DISTINCT fingerprint) AS f, count(*) AS n FROM all_measurements GROUP BY 1"
    )
    by = {precision: (set(fingerprints), n) for precision, fingerprints, n in found.fetchall()}
    assert set(by) == {"float32", FLOAT16}
    assert by["float32"] == (set(direct["fingerprint"]), len(direct))
    assert by[FLOAT16][1] == len(direct)
    assert by["float32"][0].isdisjoint(by[FLOAT16][0])
    assert_sound(from_float16)


def images_of_another_class(stored, row):
    """How many images of a row's network and condition rounding to float16 gives to another class."""
    names = ("space", "arch_index", "dataset", "seed", "condition")
    logits = stored.logits_of(**{name: row[name] for name in names})
    return int((logits.argmax(1) != logits.astype(np.float16).argmax(1)).sum())


def test_float16_deviates_as_documented(from_float16, direct, kept):
    store, exact = open_store(f"{from_float16}/store"), open_store(f"{kept}/store")
    rough = store.sql(f"SELECT * FROM all_measurements WHERE precision = '{FLOAT16}'").df()
    key = list(rough.columns[:13])
    rough = rough.sort_values(key).reset_index(drop=True)
    # Of the published protocol the temperature is a point of a grid, and may be the next one.
    clean = (direct["protocol"] == "clean") & direct["acc"].notna()
    for name in ("Brier", "NLL"):
        gap = (rough[name] - direct[name]).abs()[clean] / direct[name][clean]
        assert gap.max() < 1e-3, name
    for (_, before), (_, after) in zip(direct[clean].iterrows(), rough[clean].iterrows(), strict=True):
        moved = abs(after["acc"] - before["acc"]) * before["n_samples"]
        assert moved < images_of_another_class(exact, before) + 1e-6, "no other image changes its class"
    assert not rough[list(HEADLINE)].equals(direct[list(HEADLINE)]), "it is not the same"
    for name in ("recorded_accuracy", "recomputed_accuracy", "recomputed_loss", "gate", "weights_hash"):
        assert rough[name].equals(direct[name]), "facts of the network, not of the storage"


def flip(path: Path) -> None:
    """Change a bit of a file in its first logits."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def test_a_flipped_bit_becomes_failure_rows_that_name_the_file(store, arguments, direct, tmp_path, capsys):
    drop_rows(store)
    path = StoreRoot.existing(f"{store}/store").table_files("logits")[0]
    flip(path)
    absent = without_archives(arguments, tmp_path)
    assert main(["measure", *absent, f"results={store}"]) == 1
    failures = open_store(f"{store}/store").failures(kind="failed").df()
    assert set(failures["stage"]) == {"logits"}
    assert failures["message"].str.contains(path.name).all()
    assert failures["message"].str.contains("delete it").all()
    assert len(rows(store)) < len(direct)
    capsys.readouterr()
    assert main(["verify", *arguments, f"results={store}"]) == 1
    assert path.name in capsys.readouterr().out
    path.unlink()
    assert main(["retry", *arguments, *keeping("float32"), f"results={store}"]) == 0
    assert rows(store).equals(direct)
    assert_sound(store)


def test_measure_can_retry(store, arguments, direct, tmp_path):
    drop_rows(store)
    path = StoreRoot.existing(f"{store}/store").table_files("logits")[0]
    whole = path.read_bytes()
    flip(path)
    absent = [*without_archives(arguments, tmp_path), f"results={store}"]
    assert main(["measure", *absent]) == 1
    path.write_bytes(whole)
    assert main(["measure", *absent]) == 1, "failed units are left alone"
    assert main(["measure", "--retry", *absent]) == 0
    assert rows(store).equals(direct)


def test_a_truncated_file_is_refused_before_anything_is_changed(store, arguments, capsys):
    drop_rows(store)
    path = StoreRoot.existing(f"{store}/store").table_files("logits")[0]
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["measure", *arguments, f"results={store}"]) == 2
    assert path.name in capsys.readouterr().err
    assert main(["verify", *arguments, f"results={store}"]) == 1
    assert path.name in capsys.readouterr().out


def _run_until_killed(arguments):
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    work.write_measurements = die
    main(["run", *arguments])


def test_a_kill_between_logits_and_rows_is_resumed(arguments, direct, tmp_path):
    every = [*arguments, *keeping("float32"), f"results={tmp_path}"]
    process = multiprocessing.get_context("spawn").Process(target=_run_until_killed, args=(every,))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    root = StoreRoot.existing(tmp_path / "store")
    assert root.table_files("measurements") == []
    (left,) = root.table_files("logits")
    before = left.read_bytes()
    assert main(["run", *every]) == 0
    assert left.read_bytes() == before
    assert rows(tmp_path).equals(direct)
    assert_sound(tmp_path)
    models = len(open_store(str(root.path)).models().fetchall())
    assert open_store(str(root.path)).sql("SELECT count(*) FROM committed_logits").fetchall() == [(3 * models,)]


def test_a_changed_record_is_not_mixed_with_logits_of_the_old_one(arguments, store, monkeypatch):
    drop_rows(store)
    monkeypatch.setattr("harness.runner.model.weights_hash", lambda _: "0" * 64)
    shifted = "study.conditions=[unshifted,ood_gaussian]"
    assert main(["run", *arguments, shifted, f"results={store}"]) == 1
    failures = open_store(f"{store}/store").failures(kind="failed").df()
    assert failures["message"].str.contains("other weights than those whose logits are stored").all()
    assert len(failures) == len(failures[["arch_index", "seed", "protocol", "condition"]].drop_duplicates()) > 0


def test_the_stored_library_gives_what_the_data_gave(kept, arguments):
    stored, test = StoredLibrary(StoreRoot.existing(f"{kept}/store")), Library().load("digits", "test")
    found = stored.load("digits", "test")
    names = ("name", "n_classes", "normalisation", "published", "images_hash", "labels_hash", "identity")
    assert [getattr(found, name) for name in names] == [getattr(test, name) for name in names]
    assert found.labels.equal(test.labels)
    shifted = Library().shifted("digits", "ood_uniform", 0)
    assert stored.shifted("digits", "ood_uniform", 0).images_hash == shifted.images_hash
    assert stored.shifted("digits", "ood_uniform", 0).labels is None
    assert stored.serves("darker", "digits")
    assert not stored.serves("ood_gaussian", "digits")
    sent = pickle.dumps(stored)  # to each worker: where things are, without what was read of them
    assert len(sent) == len(pickle.dumps(StoredLibrary(stored.root)))
    assert pickle.loads(sent).load("digits", "test").labels.equal(test.labels)
    with pytest.raises(DataError, match="ood_gaussian, severity 0, found 0"):
        stored.shifted("digits", "ood_gaussian", 0)


def test_of_several_test_sets_the_data_at_hand_tell_which_is_meant(kept, monkeypatch):
    root = StoreRoot.existing(f"{kept}/store")
    test = Library().load("digits", "test")
    both = sorted([test.identity, "0" * 16])
    monkeypatch.setattr(StoredLibrary, "test_sets", lambda *_: both)
    assert choose_library(root, ["digits"], Library(DataFolder(None, True))).chosen == {"digits": test.identity}


def test_keeping_is_a_name_and_known_conditions(capsys):
    assert main(["plan", "keep_logits=float8"]) == 2
    assert "keep_logits: unknown value 'float8'; expected among none, float32, float16" in capsys.readouterr().err
    assert main(["plan", "keep_logits_conditions=[fogg]"]) == 2
    assert "keep_logits_conditions: unknown value 'fogg'" in capsys.readouterr().err


def test_a_store_without_logits_is_refused(arguments, tmp_path, capsys):
    assert main(["run", *arguments, "limit=1", "study.conditions=[unshifted]", f"results={tmp_path}"]) == 0
    assert main(["measure", *arguments, f"results={tmp_path}"]) == 2
    assert "it has none at all" in capsys.readouterr().err
    assert main(["measure", *arguments, f"results={tmp_path}/nothing"]) == 2
    assert "no store at" in capsys.readouterr().err
