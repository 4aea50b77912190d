"""Our own Ray comes and goes: one after another in one process, each with a home of its own that is removed."""

import subprocess
import sys

SCRIPT = """
import os, ray
from harness.runner.cluster import local_ray
homes = []
for _ in range(2):
    with local_ray(1):
        homes.append(ray.get(ray.remote(lambda: os.environ["HOME"]).remote()))
assert homes[0] != homes[1], homes
assert not any(os.path.exists(home) for home in homes), homes
assert not os.path.exists(os.path.join(os.environ["HOME"], ".ray")), "the user's own home is untouched"
"""


def test_a_second_ray_starts_in_the_same_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
