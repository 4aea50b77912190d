"""Heartbeats and what is read from them: who is alive, how far a run is, when it will be done, how idle devices are."""

import os
import socket
import subprocess
import sys

import pytest

from harness.store import StoreRoot
from harness.store.live import (
    STALE_AFTER_S,
    RunBeat,
    Sender,
    WorkerBeat,
    beat,
    dead_runs,
    end_run,
    is_gone,
    live_runs,
    live_workers,
    remove_dead_runs,
    run_beats,
    worker_beats,
)
from harness.store.watching import watch_runs
from harness.store.writer import write_failures
from harness.values import Failure, FailureKind, ModelKey, UnitKey, Variant, WantedRow, WantedUnit

START, NOW = 1000.0, 1100.0
WANTED = {
    "space": "tss", "dataset": "digits", "protocol": "clean",
    "total": 60, "done": 20, "missing": 40, "failed": 0, "absent": 0,
}  # fmt: skip


@pytest.fixture
def root(tmp_path):
    return StoreRoot.create(tmp_path / "store")


def sender(updated_at=NOW, host="node", pid=7):
    return Sender(host, pid, START, updated_at)


def run_beat(run_id="r1", **changes):
    values = {"command": "run", "sender": sender(), "n_units": 40, "n_done": 18, "n_failed": 1, "n_absent": 1}
    return RunBeat(run_id, **{**values, **changes}, wanted=(WANTED,))


def worker_beat(worker="node-8", run_id="r1", **changes):
    values = {
        "sender": sender(pid=8), "device": "cuda", "doing": "evaluating z/tss/3", "since": 1090.0, "units_done": 10,
        "units_failed": 1, "inference_s": 75.0, "log": "/logs/r1/node-8.log",
    }  # fmt: skip
    return WorkerBeat(run_id, worker, **{**values, **changes})


def failure(kind, stage, type_, index):
    rows = (WantedRow(Variant("random20", 42, "original", "none"), "f" * 32),)
    model = ModelKey("zoo-00000000", "tss", index, "digits", "12", 777)
    unit = WantedUnit(UnitKey(model, "clean", "unshifted", 0), rows, frozenset(), ("study",), 1)
    return Failure(unit, kind, stage, type_, "why", "")


def dead_pid():
    """The id of a process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_was_said_is_read(root):
    run, worker = run_beat(), worker_beat()
    beat(root, run)
    beat(root, worker)
    assert run_beats(root) == [run]
    assert worker_beats(root, "r1") == [worker]


def test_the_state_of_a_run_by_hand(root):
    beat(root, run_beat())
    beat(root, worker_beat())
    beat(root, worker_beat("node-9", sender=sender(updated_at=1050.0), inference_s=15.0))
    write_failures(root, [failure(FailureKind.FAILED, "weights", "DataError", i) for i in (1, 2)], "r1")
    write_failures(root, [failure(FailureKind.ABSENT, "archive", "MissingTrialError", 3)], "r1")
    write_failures(root, [failure(FailureKind.FAILED, "data", "DataError", 4)], "an earlier run")
    (state,) = watch_runs(root, now=NOW + 4)
    said = state.as_json()
    assert said["state"] == "live"
    assert said["units"] == {"total": 40, "done": 18, "failed": 1, "absent": 1}
    assert said["units_per_s"] == 20 / 100
    assert said["eta_s"] == 20 / 0.2
    assert said["heartbeat_age_s"] == 4
    assert said["wanted"] == [WANTED]
    assert said["device_idle_share"] == pytest.approx(1 - (75 + 15) / (100 + 50))
    assert said["failures"] == [
        {"kind": "failed", "stage": "weights", "type": "DataError", "n_units": 2},
        {"kind": "absent", "stage": "archive", "type": "MissingTrialError", "n_units": 1},
    ]
    first, second = said["workers"]
    assert (first["worker"], first["doing"], first["doing_s"]) == ("node-8", "evaluating z/tss/3", 14)
    assert first["device_idle_share"] == 0.25
    assert second["heartbeat_age_s"] == 54


def test_before_the_first_unit_nothing_is_promised(root):
    beat(root, run_beat(n_done=0, n_failed=0, n_absent=0))
    (state,) = watch_runs(root, now=NOW)
    assert (state.units_per_s, state.eta_s, state.device_idle_share) == (None, None, None)


def test_who_was_not_heard_of_for_two_minutes_is_stale(root):
    beat(root, run_beat())
    beat(root, worker_beat())
    at_the_limit, after = NOW + STALE_AFTER_S, NOW + STALE_AFTER_S + 1
    assert [worker.worker for worker in live_workers(root, now=at_the_limit)] == ["node-8"]
    assert live_workers(root, now=after) == live_runs(root, now=after) == []
    (state,) = watch_runs(root, now=after)
    assert state.state == "stale"
    assert [worker["state"] for worker in state.as_json()["workers"]] == ["stale"]


def test_a_clock_that_runs_ahead_makes_nobody_stale(root):
    beat(root, run_beat())
    (state,) = watch_runs(root, now=START)
    assert (state.state, state.as_json()["heartbeat_age_s"]) == ("live", 0)


def test_a_killed_process_of_this_machine_is_gone_at_once(root):
    here = socket.gethostname()
    beat(root, run_beat("alive", sender=sender(host=here, pid=os.getpid())))
    beat(root, run_beat("killed", sender=sender(host=here, pid=dead_pid())))
    assert [run.run_id for run in live_runs(root, now=NOW)] == ["alive"]
    assert dead_runs(root, now=NOW) == ["killed"]
    assert remove_dead_runs(root, now=NOW) == 1
    assert [run.run_id for run in run_beats(root)] == ["alive"]


def test_a_run_that_is_about_to_say_its_first_word_is_not_dead(root):
    folder = root.path / "live" / "starting"
    folder.mkdir(parents=True)
    (folder / "run.json.0123abcd.tmp").write_text("{")
    made = folder.stat().st_mtime
    assert dead_runs(root, now=made + STALE_AFTER_S) == []
    assert remove_dead_runs(root, now=made + STALE_AFTER_S) == 0
    assert dead_runs(root, now=made + STALE_AFTER_S + 1) == ["starting"]
    assert remove_dead_runs(root, now=made + STALE_AFTER_S + 1) == 1
    assert not folder.exists()


def test_a_process_that_nobody_has_waited_for_is_gone():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays in the table of processes
        os.kill(process.pid, 0)
        assert is_gone(process.pid)
    assert not is_gone(os.getpid())
    assert not is_gone(1)


def test_a_run_that_ends_leaves_nothing_and_its_workers_fall_silent(root):
    beat(root, run_beat())
    beat(root, worker_beat())
    end_run(root, "r1")
    assert watch_runs(root, now=NOW) == []
    beat(root, worker_beat())
    assert list((root.path / "live").iterdir()) == []


@pytest.mark.parametrize("content", ["{}", "{", "[]", '{"sender": 3}', ""])
def test_a_damaged_heartbeat_is_no_heartbeat(root, content):
    beat(root, run_beat())
    for name in ("run.json", "w.json"):
        (root.path / "live" / "r1" / name).write_text(content)
    assert watch_runs(root, now=NOW) == []
    assert worker_beats(root, "r1") == []
    assert dead_runs(root, now=NOW) == ["r1"]
