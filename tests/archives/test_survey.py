"""Surveying real records that were damaged: each is named, none crashes, hangs, or is taken for the sound one."""

import bz2
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.archives import Archive, open_archive, survey_record
from harness.archives.index import problems

REAL = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ABOUT_THE_FILE = ["file_bytes", "file_mtime_ns", "sha256"]


@pytest.fixture(scope="module")
def real(nats, tmp_path_factory) -> Archive:
    """A copy of the size space's real archive, whose records are the smaller ones."""
    folder = tmp_path_factory.mktemp("real") / "NATS-sss-v1_0-50262-simple"
    shutil.copytree(next(nats.glob("*-sss-*")), folder)
    folder.chmod(0o755)
    return open_archive(folder)


@pytest.fixture(scope="module")
def content(real) -> bytes:
    return real.record_path(0).read_bytes()


@pytest.fixture(scope="module")
def sound(real) -> pa.Table:
    return survey_record(real, 0).table


def look(real: Archive, tmp_path: Path, content: bytes) -> pa.Table:
    """Survey record 0 with another content."""
    path = tmp_path / "000000.pickle.pbz2"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    table = survey_record(replace(real, path=tmp_path), 0).table
    for problem in problems(table).values():
        assert str(path) in problem
    return table


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


def test_the_sound_one_has_no_problem(sound, real, tmp_path, content):
    assert problems(sound) == {}
    assert look(real, tmp_path, content).drop(ABOUT_THE_FILE).equals(sound.drop(ABOUT_THE_FILE))


@REAL
@given(length=st.integers(0, 1 << 20))
def test_every_truncation_is_a_problem(real, tmp_path, content, length):
    assert problems(look(real, tmp_path, content[: length % len(content)]))


@REAL
@given(bit=st.integers(0, 1 << 24))
def test_a_flipped_bit_is_a_problem_or_has_no_effect(real, tmp_path, content, sound, bit):
    table = look(real, tmp_path, flipped(content, bit))
    assert problems(table) or table.drop(ABOUT_THE_FILE).equals(sound.drop(ABOUT_THE_FILE))


@REAL
@given(bit=st.integers(0, 1 << 24))
def test_a_flipped_bit_behind_the_checksum_is_a_problem_or_another_hash(real, tmp_path, content, sound, bit):
    """Whoever packs a changed record anew makes another file, which the manifest tells from the sound one."""
    table = look(real, tmp_path, bz2.compress(flipped(bz2.decompress(content), bit), compresslevel=1))
    assert problems(table) or table["sha256"][0] != sound["sha256"][0]


def test_a_bomb_is_a_problem(real, tmp_path):
    (tmp_path / "000000.pickle.pbz2").write_bytes(bz2.compress(bytes(1 << 22)))
    table = survey_record(replace(real, path=tmp_path, max_bytes=1 << 20), 0).table
    assert "decompresses to more than 1,048,576 bytes" in problems(table)[0]


def test_a_file_that_is_gone_is_a_problem(real, tmp_path):
    found = survey_record(replace(real, path=tmp_path), 0)
    assert found.sha256 is None
    assert "000000.pickle.pbz2" in problems(found.table)[0]


def test_a_file_with_the_hash_of_a_sound_one_is_not_opened(real, sound):
    sha256 = sound["sha256"][0].as_py()
    assert survey_record(real, 0, sha256).table is None
    assert survey_record(real, 0, "0" * 64).table is not None
