"""Reading ahead: the same records in the same order, never more of them than was said, and faults where they belong."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.archives import Archive, NewTrial, Record, open_archive, record_dict, write_meta, write_record
from harness.errors import DataError, MissingTrialError
from harness.runner.ahead import RecordsAhead

N = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An archive of eight records without weights."""
    path = tmp_path_factory.mktemp("ahead") / "zoo-0123abcd-sss"
    write_meta(path, "sss")
    for i in range(N):
        trial = NewTrial(
            dataset="digits", seed=777, num_classes=10, parameters=i, multiply_adds=1, train_accuracies=(0.5,),
            train_losses=(1.0,), accuracies={"ori-test": 0.1}, losses={"ori-test": 2.3}, train_time_s=1.0,
            eval_time_s=1.0, latency_s=1.0, weights=None,
        )  # fmt: skip
        write_record(path, i, record_dict("sss", i, {"12": [trial]}))
    return path


@pytest.fixture
def fetched(monkeypatch) -> list[int]:
    """The records that were fetched so far, by whichever thread."""
    seen: list[int] = []
    real = Archive.fetch

    def fetch(self: Archive, i: int) -> Callable[[], Record]:
        seen.append(int(i))
        return real(self, i)

    monkeypatch.setattr(Archive, "fetch", fetch)
    return seen


@pytest.mark.parametrize("n_ahead", [0, 1, 3, 20])
def test_every_record_comes_in_its_turn_and_none_too_early(folder, fetched, n_ahead):
    with RecordsAhead(open_archive(folder), range(N), n_ahead) as records:
        for i in range(N):
            assert records.record(i).arch_index == i
            assert len(fetched) <= i + 1 + n_ahead
    assert sorted(fetched) == list(range(N)), "each once"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


@pytest.mark.parametrize("n_ahead", [0, 2])
def test_records_that_are_not_asked_for_are_let_go(folder, n_ahead):
    with RecordsAhead(open_archive(folder), [0, 1, 2, 5, 6], n_ahead) as records:
        assert [records.record(i).arch_index for i in (1, 6, 7, 0)] == [1, 6, 7, 0]


@pytest.mark.parametrize("n_ahead", [0, 2])
def test_a_fault_is_raised_for_the_record_that_has_it(folder, tmp_path, n_ahead):
    spoilt = shutil.copytree(folder, tmp_path / folder.name)
    archive = open_archive(spoilt)
    archive.record_path(1).write_bytes(b"BZh9")
    archive.record_path(2).unlink()
    with RecordsAhead(archive, range(N), n_ahead) as records:
        assert records.record(0).arch_index == 0
        with pytest.raises(DataError, match=r"000001\.pickle\.pbz2: truncated"):
            records.record(1)
        with pytest.raises(MissingTrialError, match="no record of architecture 2"):
            records.record(2)
        assert records.record(3).arch_index == 3


def test_leaving_early_leaves_nothing_behind(folder):
    def leave() -> None:
        with RecordsAhead(open_archive(folder), range(N), 3) as records:
            records.record(0)
            raise ZeroDivisionError("as planned")

    with pytest.raises(ZeroDivisionError, match="as planned"):
        leave()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]
