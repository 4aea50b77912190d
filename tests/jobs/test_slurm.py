"""The recipes for SLURM: what they ask of it and of the harness, and what becomes of jobs that are submitted.

How a recipe answers SLURM's notices is tested on a copy of it, started as SLURM starts one, with small scripts in place
of the commands that it calls. Jobs are submitted to a SLURM of two nodes: see :mod:`tests.clusters.slurm`.
"""

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.cli.main import main
from harness.store import open_store
from tests.clusters.composing import composes
from tests.clusters.recipes import ARCHIVES, BIN, JOBS, make_checkout, place_beside_ray, write_script


class Cluster:
    """A folder like a checkout, and commands that stand in for SLURM's, Ray's and the harness."""

    def __init__(self, folder):
        self.folder, self.bin, self.log = folder / "checkout", folder / "bin", folder / "calls"
        self.bin.mkdir()
        shutil.copytree(JOBS, self.folder / "jobs")
        self.environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(folder),
            "HARNESS": str(self.bin / "harness"),
            "RAY": str(self.bin / "ray"),
            "SLURM_SUBMIT_DIR": str(self.folder),
        }
        self.command("scontrol", 'if [ "$1" = show ]; then printf "n1\\nn2\\n"; fi')
        self.command("harness")
        self.command("ray")

    def command(self, name, body=""):
        """Make a command that notes how it was called, and then does something."""
        note = f'printf "%s\\n" "$(printf "%q " {name} "$@")" >>{shlex.quote(str(self.log))}'
        write_script(self.bin / name, f"{note}\n{body}")

    def start(self, script, *words, **variables):
        """Start a recipe as SLURM does: a copy of it from elsewhere, and its number in the environment."""
        spooled = self.folder.parent / "slurm_script"
        shutil.copy(JOBS / f"{script}.sh", spooled)
        environment = {**self.environment, **variables}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(["bash", spooled, *words], env=environment, **pipes)

    def run(self, script, *words, **variables):
        """Run a recipe to its end; return its exit code and output."""
        process = self.start(script, *words, **variables)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def calls(self, name):
        """Return the words of every call of a command, in order."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [words[1:] for words in map(shlex.split, lines) if words[0] == name]


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def array_task(task, count):
    return {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": str(count), "SLURM_JOB_ID": "7"}


def test_a_task_of_an_array_takes_its_part_of_the_paper(cluster):
    code, output = cluster.run("slurm_array", *ARCHIVES, "results=/tmp/results of mine", **array_task(2, 8))
    assert code == 0, output
    (words,) = cluster.calls("harness")
    assert words == ["run", "experiment=paper", "part=2/8", *ARCHIVES, "results=/tmp/results of mine"]
    composes(words)


def test_a_task_that_is_submitted_alone_names_the_number_of_parts(cluster):
    code, _ = cluster.run("slurm_array", **array_task(5, 1), PARTS="8", CAMPAIGN="demo")
    assert code == 0
    assert cluster.calls("harness") == [["run", "experiment=demo", "part=5/8"]]


@pytest.mark.parametrize(("task", "count"), [(0, 8), (9, 8), (5, 1)])
def test_an_array_that_is_not_counted_from_one_is_refused(cluster, task, count):
    code, output = cluster.run("slurm_array", **array_task(task, count))
    assert code == 2
    assert "--array=1-N" in output
    assert cluster.calls("harness") == []


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_exit_code_of_the_run_is_that_of_the_job(cluster, code):
    cluster.command("harness", f"exit {code}")
    assert cluster.run("slurm_array", **array_task(1, 1))[0] == code
    assert cluster.calls("scontrol") == []


@pytest.mark.parametrize(
    ("notice", "requeued"), [(signal.SIGUSR1, [["requeue", "7"]]), (signal.SIGTERM, []), (signal.SIGINT, [])]
)
def test_a_notice_interrupts_the_run_and_only_the_time_limit_queues_it_again(cluster, notice, requeued):
    # As the harness does: the first interrupt is noted, what is in hand is finished, the code is 3.
    ready = cluster.folder / "ready"
    body = f'trap "stopped=1" INT; touch {ready}; until [ "${{stopped:-}}" ]; do sleep 0.1; done; sleep 0.3; exit 3'
    cluster.command("harness", body)
    job = cluster.start("slurm_array", **array_task(1, 1))
    wait_until(ready.exists)
    job.send_signal(notice)
    output, _ = job.communicate(timeout=30)
    assert job.returncode == 3, output
    assert cluster.calls("scontrol") == requeued


def test_a_run_that_ends_in_time_after_the_notice_is_not_queued_again(cluster):
    ready = cluster.folder / "ready"
    body = f'trap "stopped=1" INT; touch {ready}; until [ "${{stopped:-}}" ]; do sleep 0.1; done; exit 0'
    cluster.command("harness", body)
    job = cluster.start("slurm_array", **array_task(1, 1))
    wait_until(ready.exists)
    job.send_signal(signal.SIGUSR1)
    job.communicate(timeout=30)
    assert job.returncode == 0
    assert cluster.calls("scontrol") == []


def wait_until(condition):
    """Wait until something is so; the time limit of the subprocess is that of the test."""
    while not condition():
        time.sleep(0.05)


def one_ray(number):
    return {"SLURM_JOB_ID": str(number), "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_CPUS_PER_TASK": "1"}


def test_one_ray_over_the_nodes_of_a_job_is_assembled(cluster):
    cluster.command("srun", 'for word; do if [ "$word" = hostname ]; then echo 10.0.0.1 192.168.0.1; fi; done')
    cluster.command("python", "echo 2")
    code, output = cluster.run("slurm_cluster", *ARCHIVES, **one_ray(4711), SLURM_GPUS_ON_NODE="4")
    assert code == 0, output
    ray = str(cluster.bin / "ray")
    head, worker = (words for words in cluster.calls("srun") if ray in words)
    assert "--nodelist=n1" in head
    assert "--nodelist=n2" in worker
    common = {"start", "--block", "--num-cpus=1", "--num-gpus=4", "--temp-dir=/tmp/r4711"}
    assert common | {"--head", "--node-ip-address=10.0.0.1", "--port=24711", "--include-dashboard=false"} <= set(head)
    assert common | {"--address=10.0.0.1:24711"} <= set(worker)
    assert [words[0] for words in cluster.calls("harness")] == ["check", "plan", "run", "verify", "report"]
    for words in cluster.calls("harness"):
        assert words[1:] == ["experiment=paper", "runner.address=auto", *ARCHIVES]
        composes(words)
    assert not cluster.calls("ray"), "Ray is started by SLURM alone, and never by `ray stop` ended"


def test_a_stopped_campaign_of_several_steps_ends_with_the_code_of_its_step(cluster):
    cluster.command("srun", 'for word; do if [ "$word" = hostname ]; then echo 10.0.0.1; fi; done')
    cluster.command("python", "echo 2")
    ready = cluster.folder / "ready"
    body = (
        f'if [ "$1" = run ]; then trap "stopped=1" INT; touch {ready}; '
        'until [ "${stopped:-}" ]; do sleep 0.1; done; exit 3; fi'
    )
    cluster.command("harness", body)
    job = cluster.start("slurm_cluster", **one_ray(4711))
    wait_until(ready.exists)
    job.send_signal(signal.SIGUSR1)
    output, _ = job.communicate(timeout=30)
    assert job.returncode == 3, output
    assert [words[0] for words in cluster.calls("harness")] == ["check", "plan", "run"]
    assert cluster.calls("scontrol")[-1] == ["requeue", "4711"]


RAY_OF_ONE_JOB = f"""#!{sys.executable}
import os, ray, sys
ray.init("auto", logging_level="ERROR", log_to_driver=False)
nodes = sum(node["Alive"] for node in ray.nodes())
home = ray.get(ray.remote(num_cpus=1)(lambda: os.environ["HOME"]).remote())
print(sys.argv[1], nodes, os.path.exists(os.path.join(home, "ray_bootstrap_config.yaml")), os.environ["RAY_AUTH_MODE"])
"""


@pytest.mark.slow
def test_one_ray_over_two_nodes_starts_is_joined_and_ends(slurm, tmp_path):
    harness = place_beside_ray(tmp_path / "bin", RAY_OF_ONE_JOB)
    checkout = make_checkout(tmp_path / "checkout")
    code, output, number = slurm.sbatch(
        checkout, "--nodes=2", "jobs/slurm_cluster.sh", CAMPAIGN="demo", HARNESS=harness
    )
    assert code == 0, output
    for step in ("zoo", "run", "verify", "report"):
        assert f"{step} 2 True token" in output.splitlines()
    assert not Path(f"/tmp/r{number}").exists()
    assert not [process for process in psutil.process_iter() if f"/tmp/r{number}" in command_line(process)]


def command_line(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.slow
def test_an_array_of_runs_makes_every_unit_exactly_once(slurm, overrides, tmp_path, capsys):
    study = ["study.protocols=[clean]", "study.conditions=[unshifted]", "study.calibrators=[none,temperature]"]
    words = [*overrides, f"results={tmp_path}", *study]
    checkout = make_checkout(tmp_path / "checkout")
    submit = ["--array=1-3", "jobs/slurm_array.sh", *words]
    code, output, _ = slurm.sbatch(checkout, *submit, CAMPAIGN="demo", HARNESS=str(BIN / "harness"))
    assert code == 0, output
    assert main(["verify", "experiment=demo", *words]) == 0
    audit = capsys.readouterr().out
    assert "the store is sound and complete" in audit
    assert re.search(r"^0 equal duplicate rows", audit, re.MULTILINE), audit
    store = open_store(str(tmp_path / "store"))
    rows = store.sql("SELECT run_id, space, arch_index FROM committed_measurements").df()
    # Four topologies and two sizes, 9 networks with a row before and a row after calibration.
    assert len(rows) == 18
    assert (rows.groupby(["space", "arch_index"])["run_id"].nunique() == 1).all(), "an architecture is in one part"
    assert rows["run_id"].nunique() > 1
    code, output, _ = slurm.sbatch(checkout, *submit, CAMPAIGN="demo", HARNESS=str(BIN / "harness"))
    assert code == 0, output
    assert output.count("nothing to do") == 3


def test_the_exit_code_of_a_run_is_that_of_its_job(slurm, tmp_path):
    write_script(tmp_path / "harness", "exit 3")
    checkout = make_checkout(tmp_path / "checkout")
    code, output, _ = slurm.sbatch(checkout, "--array=1-2", "jobs/slurm_array.sh", HARNESS=str(tmp_path / "harness"))
    assert code == 3, output
