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
from dataclasses import dataclass
from pathlib import Path

from tests.clusters.recipes import BIN, write_script
from tests.clusters.slurm import free_ports

PYTHON = BIN.parent / "job-server" / "bin" / "python"


@dataclass(frozen=True)
class JobServer:
    """Where jobs are submitted.

    Attributes:
        folder: Of this Ray, with the command ``ray`` and what its nodes printed.
        address: What nodes join it by.
        environment: Of those who hold the secret; ``RAY`` is their command.
    """

    folder: Path
    address: str
    environment: dict[str, str]

    def ray(self, *words):
        """Run Ray's command; return what became of it, with all that it printed as its output."""
        return subprocess.run(
            [self.environment["RAY"], *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    @contextlib.contextmanager
    def started(self, name, *words, **variables):
        """Run Ray's command until it is no longer needed; its output goes to a file of this name."""
        with self.log(name).open("w") as file:
            node = subprocess.Popen(
                [self.environment["RAY"], *words],
                env={**self.environment, **variables},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            yield
        finally:
            node.send_signal(signal.SIGTERM)
            node.wait(60)

    def log(self, name):
        return self.folder / f"{name}.log"

    def has(self, resources):
        """Whether this Ray comes to have these resources."""

        def have_come():
            told = self.ray("status", f"--address={self.address}").stdout
            return all(f"/{amount:.1f} {name}\n" in told for name, amount in resources.items())

        return comes_true(have_come)


@contextlib.contextmanager
def started_job_server(**variables):
    """Give a :class:`JobServer`; its jobs have some variables more."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short, for Ray's sockets
    (folder / "ray_bootstrap_config.yaml").write_text("provider: {type: local}\n")
    port, dashboard = free_ports(2)
    write_script(folder / "ray", f'exec {PYTHON} -m ray.scripts.scripts "$@"')
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    found = {"RAY": str(folder / "ray"), "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}"}
    server = JobServer(folder, f"127.0.0.1:{port}", {**os.environ, **secret, **found, "HOME": str(folder)})
    listens = ["--node-ip-address=127.0.0.1", f"--port={port}", "--dashboard-host=127.0.0.1"]
    listens += ["--include-dashboard=true", f"--dashboard-port={dashboard}"]
    head = ["start", "--head", "--block", "--num-cpus=2", f"--temp-dir={folder}", *listens]
    try:
        with server.started("head", *head, **variables):
            assert comes_true(lambda: server.ray("job", "list").returncode == 0), server.log("head").read_text()
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def comes_true(condition):
    """Whether a condition comes true within a minute or so."""
    for _ in range(60):
        if condition():
            return True
        time.sleep(0.5)
    return False
