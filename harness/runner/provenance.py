"""What a run ran on: its name, the versions that decide numbers, the state of the checkout, the hardware."""

import datetime
import json
import os
import platform
import subprocess
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from harness.runner.memory import gpu_count

_PACKAGES = ("duckdb", "numpy", "pandas", "pyarrow", "ray", "scipy", "torch")
_CHECKOUT = Path(__file__).parents[2]


def new_run_id() -> str:
    """Return a name for a run: the UTC time and a random part, so that names sort by time and never collide."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


def describe_run(run_id: str, command: str, config: str) -> dict[str, Any]:
    """Return the row of the ``runs`` table for a run that starts now.

    Args:
        run_id: Its name.
        command: ``run``, ``retry`` or ``measure``.
        config: Its resolved configuration as JSON.
    """
    commit = _git("rev-parse", "HEAD")
    return {
        "run_id": run_id,
        "command": command,
        "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "config": config,
        "versions": json.dumps({"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}),
        "git_commit": commit,
        "git_dirty": None if commit is None else bool(_git("status", "--porcelain", "--untracked-files=no")),
        "hardware": json.dumps(_hardware()),
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(_CHECKOUT), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _hardware() -> dict[str, Any]:
    devices = [torch.cuda.get_device_name(i) for i in range(gpu_count())]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "host": platform.node(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory_gb, 1),
        "devices": devices,
    }
