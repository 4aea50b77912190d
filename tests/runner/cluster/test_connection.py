"""Our own Ray comes and goes: one after another in one process, each with a home of its own that is removed."""

import subprocess
import sys

SCRIPT = """
import os, ray
from harness.runner.cluster import local_ray
homes = []
for threads in (1, 3):
    with local_ray(1, threads=threads):
        assert ray.get(ray.remote(lambda: os.environ["OMP_NUM_THREADS"]).remote()) == str(threads)
        homes.append(ray.get(ray.remote(lambda: os.environ["HOME"]).remote()))
        keys = ray.get(ray.remote(lambda: os.environ["AWS_SHARED_CREDENTIALS_FILE"]).remote())
        assert keys == os.path.join(os.environ["HOME"], ".aws", "credentials"), keys
assert homes[0] != homes[1], homes
assert not any(os.path.exists(home) for home in homes), homes
assert not os.path.exists(os.path.join(os.environ["HOME"], ".ray")), "the user's own home is untouched"
"""


def run_alone(script, home):
    """Run a script in a process of its own, with nothing of this one's environment."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_second_ray_starts_in_the_same_process(tmp_path):
    run_alone(SCRIPT, tmp_path)


LISTENERS = """
import os, pathlib
from harness.runner.cluster import connection

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}

def listening():
    lines = [line for name in ("tcp", "tcp6") for line in pathlib.Path("/proc/net", name).read_text().splitlines()[1:]]
    rows = [line.split() for line in lines]
    return {row[9]: row[1].rsplit(":", 1)[0] for row in rows if row[3] == "0A"}

def sockets(pid):
    try:
        if connection.token() not in open(f"/proc/{pid}/environ").read():
            return set()
        return {os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1] for fd in os.listdir(f"/proc/{pid}/fd")}
    except OSError:
        return set()

with connection.local_ray(1):
    ours = set().union(*map(sockets, filter(str.isdigit, os.listdir("/proc"))))
    found = {address for inode, address in listening().items() if inode in ours}
assert found, "Ray listens somewhere"
assert found <= LOOPBACK, found
"""


def test_it_listens_to_the_loopback_interface_alone(tmp_path):
    run_alone(LISTENERS, tmp_path)
