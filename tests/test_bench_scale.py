"""`make bench-scale` with a dozen networks through the planner, the runner and the store."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "bench" / "scale.py"


def figures(output: str) -> dict[str, list[str]]:
    """The cells of each row of the last table, by its first words."""
    table = output[output.rindex("The whole study") :]
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in table.splitlines()]
    return {cells[0]: cells[1:] for cells in rows if len(cells) > 1}


def test_every_figure_is_shown_at_every_size(make, tmp_path):
    done = make("bench-scale", f"ARGS=--networks 6,12 --folder {tmp_path} runner=local study.families=[accuracy]")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = figures(done.stdout)
    assert shown["networks"][:2] == ["6", "12"]
    # An architecture has 3 data sets; the two of CIFAR are shown 3 conditions: 7 units a seed, of clean 3 seeds.
    assert shown["units of the whole study"][:2] == [str(2 * 28), str(4 * 28)]
    assert shown["units measured"][:2] == ["6", "12"]
    assert shown["files per protocol"] == ["6", "12", "1.00", "4,000", "yes"]
    assert list(tmp_path.iterdir()) == [], "what was made is removed"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--folder", "nowhere/missing", "--folder: expected a folder that is there, got nowhere/missing"),
        ("--networks", "6,many", "argument --networks: invalid whole_numbers value: '6,many'"),
    ],
)
def test_other_arguments_are_refused(option, value, message):
    command = [sys.executable, str(SCRIPT), option, value]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"error: {message}\n")
