"""What the pages tell to type is typed: every command line and every Python snippet of README.md and docs/ is run.

A page is a session of its own: its commands and snippets run in its order, in a workplace in which ``results/store``
is there already (see conftest.py). A command in prose that also stands in a block, or in earlier prose, is run once.
What is typed stands for what the page speaks of (stand_ins.py); some commands have a rule of their own (shell.py).

Outputs are not compared: numbers depend on machine and store. Shown errors are.
"""

import contextlib
import re
import shutil
import sys

import pytest

from tests.clusters.recipes import JOBS
from tests.docs import stand_ins
from tests.docs.elsewhere import Elsewhere
from tests.docs.pages import ALL, COMMANDS, SESSIONS, Typed, read_page
from tests.docs.shell import RULES, Shell
from tests.docs.stand_ins import DONE_BEFORE, plain_words


@pytest.fixture(scope="session")
def done():
    """The words of the commands that were typed, and of those in blocks, which will be: prose may repeat them."""
    return {plain_words(typed.text) for typed in COMMANDS if not typed.is_inline}


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    with contextlib.ExitStack() as ends:
        yield Elsewhere(tmp_path_factory.mktemp("elsewhere"), ends)


@pytest.fixture
def shell(page, workplace, overrides, done, make, slurm, elsewhere, tmp_path, capsys, monkeypatch):
    """The shell of a page. Of a report it makes the first page alone; tests/cli makes all of them."""
    home = tmp_path / "home"
    shutil.copytree(workplace, home)
    monkeypatch.chdir(home)
    monkeypatch.setattr("harness.cli.report._ANALYSIS", home / "analysis")
    (home / ".venv").symlink_to(sys.prefix)
    return Shell(home, overrides, done, make, slurm, elsewhere, capsys)


@pytest.mark.parametrize("page", SESSIONS)
def test_what_a_page_tells_to_type_works(page, shell):
    before = [Typed("before", text) for name, text in DONE_BEFORE.items() if name == page]
    problems = [(typed, shell.type(typed)) for typed in [*before, *SESSIONS[page]]]
    wrong = [f"{typed.where}: {typed.text}\n{problem}" for typed, problem in problems if problem]
    assert not wrong, "\n\n".join(wrong)


def test_every_row_of_the_tables_is_of_use():
    """What stands for a placeholder, a cut, an exception: a row that matches nothing is left over."""
    texts = [typed.text for typed in COMMANDS]
    tables = (stand_ins.STANDS_FOR, stand_ins.CUT_SHORT, stand_ins.ENDS_WITH)
    for pattern in (pattern for table in tables for pattern in table):
        assert any(re.search(pattern, text) for text in texts), pattern
    recipes = [script.read_text() for script in JOBS.glob("*.sh")]
    for pattern in stand_ins.SETTINGS_STAND_FOR:
        assert any(re.search(pattern, text) for text in (*texts, *recipes)), pattern
    for rule in RULES:
        assert any(re.match(rule.pattern, text) for text in texts), rule
    snippets = [typed.text for typed in ALL if typed.is_snippet]
    for pattern in stand_ins.SNIPPETS_STAND_FOR:
        assert any(re.search(pattern, text) for text in snippets), pattern
    assert {*DONE_BEFORE, *stand_ins.SAVED_AS.values()} <= set(SESSIONS)
    for target in (*stand_ins.MADE_SHORT, *stand_ins.MADE_ELSEWHERE):
        assert any(re.match(rf"make {target}\b", text) for text in texts), target


@pytest.mark.parametrize(
    "line", ["harness plan limit=0", "harness nonsense", "harness query 'SELECT nope FROM models'"]
)
def test_a_command_that_does_not_work_is_found(line, workplace, overrides, make, capsys, monkeypatch):
    monkeypatch.chdir(workplace)
    assert "exit code 2" in Shell(workplace, overrides, set(), make, None, None, capsys).type(Typed("here", line))


PAGE = """`harness plan` and `make demo`
```
harness query "SELECT 1
  FROM models"  # a cell's
harness: error: no
```
```
$ harness run limit=0
harness: error: limit
harness status
```
```python
x = 1
```
"""


def test_commands_are_found_in_blocks_and_in_prose():
    found = [(typed.where, typed.text, typed.error) for typed in read_page("page", PAGE.splitlines())]
    assert found == [
        ("page:1", "harness plan", ""),
        ("page:1", "make demo", ""),
        ("page:3", 'harness query "SELECT 1\n  FROM models"  # a cell\'s', "harness: error: no"),
        ("page:8", "harness run limit=0", "harness: error: limit"),
        ("page:14", "x = 1\n", ""),
    ]
