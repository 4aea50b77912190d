"""A full disk, really provoked: refused at the start, stopped in the middle, resumed when there is room."""

import contextlib
import os
import resource
import subprocess
import sys

import pytest

from harness.cli.main import main
from harness.store import StoreRoot, open_store
from harness.store.audit import check_files

STUDY = ["study.spaces=[tss]", "study.seeds=[777]", "runner.parcel_records=1"]


@pytest.fixture
def disk(tmp_path):
    """A file system of 100 KiB, on which one file of measurements has room and four have not; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here; a limited file size is tested instead")
    yield folder
    subprocess.run(["umount", folder], check=True)


def measured(root):
    rows = open_store(str(root)).measurements().df()
    return rows.sort_values(list(rows.columns[:13])).reset_index(drop=True).drop(columns=["run_id", "seconds"])


@pytest.fixture(scope="module")
def undisturbed(overrides, tmp_path_factory):
    results = tmp_path_factory.mktemp("undisturbed")
    assert main(["run", *overrides, *STUDY, f"results={results}"]) == 0
    return measured(results / "store")


def files(root):
    return {path.suffix for path in root.rglob("*") if path.is_file() and "live" not in path.parts}


@pytest.mark.parametrize("runner", ["local", "ray"])
def test_a_disk_that_fills_stops_the_run_and_room_resumes_it(overrides, disk, undisturbed, tmp_path, capsys, runner):
    arguments = [*(o for o in overrides if o != "runner=local"), f"runner={runner}", *STUDY, f"results={tmp_path}"]
    assert main(["run", *arguments, f"store={disk}/store"]) == 3
    error = capsys.readouterr().err
    assert "No space left on device; make room or give another folder" in error
    assert "resumes" in error
    assert "ray::" not in error, "what the worker said, not Ray's traceback"
    assert files(disk) <= {".json", ".parquet"}, "what did not fit is gone"
    assert list(check_files(StoreRoot.existing(disk / "store"))) == []
    assert 0 < len(measured(disk / "store")) < len(undisturbed)
    subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
    assert main(["run", *arguments, f"store={disk}/store"]) == 0
    assert measured(disk / "store").equals(undisturbed)
    assert main(["verify", *arguments, f"store={disk}/store"]) == 0


@pytest.mark.parametrize("has_store", [False, True])
def test_a_disk_that_is_full_at_the_start_is_refused(overrides, disk, tmp_path, capsys, has_store):
    if has_store:
        StoreRoot.create(disk / "store")
    with contextlib.suppress(OSError), (disk / "ballast").open("wb") as ballast:
        while True:
            os.write(ballast.fileno(), b"0" * 4096)
    before = sorted(disk.rglob("*.parquet"))
    assert main(["run", *overrides, *STUDY, f"results={tmp_path}", f"store={disk}/store"]) == 2
    assert "No space left on device; make room" in capsys.readouterr().err
    assert sorted(disk.rglob("*.parquet")) == before == []
    assert (disk / "store").exists() == has_store


def test_a_file_that_may_not_grow_stops_the_run(overrides, undisturbed, tmp_path):
    command = [sys.executable, "-m", "harness", "run", *overrides, *STUDY, f"results={tmp_path}"]
    done = subprocess.run(
        command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert "File too large; make room" in done.stderr
    assert files(tmp_path / "store") <= {".json", ".parquet"}
    assert main(["run", *overrides, *STUDY, f"results={tmp_path}"]) == 0
    assert measured(tmp_path / "store").equals(undisturbed)
