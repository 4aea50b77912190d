"""The recipes of ``jobs/``: every command that they call exists, and its configuration composes."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.cli.main import _parser
from harness.config import compose

JOBS = sorted((Path(__file__).parents[1] / "jobs").glob("*.sh"))
GIVEN = {"paper": ["archives.tss=/data/NATS-tss-v1_0-3ffb9-full", "archives.sss=/data/NATS-sss-v1_0-50262-full"]}


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
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
        arguments = _parser().parse_args(step.split())
        compose(arguments.overrides)


def test_the_demo_ends_with_a_page():
    demo = next(job for job in JOBS if job.stem == "demo")
    assert demo.read_text().rstrip().endswith('report experiment=demo "$@"')
