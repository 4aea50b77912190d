"""The recipe for a Ray cluster that is there already, on a Ray with its job server."""

import subprocess

import pytest

from harness.store import open_store
from tests.clusters.job_server import started_job_server
from tests.clusters.recipes import BIN, make_checkout, write_script


def submit(checkout, server, *words, **variables):
    """Submit a campaign; return its exit code and what was shown of it."""
    recipe = ["bash", checkout / "jobs" / "ray_job_submit.sh", *words]
    done = subprocess.run(recipe, env={**server.environment, **variables}, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_campaign_is_a_job_of_the_cluster(overrides, tmp_path):
    checkout = make_checkout(tmp_path / "checkout")
    write_script(
        checkout / "jobs/small.sh",
        'echo "on $RAY_JOB_STOP_SIGNAL"; exec "$HARNESS" run experiment=demo study.spaces=[sss] limit=1 "$@"',
    )
    own = [*(word for word in overrides if word != "runner=local"), f"results={tmp_path}/results of mine"]
    with started_job_server(HARNESS=str(BIN / "harness")) as server:
        code, output = submit(checkout, server, *own, "runner.workers=1", CAMPAIGN="small")
        assert code == 0, output
        assert "on SIGINT" in output
        store = open_store(str(tmp_path / "results of mine/store"))
        assert len(store.measurements().df()) > 0
        code, output = submit(checkout, server, *own, "study.calibrators=[nonsense]", CAMPAIGN="small")
        assert code == 1, output
        assert "exit code 2" in output
