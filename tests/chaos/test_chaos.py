"""The short form of `make chaos`: a few kills, and the stores end as if undisturbed."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("chaos.py")


@pytest.mark.slow
def test_a_store_ends_as_if_nobody_had_been_killed():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "3", "--seed", "19"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("seed 19, 3 kills\n")
    assert "as undisturbed after 3 kills" in done.stdout
