"""Faults, really provoked: a driver and a worker are killed in the middle of a run, and nothing is lost or doubled."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli.interrupts import draining
from harness.cli.main import main
from harness.runner.cluster import local_ray
from harness.store import open_store
from harness.store.audit import check_files, check_rows
from harness.store.files import StoreRoot
from harness.store.live import live_runs, live_workers, run_beats

SLOW = ["study.split_seeds=[1,2,3,4,5,6,7,8,9,10,11,12]", "runner.workers=2", "runner.parcel_records=1"]
DEADLINE_S = 600


def measured(root):
    rows = open_store(str(root / "store")).measurements().df()
    key = list(rows.columns[:13])
    return rows.drop(columns=["run_id", "seconds"]).sort_values(key).reset_index(drop=True)


@pytest.fixture(scope="module")
def arguments(overrides):
    return [*(o for o in overrides if not o.startswith("runner=")), *SLOW]


@pytest.fixture(scope="module")
def undisturbed(arguments, tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed")
    assert main(["run", *arguments, "runner=local", f"results={root}"]) == 0
    return measured(root)


def start(arguments, root):
    command = [sys.executable, "-m", "harness", "run", *arguments, f"results={root}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition, process):
    """Wait until a condition holds while a process runs."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, f"the run ended too early:\n{process.stdout.read()}"
        assert time.monotonic() < end, "the run did not come so far"
        time.sleep(0.02)


def committed(root):
    return list((root / "store" / "measurements").rglob("*.parquet"))


def assert_sound(root):
    assert [f for f in check_files(StoreRoot.existing(root / "store")) if f.check != "leftovers"] == []
    assert list(check_rows(open_store(str(root / "store")))) == []


def test_a_killed_driver_loses_nothing(arguments, undisturbed, tmp_path):
    with start(arguments, tmp_path) as process:
        wait_for(lambda: committed(tmp_path), process)
        process.send_signal(signal.SIGKILL)
    done = len(measured(tmp_path))
    assert 0 < done < len(undisturbed), "killed in the middle"
    assert main(["run", *arguments, f"results={tmp_path}"]) == 0
    assert measured(tmp_path).equals(undisturbed)
    assert_sound(tmp_path)
    assert main(["verify", *arguments, f"results={tmp_path}", "--clean"]) == 0


def test_a_killed_worker_is_replaced(arguments, undisturbed, tmp_path):
    store = tmp_path / "store"
    with start(arguments, tmp_path) as process:
        wait_for(lambda: (store / "store.json").exists() and live_workers(StoreRoot.existing(store)), process)
        worker = live_workers(StoreRoot.existing(store))[0].worker
        os.kill(int(worker.rsplit("-", 1)[1]), signal.SIGKILL)
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output
    assert measured(tmp_path).equals(undisturbed)
    assert_sound(tmp_path)


def test_a_killed_driver_leaves_nothing_that_the_next_run_does_not_clear(arguments, undisturbed, tmp_path):
    store = tmp_path / "store"
    with start(arguments, tmp_path) as process:
        wait_for(lambda: (store / "store.json").exists() and live_workers(StoreRoot.existing(store)), process)
        folder = folder_of_ray(process.pid)
        process.send_signal(signal.SIGKILL)
    root = StoreRoot.existing(store)
    assert folder.exists()
    assert len(run_beats(root)) == 1
    assert live_runs(root) == [], "a driver that is gone is not at work, however young its heartbeat is"
    assert main(["run", *arguments, f"results={tmp_path}"]) == 0
    assert not (folder / "driver.lock").exists()
    assert run_beats(root) == []
    assert measured(tmp_path).equals(undisturbed)


def folder_of_ray(driver):
    """The folder that a driver has made for its Ray: the one in which it holds a lock."""
    held = [Path(os.readlink(link)) for link in Path(f"/proc/{driver}/fd").iterdir() if link.exists()]
    (lock,) = [path for path in held if path.name.startswith("driver.lock")]
    return lock.parent


def test_a_ray_at_work_is_left_alone(arguments, tmp_path):
    with start(arguments, tmp_path) as process:
        wait_for(lambda: committed(tmp_path), process)
        process.send_signal(signal.SIGSTOP)  # so that it does not end before the other has started
        with local_ray(1):
            assert folder_of_ray(process.pid).exists()
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output


def test_two_drivers_on_one_store_make_the_same(arguments, undisturbed, tmp_path):
    with start(arguments, tmp_path) as one, start(arguments, tmp_path) as other:
        outputs = [process.communicate(timeout=DEADLINE_S)[0] for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    assert measured(tmp_path).equals(undisturbed)
    assert_sound(tmp_path)
    assert main(["verify", *arguments, f"results={tmp_path}"]) == 0


def test_a_terminated_run_stops_early_and_resumes(arguments, undisturbed, tmp_path):
    with start(arguments, tmp_path) as process:
        wait_for(lambda: committed(tmp_path), process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3, output
    assert "run again to resume" in output
    assert main(["run", *arguments, "runner=local", f"results={tmp_path}"]) == 0
    assert measured(tmp_path).equals(undisturbed)


def test_an_interrupt_lets_the_parcels_in_hand_finish(arguments, undisturbed, tmp_path):
    with start([*arguments, "runner.workers=1"], tmp_path) as process:
        wait_for(lambda: committed(tmp_path), process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3, output
    assert "finishing the parcels in hand" in output
    assert "of 12 units made; run again to resume" in output
    assert main(["run", *arguments, "runner=local", f"results={tmp_path}"]) == 0
    assert measured(tmp_path).equals(undisturbed)


def test_the_second_interrupt_stops_at_once():
    with draining("parcels") as drain:
        items = drain.until_requested(range(10))
        assert next(items) == 0
        signal.raise_signal(signal.SIGINT)
        assert drain.requested
        assert list(items) == [], "nothing new is handed out"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
