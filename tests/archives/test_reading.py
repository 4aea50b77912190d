import pickle
import shutil
from pathlib import Path

import pytest
import torch

from harness import spaces
from harness.archives import Recorded, open_archive, record_dict, source_name, write_meta, write_record
from harness.archives.audit import check_strays
from harness.errors import DataError, MissingTrialError


def test_round_trip_gives_the_same_weights_bit_by_bit(archive, state_dict):
    weights = archive.weights(12, "digits", 777, "12")
    assert list(weights) == list(state_dict)
    for name, tensor in state_dict.items():
        assert weights[name].dtype == tensor.dtype
        assert weights[name].shape == tensor.shape
        assert torch.equal(weights[name], tensor)
        assert not weights[name].requires_grad
    assert len(weights["conv.part"].untyped_storage()) == 12, "the storage of which it is a part was written as well"


def test_weights_can_be_changed_without_changing_the_record(archive):
    record = archive.record(12)
    record.weights("digits", 777, "12").clear()
    assert record.weights("digits", 777, "12")


def test_archive_says_what_it_is(whole):
    archive = open_archive(str(whole), "tss")
    assert (archive.space, archive.source, archive.held, archive.path) == ("tss", "zoo-0123abcd", (12,), whole)
    assert pickle.loads(pickle.dumps(archive)) == archive


def test_record_says_what_was_written(archive, make_trial):
    record = archive.record(12)
    new, trial = make_trial(), record.trial("digits", 777, "12")
    assert (record.arch_index, record.arch_str) == (12, spaces.get("tss").arch_str(12))
    assert list(record.info) == [("digits", 777, "12")]
    for name in ("dataset", "seed", "epochs", "num_classes", "channels", "cells", "parameters", "multiply_adds"):
        assert getattr(trial, name) == getattr(new, name)
    assert (trial.accuracies, trial.losses) == (new.accuracies, new.losses)
    assert (trial.train_accuracy, trial.train_loss, trial.has_weights) == (0.75, 0.75, True)
    assert trial.recorded == Recorded(0.625, 1.25)


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ({"ori-test": 0.5, "x-valid": 0.25, "x-test": 0.25}, 0.5),
        ({"x-valid": 0.25, "x-test": 0.75}, 0.5),
        ({"x-valid": 0.25}, None),
        ({}, None),
    ],
)
def test_recorded_is_on_the_whole_test_set_or_absent(folder, archive, make_trial, accuracies, expected):
    trial = make_trial(accuracies=accuracies, losses=accuracies)
    write_record(folder, 13, record_dict("tss", 13, {"12": [trial]}))
    assert archive.record(13).trial("digits", 777, "12").recorded == Recorded(expected, expected)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("NATS-tss-v1_0-3ffb9-full", "NATS-tss-v1_0-3ffb9-full"),
        ("NATS-sss-v1_0-50262-simple", "NATS-sss-v1_0-50262-simple"),
        ("zoo-0123abcd-sss", "zoo-0123abcd"),
        ("zoo-0123abcd", None),
        ("zoo-0123abcg-sss", None),
        ("my-NATS-tss-v1_0-3ffb9-full", None),
        ("nats", None),
    ],
)
def test_source_is_the_name_and_not_the_place(tmp_path, name, source):
    assert source_name(tmp_path / name) == source
    assert source_name(f"{tmp_path}/elsewhere/{name}/") == source


def test_source_is_seen_through_a_link(tmp_path):
    (tmp_path / "zoo-0123abcd-tss").mkdir()
    (tmp_path / "latest").symlink_to("zoo-0123abcd-tss")
    assert source_name(tmp_path / "latest") == "zoo-0123abcd"


def test_no_folder(tmp_path):
    with pytest.raises(
        DataError, match=r"nowhere: does not exist: expected a folder with meta\.pickle\.pbz2 and NNNNNN"
    ):
        open_archive(tmp_path / "nowhere")


def test_file_instead_of_folder(whole):
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: is no folder: expected a folder .* NATS-Bench"):
        open_archive(whole / "000012.pickle.pbz2")


@pytest.mark.parametrize("rights", [0o000, 0o311, 0o444])
def test_a_folder_that_this_user_may_not_list_or_enter(open_folder, empty_archives, as_nobody, rights):
    folder = shutil.copytree(empty_archives["tss"], open_folder / "archive")
    folder.chmod(rights)
    with (
        as_nobody(),
        pytest.raises(DataError, match=rf"^{folder}: cannot be read: Permission denied: .*rights r and x"),
    ):
        open_archive(folder)
    folder.chmod(0o755)


def test_folder_without_meta(tmp_path):
    with pytest.raises(DataError, match=r"has no meta\.pickle\.pbz2: expected a folder .* NATS-Bench"):
        open_archive(tmp_path)


def test_other_space_than_expected(whole):
    with pytest.raises(DataError, match="expected an archive of the sss space, this is one of tss"):
        open_archive(whole, "sss")


def test_unknown_space(whole):
    with pytest.raises(ValueError, match="expected one of tss, sss, got 'xss'"):
        open_archive(whole, "xss")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda meta: [], "expected a meta file with 'meta_archs', got a list"),
        (lambda meta: {}, "expected a meta file with a list 'meta_archs', this is none"),
        (lambda meta: {**meta, "meta_archs": "tss"}, "expected a meta file with a list 'meta_archs'"),
        (lambda meta: {**meta, "total_archs": 1}, "total_archs: expected 15625 as in meta_archs, got 1"),
        (
            lambda meta: {"meta_archs": meta["meta_archs"][:9], "total_archs": 9},
            r"expected a complete list of architectures \(15,625 of tss, 32,768 of sss\), it has 9",
        ),
        (
            lambda meta: {**meta, "meta_archs": meta["meta_archs"][::-1]},
            "architecture 0 of tss: expected .*avg_pool_3x3~0.*, got ",
        ),
        (lambda meta: {**meta, "meta_archs": [1] * 15625}, "architecture 0 of tss: expected .*, got 1"),
    ],
)
def test_meta_of_the_wrong_shape(whole, plant, record, spoil, message):
    meta = whole / "meta.pickle.pbz2"
    planted = plant(spoil(record(meta)))
    planted.replace(meta)
    with pytest.raises(DataError, match=rf"meta\.pickle\.pbz2: .*{message}"):
        open_archive(whole)


def test_record_in_the_place_of_meta(whole):
    shutil.copy(whole / "000012.pickle.pbz2", whole / "meta.pickle.pbz2")
    with pytest.raises(DataError, match=r"meta\.pickle\.pbz2: expected a meta file .*, this is a record"):
        open_archive(whole)


def test_meta_in_the_place_of_a_record(folder, archive, empty_archives):
    shutil.copy(empty_archives["tss"] / "meta.pickle.pbz2", folder / "000012.pickle.pbz2")
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: expected a record, this is the meta file"):
        archive.record(12)


def test_swapped_record(folder, archive):
    (folder / "000012.pickle.pbz2").rename(folder / "000013.pickle.pbz2")
    with pytest.raises(DataError, match=r"000013\.pickle\.pbz2: .*expected architecture 13.*it holds 12; .*swapped"):
        archive.record(13)


def test_record_of_the_other_space(folder, archive, make_trial, tmp_path):
    write_record(tmp_path, 12, record_dict("sss", 12, {"12": [make_trial()]}))
    shutil.copy(tmp_path / "000012.pickle.pbz2", folder)
    with pytest.raises(DataError, match="expected a record of the tss space, this is one of sss"):
        archive.record(12)


def test_record_beyond_the_space(whole):
    shutil.copy(whole / "000012.pickle.pbz2", whole / "015625.pickle.pbz2")
    archive = open_archive(whole)
    assert archive.held == (12,), "one stray file holds up no other"
    (finding,) = check_strays(archive)
    assert (finding.check, finding.where) == ("names", str(whole / "015625.pickle.pbz2"))
    assert "the tss space ends at 15624" in finding.message


def test_index_beyond_the_space(archive):
    with pytest.raises(IndexError, match=r"0\.\.15624, got 15625"):
        archive.record(15625)


def test_missing_record(archive):
    with pytest.raises(MissingTrialError, match=r"000014\.pickle\.pbz2: no record of architecture 14; .* 1, from 12"):
        archive.record(14)


def test_missing_record_in_an_empty_archive(empty_archives: dict[str, Path]):
    archive = open_archive(empty_archives["sss"])
    assert archive.held == ()
    with pytest.raises(MissingTrialError, match="held none"):
        archive.record(0)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("digits", 888, "12"), "no trial of digits, seed 888, hp '12': for digits, hp '12' it holds the seeds 777"),
        (("cifar10", 777, "12"), "no trial of cifar10, .*: for hp '12' it holds the data sets 'digits'"),
        (("digits", 777, "200"), "no trial of .*, hp '200': it holds the budgets '12'"),
    ],
)
def test_missing_trial(archive, wanted, message):
    with pytest.raises(MissingTrialError, match=rf"000012\.pickle\.pbz2: {message}"):
        archive.record(12).trial(*wanted)
    with pytest.raises(MissingTrialError, match=message):
        archive.weights(12, *wanted)


def test_stripped_weights(folder, archive, make_trial):
    write_record(folder, 13, record_dict("tss", 13, {"12": [make_trial(weights=None)]}))
    record = archive.record(13)
    assert not record.trial("digits", 777, "12").has_weights
    with pytest.raises(DataError, match=r"000013\.pickle\.pbz2: .* were stripped; .*'-full'"):
        record.weights("digits", 777, "12")


def test_both_spaces_open(empty_archives, tmp_path, make_trial):
    folder = shutil.copytree(empty_archives["sss"], tmp_path / "sss")
    write_record(folder, 0, record_dict("sss", 0, {"90": [make_trial()]}))
    trial = open_archive(folder).record(0).trial("digits", 777, "90")
    assert (trial.channels, trial.cells) == (None, None)
    with pytest.raises(DataError, match="is there already"):
        write_meta(folder, "sss")
