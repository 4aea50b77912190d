"""A Ray with its job server, as somebody else runs it: on this machine, open to those who hold a secret.

It runs in an environment of its own, which ``make install-dev`` makes: the harness does without Ray's job server.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.clusters.recipes import BIN, write_script
from tests.clusters.slurm import free_ports

PYTHON = BIN.parent / "job-server" / "bin" / "python"


@contextlib.contextmanager
def started_job_server(**variables):
    """Give the environment of those who submit jobs, with ``RAY`` their command; jobs have some variables more."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short, for Ray's sockets
    (folder / "ray_bootstrap_config.yaml").write_text("provider: {type: local}\n")
    port, dashboard = free_ports(2)
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    common = {**os.environ, **secret, "HOME": str(folder)}
    listens = ["--node-ip-address=127.0.0.1", f"--port={port}", "--dashboard-host=127.0.0.1"]
    listens += ["--include-dashboard=true", f"--dashboard-port={dashboard}"]
    ray = folder / "ray"
    write_script(ray, f'exec {PYTHON} -m ray.scripts.scripts "$@"')
    command = [ray, "start", "--head", "--block", "--num-cpus=2", f"--temp-dir={folder}", *listens]
    log = folder / "head.log"
    with log.open("w") as file:
        head = subprocess.Popen(command, env={**common, **variables}, stdout=file, stderr=file, start_new_session=True)
    submitting = {**common, "RAY": str(ray), "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}"}
    try:
        wait_for_answer(submitting, log)
        yield submitting
    finally:
        head.send_signal(signal.SIGTERM)
        head.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for_answer(environment, log):
    for _ in range(60):
        asked = subprocess.run([environment["RAY"], "job", "list"], env=environment, capture_output=True, text=True)
        if asked.returncode == 0:
            return
        time.sleep(0.5)
    raise AssertionError(f"the job server does not answer: {asked.stdout}{asked.stderr}\n{log.read_text()}")
