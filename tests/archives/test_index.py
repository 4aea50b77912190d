"""The index: what records hold, noticed when they change, beside the archive or in the cache."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.archives import (
    Summary,
    find_index,
    open_archive,
    read_manifest,
    record_dict,
    record_summary,
    summary,
    survey_record,
    write_index,
    write_manifest,
    write_record,
)
from harness.archives.index import COLUMNS, SCHEMA, hashes, problems, updated
from harness.errors import DataError


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def make_index(path: Path, cache: Path) -> Path:
    archive = open_archive(path)
    return write_index(
        archive, updated(SCHEMA.empty_table(), [survey_record(archive, i).table for i in archive.held]), cache
    )


@pytest.fixture
def indexed(whole, cache) -> Path:
    """An archive with record 12 and its index."""
    make_index(whole, cache)
    return whole


@pytest.mark.parametrize("space", ["tss", "sss"])
def test_real_records_are_all_there(nats, tmp_path, cache, space):
    folder = shutil.copytree(next(nats.glob(f"*-{space}-*")), tmp_path / f"{space}")
    folder.chmod(0o755)
    archive = open_archive(folder)
    path = make_index(folder, cache)
    table = pd.read_parquet(path)
    assert path == folder / "index.parquet"
    assert list(table.columns) == [column.name for column in COLUMNS]
    assert find_index(archive, cache).is_current
    for i in archive.held:
        rows = table[table["arch_index"] == i].set_index(["dataset", "seed", "hp"])
        for key, trial in archive.record(i).info.items():
            row = rows.loc[key]
            assert (row["parameters"], row["multiply_adds"]) == (trial.parameters, trial.multiply_adds)
            assert dict(row["accuracies"]) == trial.accuracies
            assert (row["recorded_accuracy"], row["recorded_loss"]) == trial.recorded
            assert not row["has_weights"]
    found = summary(find_index(archive, cache).table)
    seeds = {key: tuple(sorted(listed)) for key, listed in archive.record(0).seeds.items()}
    assert (found.seeds, found.with_weights) == (seeds, frozenset())
    assert replace(found, seeds={}) == record_summary(archive.record(0)), "one record does not tell the others' seeds"


def test_a_changed_archive_is_noticed(indexed, cache, make_trial):
    archive = open_archive(indexed)
    assert find_index(archive, cache).is_current
    write_record(indexed, 13, record_dict("tss", 13, {"12": [make_trial()]}))
    found = find_index(open_archive(indexed), cache)
    assert (found.is_current, found.is_outdated, found.n_changed) == (False, True, 1)
    assert set(hashes(found.table)) == {12}
    os.utime(indexed / "000012.pickle.pbz2", ns=(1, 1))
    assert find_index(open_archive(indexed), cache).n_changed == 2
    (indexed / "000012.pickle.pbz2").unlink()
    found = find_index(open_archive(indexed), cache)
    assert (found.n_changed, found.table.num_rows) == (2, 0)


def test_an_archive_without_an_index_has_none(whole, cache):
    found = find_index(open_archive(whole), cache)
    assert (found.is_current, found.is_outdated, found.problem) == (False, False, None)


@pytest.mark.parametrize("spoil", [lambda c: c[:-9], lambda c: b"", lambda c: c[:40] + bytes(40) + c[80:]])
def test_a_damaged_index_is_not_used(indexed, cache, spoil):
    path = indexed / "index.parquet"
    path.write_bytes(spoil(path.read_bytes()))
    found = find_index(open_archive(indexed), cache)
    assert "index.parquet: cannot be used" in (found.problem or "")
    assert found.is_outdated


def test_the_index_of_another_archive_is_not_used(indexed, cache, empty_archives, tmp_path):
    other = shutil.copytree(empty_archives["sss"], tmp_path / "other")
    shutil.copy(indexed / "index.parquet", other)
    assert "another archive" in (find_index(open_archive(other), cache).problem or "")


def test_a_read_only_archive_is_indexed_in_the_cache(whole, cache):
    whole.chmod(0o555)
    path = make_index(whole, cache)
    assert path.parent == cache
    assert not (whole / "index.parquet").exists()
    assert find_index(open_archive(whole), cache).is_current
    assert write_manifest(open_archive(whole), {"a": "0" * 64}, cache).parent == cache
    assert read_manifest(open_archive(whole), cache) == {"a": "0" * 64}
    whole.chmod(0o755)
    assert make_index(whole, cache) == whole / "index.parquet"
    assert not path.exists(), "the newer one is beside the records"


def test_a_record_that_cannot_be_read_is_a_row_with_its_problem(whole, cache):
    path = whole / "000012.pickle.pbz2"
    path.write_bytes(path.read_bytes()[:-20])
    make_index(whole, cache)
    found = find_index(open_archive(whole), cache)
    assert found.is_current, "it is not read again as long as it does not change"
    assert "truncated" in problems(found.table)[12]
    with pytest.raises(ValueError, match="no record that can be read"):
        summary(found.table)


@pytest.mark.parametrize("number", [1 << 40, 1 << 70])
def test_a_number_out_of_range_is_a_problem(folder, archive, plant, record, number):
    content = record(folder / "000012.pickle.pbz2")
    trials = content["12"]["all_results"]
    trials["digits", 777]["arch_config"]["class_num"] = number
    plant(content)
    assert "000012.pickle.pbz2" in problems(survey_record(archive, 12).table)[12]


def test_first_seeds_are_those_of_most_records(whole, cache, make_trial):
    for i, seeds in ((13, (888, 999)), (14, (999, 888)), (15, (888,))):
        write_record(whole, i, record_dict("tss", i, {"12": [make_trial(seed=seed) for seed in seeds]}))
    write_record(whole, 16, record_dict("tss", 16, {"200": [make_trial()]}))
    make_index(whole, cache)
    first_seeds = {("digits", "12"): 888, ("digits", "200"): 777}
    seeds = {("digits", "12"): (777, 888, 999), ("digits", "200"): (777,)}
    expected = Summary(first_seeds, 4, 1, frozenset(first_seeds), seeds)
    assert summary(find_index(open_archive(whole), cache).table) == expected


@pytest.mark.parametrize("line", ["x", f"{'0' * 63}  a", f"{'0' * 64} a", f"{'0' * 64}  a/b"])
def test_a_damaged_manifest_is_refused(whole, cache, line):
    (whole / "SHA256SUMS").write_text(f"{'0' * 64}  a\n{line}\n")
    with pytest.raises(DataError, match="SHA256SUMS, line 2"):
        read_manifest(open_archive(whole), cache)


def test_a_manifest_with_two_hashes_of_a_file_is_refused(whole, cache):
    lines = [f"{'0' * 64}  a", f"{'1' * 64}  b", f"{'0' * 64}  a", f"{'2' * 64}  b"]
    (whole / "SHA256SUMS").write_text("\n".join(lines[:3]))
    assert read_manifest(open_archive(whole), cache) == {"a": "0" * 64, "b": "1" * 64}, "twice the same is no harm"
    (whole / "SHA256SUMS").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"SHA256SUMS, line 4: another SHA-256 of b than before"):
        read_manifest(open_archive(whole), cache)
