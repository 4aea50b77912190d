"""A cluster that somebody else has started: two nodes on this machine, one of which dies in the middle of a run."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from harness.cli.main import main
from harness.config import compose
from harness.errors import ConfigError
from harness.runner.cluster import Demand, joined_ray, ray_place
from harness.runner.cluster.connection import token
from harness.store import open_store
from harness.store.files import StoreRoot
from harness.store.live import live_workers

DEADLINE_S = 600
SLOW = ["study.split_seeds=[1,2,3,4,5,6,7,8,9,10,11,12]", "runner.parcel_records=1"]
KINDS = ["runner.workers_on=inference", "runner.measurers_on=measurement"]


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory):
    """A head with room for a worker and a measurer, and a second node for measurers, which a test may kill."""
    home = tmp_path_factory.mktemp("home")
    (home / "ray_bootstrap_config.yaml").write_text("provider: {type: local}\n")
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": token(), "HOME": str(home)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        quick = {"health_check_period_ms": 1000, "health_check_failure_threshold": 3}
        local = {"include_dashboard": False}
        head = {"num_cpus": 2, "resources": {"inference": 1, "measurement": 1}, "_system_config": quick, **local}
        nodes = Cluster(initialize_head=True, head_node_args=head)
        second = nodes.add_node(num_cpus=4, resources={"measurement": 1}, **local)
        try:
            yield nodes, second
        finally:
            nodes.shutdown()


@pytest.fixture(scope="module")
def arguments(overrides):
    return [*(o for o in overrides if not o.startswith("runner=")), *SLOW]


def measured(root):
    rows = open_store(str(root / "store")).measurements().df()
    key = list(rows.columns[:13])
    return rows.drop(columns=["run_id", "seconds"]).sort_values(key).reset_index(drop=True)


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def kill_node(node):
    """End a raylet and its workers, by their ids, as when a machine is lost."""
    raylet = node.all_processes["raylet"][0].process.pid
    for pid in [raylet, *children(raylet)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_room_is_counted_before_anything_is_asked_for(two_nodes):
    nodes, _ = two_nodes
    base = ["runner.workers=null", f"runner.address={nodes.address}"]

    def place(*more):
        with ray_place(compose([*base, "runner.patience_s=60", *more]).runner) as made:
            return made

    assert place(*KINDS[:1]).workers == 2, "of the head alone"
    assert place().workers == 6
    assert place("runner.measurers=4").workers == 2
    assert place("runner.threads=2").demand == Demand(2)
    for more, message in (
        (["runner.workers=8"], "runner.workers: 8 with 1 cores and 0 GPUs each: there is room for 6"),
        (["runner.device=cuda", "runner.gpus_per_worker=0.5"], "there is room for 0 .* 0 GPUs"),
        (["runner.workers_on=nowhere"], "on nodes with the resource nowhere: there is room for 0"),
        (["runner.workers=4", "runner.measurers=4"], "there is room for 2 workers beside these measurers"),
    ):
        with pytest.raises(ConfigError, match=message):
            place(*more)


def test_what_others_started_is_left_running(two_nodes):
    nodes, _ = two_nodes
    for _ in range(2):
        with joined_ray(nodes.address, 60.0):
            assert sum(node["Alive"] for node in ray.nodes()) == 2
            assert ray.get(ray.remote(lambda: os.environ["HOME"]).remote()) == os.environ["HOME"]


def test_a_node_that_dies_loses_nothing(two_nodes, arguments, tmp_path):
    assert main(["run", *arguments, "runner=local", f"results={tmp_path / 'undisturbed'}"]) == 0
    nodes, second = two_nodes
    store = tmp_path / "store"
    options = [f"runner.address={nodes.address}", "runner.workers=1", "runner.measurers=3", *KINDS]
    command = [sys.executable, "-m", "harness", "run", *arguments, *options, f"results={tmp_path}"]
    log = tmp_path / "log"
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        end = time.monotonic() + DEADLINE_S
        at_work = []
        while not at_work:  # until a measurer of the second node has committed something
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, "the run did not come so far"
            time.sleep(0.05)
            raylet = second.all_processes["raylet"][0].process.pid
            if (store / "store.json").exists():
                pids = {int(beat.worker.rsplit("-", 1)[1]) for beat in live_workers(StoreRoot.existing(store))}
                at_work = pids & set(children(raylet))
        kill_node(second)
        assert process.poll() is None, "killed in the middle"
        process.wait(DEADLINE_S)
    assert process.returncode == 0, log.read_text()
    assert measured(tmp_path).equals(measured(tmp_path / "undisturbed"))
    assert main(["verify", *arguments, "runner=local", f"results={tmp_path}"]) == 0


def test_a_cluster_that_does_not_answer_is_refused_before_anything_is_written(arguments, tmp_path, capsys):
    address = "127.0.0.1:1"
    code = main(["run", *arguments, f"results={tmp_path}", f"runner.address={address}", "runner.patience_s=5"])
    assert code == 2
    assert f"no Ray cluster can be joined at '{address}'" in capsys.readouterr().err
    assert list(Path(tmp_path).iterdir()) == []
