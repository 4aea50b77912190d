"""Damage by accident: a damaged file is refused by name, never read as another record and never a crash."""

import bz2
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import spaces
from harness.archives import Record
from harness.archives.record import parse_record
from harness.archives.restricted import read_pickle
from harness.errors import DataError

FLIPS = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path) -> Record:
    return parse_record(read_pickle(path), path, spaces.get("tss"), 12)


def same(a: Record, b: Record) -> bool:
    return a.info == b.info and all(
        torch.equal(tensor, b.weights(*key)[name]) for key in a.info for name, tensor in a.weights(*key).items()
    )


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


def test_every_truncation_is_refused(sound_record, tmp_path):
    content, path = sound_record.read_bytes(), tmp_path / "000012.pickle.pbz2"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: (truncated|it is empty|expected a bz2 file)"):
            read(path)


@FLIPS
@given(bit=st.integers(0, 1 << 20))
def test_flipped_bit_in_the_file_is_refused_or_without_effect(sound_record, tmp_path, bit):
    """bz2 has a checksum of the content; a few bits of its headers and code tables decide nothing."""
    path = tmp_path / "000012.pickle.pbz2"
    path.write_bytes(flipped(sound_record.read_bytes(), bit))
    try:
        record = read(path)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - a sound record is an outcome as well
    else:
        assert same(record, read(sound_record))


@FLIPS
@given(bit=st.integers(0, 1 << 20))
def test_flipped_bit_in_the_pickle_gives_a_record_or_a_refusal(sound_record, tmp_path, bit):
    path = tmp_path / "000012.pickle.pbz2"
    path.write_bytes(bz2.compress(flipped(bz2.decompress(sound_record.read_bytes()), bit)))
    try:
        record = read(path)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - a valid record is an outcome as well
    else:
        assert isinstance(record, Record)


def test_truncated_pickle_is_refused(sound_record, tmp_path):
    content, path = bz2.decompress(sound_record.read_bytes()), tmp_path / "000012.pickle.pbz2"
    for length in range(0, len(content), 7):
        path.write_bytes(bz2.compress(content[:length]))
        with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: not a sound NATS-Bench pickle"):
            read(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: b"", "it is empty; fetch the file again"),
        (lambda content: b"PK\x03\x04" + content, r"expected a bz2 file, its first bytes are b'PK"),
        (lambda content: content + b"x", "other data follow the end of the bz2 stream"),
        (lambda content: content + content, "other data follow the end of the bz2 stream"),
        (lambda content: content + bytes(1 << 20), "other data follow the end of the bz2 stream"),
        (lambda content: content[:20] + bytes(20) + content[40:], "damaged: .* in the bz2 stream"),
        (lambda content: bz2.compress(b"no pickle"), "not a sound NATS-Bench pickle"),
    ],
)
def test_spoilt_file_is_refused(folder, archive, spoil, message):
    path = folder / "000012.pickle.pbz2"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=rf"000012\.pickle\.pbz2: {message}"):
        archive.record(12)


def test_folder_in_the_place_of_a_record(folder, archive):
    (folder / "000012.pickle.pbz2").unlink()
    (folder / "000012.pickle.pbz2").mkdir()
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: cannot be read: "):
        archive.record(12)
