"""The recipes of ``jobs/``: shellcheck passes, every command that they call exists and its configuration composes.

There is no SLURM and no Kubernetes here. SLURM's commands are stood in for by small scripts, which write down how they
were called or run on this machine what SLURM would run on a node; the array of runs and the one Ray over several nodes
are real otherwise. The Kubernetes file is held against the fields of KubeRay's types.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import psutil
import pytest
import yaml

from harness.cli.main import _parser, main
from harness.config import compose
from harness.store import open_store

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "jobs"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
PLACING = ("slurm_array", "slurm_cluster", "slurm_common", "ray_job_submit")
CAMPAIGNS = [job for job in SCRIPTS if job.stem not in PLACING]
BIN = Path(sys.executable).parent
GIVEN = {"paper": ["archives.tss=/data/NATS-tss-v1_0-3ffb9-full", "archives.sss=/data/NATS-sss-v1_0-50262-full"]}


@pytest.mark.parametrize("job", CAMPAIGNS, ids=lambda job: job.stem)
def test_every_step_of_a_job_is_a_command_that_composes(job):
    more = [*GIVEN.get(job.stem, []), "results=/tmp/results of mine"]
    environment = {**os.environ, "HARNESS": "/usr/bin/printf"}
    script = job.read_text().replace('"$harness" ', '"$harness" "%s\\n" ')
    called = subprocess.run(
        ["bash", "-s", "--", *more], input=script, env=environment, cwd=job.parent, capture_output=True, text=True
    )
    assert called.returncode == 0, called.stderr
    words = called.stdout.splitlines()
    assert words[-1] == "results=/tmp/results of mine"
    steps = " ".join(words).split(" results=/tmp/results of mine")
    for step in filter(None, map(str.strip, steps)):
        composes(step.split())


def test_the_demo_ends_with_a_page():
    demo = next(job for job in CAMPAIGNS if job.stem == "demo")
    assert demo.read_text().rstrip().endswith('report experiment=demo "$@"')


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_shellcheck_finds_nothing(script):
    shellcheck = shutil.which("shellcheck", path=f"{BIN}:{os.environ['PATH']}")
    if shellcheck is None and not os.environ.get("CI"):
        pytest.skip("shellcheck is not installed")
    assert shellcheck is not None, "CI needs shellcheck"
    subprocess.run(["bash", "-n", script], check=True)
    checked = subprocess.run([shellcheck, "-x", script], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_says_what_it_does_and_can_be_run(script):
    assert script.read_text().splitlines()[1].startswith("# ")
    assert os.access(script, os.X_OK)


def composes(words):
    """Assert that a command of the harness exists and its configuration composes; return its settings."""
    arguments = _parser().parse_args(words)
    return compose(arguments.overrides)


class Cluster:
    """A folder like a checkout, and commands that stand in for SLURM's, Ray's and the harness."""

    def __init__(self, folder):
        self.folder, self.bin, self.log = folder / "checkout", folder / "bin", folder / "calls"
        self.bin.mkdir()
        shutil.copytree(FOLDER, self.folder / "jobs")
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
        path = self.bin / name
        path.write_text(f"#!/usr/bin/env bash\n{note}\n{body}\n")
        path.chmod(0o755)

    def start(self, script, *words, **variables):
        """Start a recipe as SLURM does: a copy of it from elsewhere, and its number in the environment."""
        spooled = self.folder.parent / "slurm_script"
        shutil.copy(FOLDER / f"{script}.sh", spooled)
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
    code, output = cluster.run("slurm_array", *GIVEN["paper"], "results=/tmp/results of mine", **array_task(2, 8))
    assert code == 0, output
    (words,) = cluster.calls("harness")
    assert words == ["run", "experiment=paper", "part=2/8", *GIVEN["paper"], "results=/tmp/results of mine"]
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
    code, output = cluster.run("slurm_cluster", *GIVEN["paper"], **one_ray(4711), SLURM_GPUS_ON_NODE="4")
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
        assert words[1:] == ["experiment=paper", "runner.address=auto", *GIVEN["paper"]]
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
def test_one_ray_really_starts_is_joined_and_ends(cluster):
    # A node is this machine; a step runs in its own session and its output goes where srun is told.
    cluster.command(
        "srun",
        'while [[ $1 == --* ]]; do [[ $1 != --output=* ]] || exec >"${1#--output=}" 2>&1; shift; done\n'
        'if [ "$1" = hostname ]; then echo 127.0.0.1; else exec "$@"; fi',
    )
    cluster.command("python", f'exec {shlex.quote(sys.executable)} "$@"')
    cluster.command("ray", f'exec {shlex.quote(str(BIN / "ray"))} "$@"')
    (cluster.bin / "harness").write_text(RAY_OF_ONE_JOB)
    number = 10_000_000 + os.getpid()
    code, output = cluster.run("slurm_cluster", **one_ray(number), CAMPAIGN="demo")
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


def test_a_job_for_an_existing_ray_is_submitted(cluster):
    words = ["results=/tmp/results of mine", "runner.workers=16"]
    script = cluster.folder / "jobs" / "ray_job_submit.sh"
    done = subprocess.run(["bash", script, *words], env=cluster.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (called,) = cluster.calls("ray")
    assert called[:3] == ["job", "submit", "--runtime-env-json"]
    assert json.loads(called[3])["env_vars"]["RAY_JOB_STOP_SIGNAL"] == "SIGINT"
    assert called[4:] == ["--", str(cluster.folder / "jobs" / "paper.sh"), "runner.address=auto", *words]


def run_parts(tmp_path, words, parts):
    """Run the tasks of an array at the same time, as SLURM would on as many nodes; return their exit codes."""
    spooled = tmp_path / "slurm_script"
    shutil.copy(FOLDER / "slurm_array.sh", spooled)
    environment = {**os.environ, "SLURM_SUBMIT_DIR": str(ROOT), "HARNESS": str(BIN / "harness"), "CAMPAIGN": "demo"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    tasks = [
        subprocess.Popen(["bash", spooled, *words], env={**environment, **array_task(task, parts)}, **pipes)
        for task in range(1, parts + 1)
    ]
    outputs = [task.communicate(timeout=300)[0] for task in tasks]
    return [task.returncode for task in tasks], "\n".join(outputs)


@pytest.mark.slow
def test_an_array_of_runs_makes_every_unit_exactly_once(overrides, tmp_path, capsys):
    study = ["study.protocols=[clean]", "study.conditions=[unshifted]", "study.calibrators=[none,temperature]"]
    words = [*overrides, f"results={tmp_path}", *study]
    codes, output = run_parts(tmp_path, words, 3)
    assert codes == [0, 0, 0], output
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
    codes, output = run_parts(tmp_path, words, 3)
    assert codes == [0, 0, 0], output
    assert output.count("nothing to do") == 3


def of(required, **properties):
    """The schema of a mapping with these fields and no others."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}
# What of KubeRay's and Kubernetes' types is used here: ray-operator/apis/ray/v1/{rayjob,raycluster}_types.go of
# ray-project/kuberay, and core/v1 of Kubernetes. A quantity that is not a string is refused: 0.5 would be a float.
CONTAINER = of(
    ["name", "image", "resources"],
    name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    image=TEXT,
    env={"type": "array", "items": of(["name", "value"], name=TEXT, value=TEXT)},
    ports={
        "type": "array",
        "items": of(["containerPort"], containerPort=WHOLE, name={"type": "string", "maxLength": 15}),
    },
    resources=of(["requests", "limits"], requests=TEXTS, limits=TEXTS),
    volumeMounts={
        "type": "array",
        "items": of(["name", "mountPath"], name=TEXT, mountPath=TEXT, readOnly={"type": "boolean"}),
    },
)
VOLUME = of(["name", "persistentVolumeClaim"], name=TEXT, persistentVolumeClaim=of(["claimName"], claimName=TEXT))
TEMPLATE = of(
    ["spec"],
    spec=of(
        ["containers"],
        containers={"type": "array", "items": CONTAINER, "minItems": 1},
        volumes={"type": "array", "items": VOLUME},
    ),
)
WORKERS = of(
    ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
    groupName=TEXT,
    replicas=WHOLE,
    minReplicas=WHOLE,
    maxReplicas=WHOLE,
    rayStartParams=TEXTS,
    template=TEMPLATE,
)
RAY_CLUSTER = of(
    ["headGroupSpec"],
    rayVersion=TEXT,
    authOptions=of(["mode"], mode={"enum": ["token", "disabled"]}),
    headGroupSpec=of(["rayStartParams", "template"], rayStartParams=TEXTS, template=TEMPLATE),
    workerGroupSpecs={"type": "array", "items": WORKERS},
)
RAY_JOB = of(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=of(["name"], name={"type": "string", "maxLength": 47}),
    spec=of(
        ["entrypoint", "rayClusterSpec"],
        entrypoint=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
        backoffLimit=WHOLE,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=WHOLE,
        rayClusterSpec=RAY_CLUSTER,
    ),
)


@pytest.fixture
def ray_job():
    return yaml.safe_load((FOLDER / "kuberay_rayjob.yaml").read_text())


def test_the_ray_job_has_the_fields_of_its_type(ray_job):
    jsonschema.validate(ray_job, RAY_JOB)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "ttlSecondsAfterFinnished"), 600),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("spec", "backoffLimit"), "3"),
        (("apiVersion",), "ray.io/v2"),
    ],
)
def test_the_check_of_the_ray_job_can_fail(ray_job, path, value):
    *parents, last = path
    node = ray_job
    for name in parents:
        node = node[name]
    node[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(ray_job, RAY_JOB)


def test_the_nodes_of_the_ray_job_agree(ray_job):
    spec = ray_job["spec"]["rayClusterSpec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for pod in pods:
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} == volumes
    for container in containers:
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
    gpus = [int(container["resources"]["limits"].get("nvidia.com/gpu", "0")) for container in containers]
    assert gpus[0] == 0, "the head node runs the driver alone"
    assert 0 in gpus[1:], "a group decodes and measures without GPUs"
    assert max(gpus) > 0
    assert f"ray=={spec['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    mounted = [mount["mountPath"] for mount in containers[0]["volumeMounts"]]
    written = re.findall(r"=(/[^/ ]+)", ray_job["spec"]["entrypoint"])
    assert set(written) <= set(mounted)


def test_the_entrypoint_of_the_ray_job_composes(ray_job):
    program, *words = shlex.split(ray_job["spec"]["entrypoint"])
    assert program == "harness"
    composes(words)
