"""The campaigns of ``jobs/``: shellcheck passes, every command that they call exists and its configuration composes."""

import os
import shutil
import subprocess

import pytest

from tests.clusters.composing import composes
from tests.clusters.recipes import ARCHIVES, BIN, JOBS, ROOT

SCRIPTS = sorted(JOBS.glob("*.sh"))
PLACING = ("slurm_array", "slurm_cluster", "slurm_common", "ray_job_submit")
CAMPAIGNS = [job for job in SCRIPTS if job.stem not in PLACING]


@pytest.mark.parametrize("job", CAMPAIGNS, ids=lambda job: job.stem)
def test_every_step_of_a_job_is_a_command_that_composes(job):
    more = [*(ARCHIVES if job.stem == "paper" else []), "results=/tmp/results of mine"]
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
