"""Converted archives: the same records bit by bit, and no damage that goes unseen."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from harness import spaces
from harness.archives import (
    Description,
    Origin,
    Record,
    open_archive,
    read_origin,
    record_dict,
    weights_hash,
    write_converted,
    write_description,
    write_record,
)
from harness.archives.converted import read_converted
from harness.errors import DataError, MissingTrialError

ORIGIN = Origin(100, 200, "0" * 64)
FLIPS = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(a: Record, b: Record) -> bool:
    return (a.info, a.seeds, a.arch_str) == (b.info, b.seeds, b.arch_str) and all(
        weights_hash(a.weights(*key)) == weights_hash(b.weights(*key)) for key, t in a.info.items() if t.has_weights
    )


@pytest.fixture
def converted(archive, tmp_path) -> Path:
    """A converted archive with record 12."""
    out = tmp_path / "converted"
    write_description(out, Description("tss", "zoo-0123abcd"))
    write_converted(out, archive.record(12), ORIGIN)
    return out


def test_everything_in_a_record_is_the_same_bit_by_bit(archive, converted, state_dict):
    record, again = archive.record(12), open_archive(converted).record(12)
    assert same(record, again)
    assert list(again.info) == list(record.info)
    weights = again.weights("digits", 777, "12")
    assert list(weights) == list(state_dict), "in the same order"
    assert all(torch.equal(weights[name], state_dict[name]) for name in weights)
    assert again.first_seed("digits", "12") == 777


def test_it_says_what_it_is_whatever_its_folder_is_called(converted):
    archive = open_archive(converted, "tss")
    assert (archive.space, archive.source, archive.held) == ("tss", "zoo-0123abcd", (12,))
    with pytest.raises(DataError, match="expected an archive of the sss space"):
        open_archive(converted, "sss")


def test_what_is_absent_is_said_as_by_the_other_form(converted):
    archive = open_archive(converted)
    with pytest.raises(MissingTrialError, match=r"000013\.safetensors: no record of architecture 13"):
        archive.record(13)
    with pytest.raises(MissingTrialError, match="it holds the seeds 777"):
        archive.weights(12, "digits", 888, "12")


@pytest.mark.parametrize("space", ["tss", "sss"])
def test_real_records_tell_the_same(nats, tmp_path, space):
    archive = open_archive(next(nats.glob(f"*-{space}-*")))
    write_description(tmp_path, Description(space, archive.source))
    for i in archive.held:
        write_converted(tmp_path, archive.record(i), ORIGIN)
    again = open_archive(tmp_path)
    assert (again.held, again.source) == (archive.held, archive.source)
    for i in archive.held:
        assert same(archive.record(i), again.record(i))
        with pytest.raises(DataError, match="were stripped"):
            again.weights(i, *next(iter(again.record(i).info)))


def test_undefined_losses_survive(folder, archive, make_trial, converted):
    changed = make_trial(train_losses=(1.0, math.nan), losses={"ori-test": math.inf})
    write_record(folder, 13, record_dict("tss", 13, {"12": [changed]}))
    write_converted(converted, archive.record(13), ORIGIN)
    trial = open_archive(converted).record(13).trial("digits", 777, "12")
    assert math.isnan(trial.train_loss)
    assert trial.losses == {"ori-test": math.inf}


def test_where_it_came_from(converted):
    assert read_origin(converted / "000012.safetensors") == ORIGIN


def test_swapped_record(converted):
    (converted / "000012.safetensors").rename(converted / "000013.safetensors")
    with pytest.raises(DataError, match=r"000013\.safetensors: .*expected architecture 13.*it holds 12; .*swapped"):
        open_archive(converted).record(13)


def test_another_safetensors_file(converted):
    save_file({"a": torch.zeros(3)}, converted / "000012.safetensors")
    with pytest.raises(DataError, match=r"000012\.safetensors: .*another safetensors file"):
        open_archive(converted).record(12)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "[" * 50_000, '{"format": "x", "version": 1, "space": "tss"}', '{"version": 2}', "\udcff"],
)
def test_description_that_is_none(converted, content):
    (converted / "archive.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"archive\.json: does not describe a converted archive"):
        open_archive(converted)


def test_a_source_that_is_no_text(converted):
    path = converted / "archive.json"
    path.write_text(path.read_text().replace('"source": "', '"source": "\\ud800'))
    with pytest.raises(DataError, match="does not describe a converted archive"):
        open_archive(converted)


def test_description_of_an_unknown_space(converted):
    path = converted / "archive.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "space": "xss"}))
    with pytest.raises(DataError, match=r"archive\.json: .*xss"):
        open_archive(converted)


@FLIPS
@given(bit=st.integers(0, 1 << 20))
def test_flipped_bit_is_refused_or_without_effect(converted, tmp_path, bit):
    content = bytearray((converted / "000012.safetensors").read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path = tmp_path / "000012.safetensors"
    path.write_bytes(content)
    expected = read_converted(converted / "000012.safetensors", spaces.get("tss"), 12)
    try:
        is_same = same(read_converted(path, spaces.get("tss"), 12), expected)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - an unchanged record is an outcome as well
    else:
        assert is_same


@FLIPS
@given(length=st.integers(0, 1 << 16))
def test_truncation_is_refused(converted, tmp_path, length):
    content, path = (converted / "000012.safetensors").read_bytes(), tmp_path / "000012.safetensors"
    path.write_bytes(content[: length % len(content)])
    with pytest.raises(DataError, match=r"000012\.safetensors: "):
        read_converted(path, spaces.get("tss"), 12)


def test_meta_file_beside_it_is_not_asked(converted, empty_archives):
    shutil.copy(empty_archives["sss"] / "meta.pickle.pbz2", converted)
    assert open_archive(converted).space == "tss"
