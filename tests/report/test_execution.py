"""Notebooks are executed one after another in one kernel, which is replaced when it dies."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from harness.report.execution import NotebookError, kernel

DIES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture(scope="module")
def running():
    with kernel({"HARNESS_STORE": "/a store"}) as started:
        yield started


@pytest.fixture
def outputs(running, tmp_path):
    """A way to execute a notebook of one cell: what it prints."""

    def execute(source):
        path = tmp_path / "notebook.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
        (cell,) = running.execute(path).cells
        return "".join(output.text for output in cell.outputs)

    return execute


def test_a_notebook_finds_the_environment_and_no_name_of_another(outputs):
    assert outputs("import os; x = 1; print(os.environ['HARNESS_STORE'])") == "/a store\n"
    assert outputs("print('x' in globals())") == "False\n"


def test_a_cell_that_fails_is_told(outputs):
    with pytest.raises(NotebookError, match=r"^ValueError: no such store"):
        outputs("raise ValueError('no such store')")


def test_a_notebook_whose_kernel_dies_is_executed_once_more(outputs, tmp_path):
    mark = tmp_path / "died"
    source = f"import pathlib\nmark = pathlib.Path({str(mark)!r})\nif not mark.exists():\n    mark.touch(); {DIES}\n"
    assert outputs(f"{source}print('made')") == "made\n"
    assert mark.exists()


def test_one_whose_kernel_dies_again_is_told_and_the_next_is_executed(outputs, tmp_path):
    with pytest.raises(NotebookError, match="twice: Kernel died"):
        outputs(f"open({str(tmp_path / 'tries')!r}, 'a').write('x')\n{DIES}")
    assert (tmp_path / "tries").read_text() == "xx"
    assert outputs("print('made')") == "made\n"


INTERRUPTED = """
import pathlib, sys
from harness.report.execution import kernel

try:
    with kernel({}) as running:
        running.execute(pathlib.Path(sys.argv[1]))
except KeyboardInterrupt:
    sys.exit(3)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_as_one(tmp_path, sent):
    source = f"import pathlib, time; pathlib.Path({str(tmp_path / 'begun')!r}).touch(); time.sleep(300)"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), tmp_path / "slow.ipynb")
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "slow.ipynb")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "begun").exists():
        time.sleep(0.1)
        assert process.poll() is None
    os.kill(process.pid, sent)
    _, printed = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in printed) == (3, False), printed
