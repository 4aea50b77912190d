"""Watching a real run from another process: one JSON document, lines until it ends, a log of every worker."""

import io
import json
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli.main import main
from harness.cli.watch import view
from harness.datasets import Library
from harness.store import StoreRoot
from harness.store.live import RunBeat, Sender, WorkerBeat, live_workers, run_beats
from harness.store.watching import FailureCount, RunState
from harness.zoo import archive_folder

DEADLINE_S = 600
SLOW = ["study.split_seeds=[1,2,3,4,5,6,7,8,9,10,11,12]", "runner.workers=2", "runner.parcel_records=1"]


@pytest.fixture(scope="module")
def arguments(overrides):
    return [*(o for o in overrides if not o.startswith("runner=")), *SLOW]


def start(command, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *command.split(), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wait_for(condition, process):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, f"the run ended too early:\n{process.stdout.read()}"
        assert time.monotonic() < end, "the run did not come so far"
        time.sleep(0.02)


def test_a_run_is_watched_from_another_shell(arguments, tmp_path, capsys):
    store = tmp_path / "store"
    where = [f"results={tmp_path}"]
    with start("run", *arguments, *where) as run:
        wait_for(lambda: (store / "store.json").exists() and live_workers(StoreRoot.existing(store)), run)
        run.send_signal(signal.SIGSTOP)  # so that it cannot end before anyone watches
        with start("status --watch --every 0.2", *where, "data_root=/nowhere") as watching:
            assert select.select([watching.stdout], [], [], DEADLINE_S)[0], "nothing was printed"
            run.send_signal(signal.SIGCONT)
            assert main(["status", "--json", *where]) == 0
            document = json.loads(capsys.readouterr().out)
            output, _ = watching.communicate(timeout=DEADLINE_S)
        run_output, _ = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 0, run_output
    assert watching.returncode == 0, output

    (state,) = document["runs"]
    assert state["state"] == "live"
    assert state["pid"] == run.pid
    assert state["units"]["total"] == 12 == sum(part["missing"] for part in state["wanted"])
    assert {worker["state"] for worker in state["workers"]} == {"live"}
    assert all(0 <= worker["device_idle_share"] <= 1 for worker in state["workers"] if worker["device_idle_share"])
    assert all(worker["pid"] != run.pid for worker in state["workers"])

    lines = output.splitlines()
    assert re.match(rf"run {state['run_id']}: \d+/12 units, .*workers", lines[0])
    assert lines[-1] == "the run has ended"
    assert run_beats(StoreRoot.existing(store)) == []

    logs = sorted((tmp_path / "logs" / state["run_id"]).iterdir())
    assert {worker["log"] for worker in state["workers"]} <= set(map(str, logs))
    text = "".join(log.read_text() for log in logs)
    assert "starts on cpu" in text
    committed = [int(n) for n in re.findall(r"\d+ units: (\d+) done, \d+ failed, \d+ absent in [\d.]+ s", text)]
    assert sum(committed) == 9


def test_the_log_tells_every_failure_with_its_traceback(overrides, zoo_root, recipe, tmp_path, capsys):
    original = archive_folder(zoo_root, recipe, "sss", Library())
    folder = tmp_path / original.name
    shutil.copytree(original, folder)
    record = sorted(folder.glob("*.pickle.pbz2"))[1]
    record.write_bytes(record.read_bytes()[:-100])
    where = [f"results={tmp_path}", f"archives.sss={folder}", "study.spaces=[sss]", "study.seeds=[777]"]
    assert main(["run", *overrides, *where]) == 1
    (log,) = (tmp_path / "logs").rglob("*.log")
    text = log.read_text()
    assert "is failed at stage archive: DataError: " in text
    assert "Traceback (most recent call last)" in text
    assert "1 done, 0 failed, 0 absent" in text
    assert "0 done, 1 failed, 0 absent" in text
    assert text.endswith("worker ends\n")
    capsys.readouterr()
    assert main(["status", "--json", *where]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["failures"] == [{"kind": "failed", "stage": "archive", "type": "DataError", "n_units": 1}]
    assert document["runs"] == []
    assert document["gate"] == {"pass": 1}


def test_without_a_log_folder_the_work_goes_on(overrides, tmp_path, capsys):
    (tmp_path / "file").touch()
    where = [f"results={tmp_path}", f"logs={tmp_path / 'file'}", "limit=1", "study.seeds=[777]"]
    assert main(["run", *overrides, *where]) == 0
    assert "no log file of this worker" in capsys.readouterr().err


def test_what_is_done_is_not_watched(overrides, tmp_path, capsys):
    where = [f"results={tmp_path}", "limit=1", "study.seeds=[777]"]
    assert main(["run", *overrides, *where]) == 0
    capsys.readouterr()
    assert main(["status", "--watch", *where]) == 0
    assert "no run is at work" in capsys.readouterr().out
    assert main(["status", "--json", *where]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {row["models"] for row in document["measurements"]} == {1}
    assert document["gate"] == {"pass": 2}
    assert Path(document["store"]) == tmp_path / "store"


def test_the_view_names_who_is_stale_and_what_has_failed():
    now = 1000.0
    run = RunBeat("r1", "run", Sender("node", 1, 900.0, 1000.0), 60, 29, 1, 0)
    workers = [
        WorkerBeat(
            "r1", f"node-{i}", Sender("node", i, 900.0, updated), "cuda:0", "evaluating", 990.0, 15, 0, 25.0, log
        )
        for i, updated, log in ((2, 1000.0, "/logs/r1/node-2.log"), (3, 800.0, None))
    ]
    failures = (FailureCount("failed", "weights", "DataError", 1),)
    out = Console(record=True, width=140, file=io.StringIO())
    out.print(view([RunState(run, tuple(workers[:1]), failures, now), RunState(run, tuple(workers), (), now + 121)]))
    text = out.export_text()
    assert "run r1: 30/60 units, 3.3 s each, 1 min 40 s left, 1 failed, 1 workers, device idle 75%" in text
    assert re.search(r"failed +weights +DataError +1", text)
    assert re.search(r"node-2 +live +cuda:0 +evaluating +10 s +0 s ago +15 +0 +75%", text)
    assert "driver node 1 gone, last heard of 2 min 01 s ago" in text
    assert re.search(r"node-3 +stale .* 5 min 21 s ago", text)
    assert "logs, on the machine of each worker: /logs/r1" in text


@pytest.mark.parametrize("more", [["--every", "0"], ["--every", "nan"], ["--every", "often"], ["--watch", "--json"]])
def test_bad_options_are_refused(tmp_path, more):
    with pytest.raises(SystemExit) as refused:
        main(["status", *more, f"results={tmp_path}"])
    assert refused.value.code == 2
