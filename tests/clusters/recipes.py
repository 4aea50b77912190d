"""What the tests of ``jobs/`` share: the recipes, copies of them to edit, programs that stand in for the harness."""

import re
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
JOBS = ROOT / "jobs"
BIN = Path(sys.executable).parent
ARCHIVES = ["archives.tss=/data/NATS-tss-v1_0-3ffb9-full", "archives.sss=/data/NATS-sss-v1_0-50262-full"]


def make_checkout(folder):
    """Make a folder with the recipes, which are to be edited: here a task is given a single core."""
    shutil.copytree(JOBS, folder / "jobs")
    for script in (folder / "jobs").glob("slurm_*.sh"):
        script.write_text(re.sub(r"(?m)^(#SBATCH --cpus-per-task)=.*", r"\1=1", script.read_text()))
    return folder


def place_beside_ray(folder, harness):
    """Write a program that stands in for the harness, and this environment's Python and Ray beside it."""
    folder.mkdir(exist_ok=True)
    for name in ("ray", "python"):
        write_script(folder / name, f'exec {shlex.quote(str(BIN / name))} "$@"')
    (folder / "harness").write_text(harness)
    (folder / "harness").chmod(0o755)
    return str(folder / "harness")


def write_script(path, body):
    """Write a program of bash."""
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)
