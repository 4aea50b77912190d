"""What the pages tell to type is typed: every command line and every Python snippet of README.md and docs/ is run.

A page is a session of its own: its commands and snippets run in its order, in a workplace in which ``results/store``
is there already (see conftest.py). A command in prose that also stands in a block, or in earlier prose, is run once.
Pages speak of large archives, GPUs and hours; the tables below say what stands for these. What no test machine has is
held against everything but the thing itself, by a rule that names the reason. A row that matches nothing fails.

Outputs are not compared: numbers depend on machine and store. Shown errors are.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.clusters.composing import composes
from tests.clusters.kubernetes import started_kubernetes
from tests.clusters.recipes import make_checkout, place_beside_ray

ROOT = Path(__file__).parents[2]
ZOO = "zoo-8cd5ea6f-tss"  # the demo's archive, whose place the small zoo takes
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = re.compile(r"(harness|make|sbatch|kubectl) \S|jobs/\w+\.sh\b|\w+=\"")
INLINE = re.compile(r"`((?:harness|make) [a-z][^`]*|jobs/\w+\.sh [^`]+)`")

# Placeholders and places: what a page writes, what is typed here. {home} is the workplace.
STANDS_FOR = {
    r"^(harness archive \w+ +)PATH\b": r"\1results/zoo/zoo-8cd5ea6f-tss",
    r"^(harness archive convert \S+ )OUT\b": r"\1converted",
    r"^(harness import published )PATH\b": r"\1/data/calibration-tables",
    r"^(harness import robustness )PATH\b": r"\1/data/robustness",
    r"^(harness compare )A B\b": r"\1clean paper",
    r"^(harness store merge )FROM INTO\b": r"\1other/store merged/store",
    r"^(harness measure )FILE\.npz\b": r"\1predictions.npz",
    r"--out FOLDER\b": "--out exported",
    r'"SQL"': '"SELECT * FROM models"',
    r'"SELECT \.\.\."': '"SELECT * FROM runs"',
    r"archives\.tss=\.\.\.": "study.spaces=[tss] archives.tss=/data/NATS-tss-v1_0-3ffb9-full data_root=/data",
    r"/data\b": "{home}/data",
    r"/scratch\b": "{home}/scratch",
    r"results/zoo/zoo-c36b7385-tss": "{trained_zoo}",  # the name is a hash of the training images too
    r"study\.archs=100\b": "study.archs={held}",
    r"sample:8:7": "sample:2:7",  # of the small zoo's four topologies and two sizes
    r"zoo\.train_images=5000": "zoo.train_images=40",
    r"--array=1-8": "--array=1-2",
    r"study\.datasets=\[cifar10,cifar100\]": "study.datasets=[digits]",
}
# The same in snippets.
SNIPPETS_STAND_FOR = {
    r'hp="12"': 'hp="02"',
    r"/data/": "{home}/data/",
    r'published\(space="tss", dataset="cifar10"\)': 'published(space="tss", dataset="digits")',
    r'protocol="paper", dataset="cifar10"': 'protocol="paper", dataset="digits"',
    r"arch_index=11, seed": "arch_index={held}, seed",  # a topology of the small zoo
}
# In settings of what is run; what is only composed keeps its own.
SETTINGS_STAND_FOR = {
    r"runner\.device=cuda": "runner.device=cpu",
    r"runner\.gpus_per_worker=.*": "runner.gpus_per_worker=0",
}
# Settings of every command, by its experiment: before its own, so that its own win.
SETTINGS = {
    "demo": ["runner=local"],  # and the archives of the small zoo
    "paper": ["runner=local", "released_only=false"],
    "cifar10_zoo": ["runner=local", "released_only=false"],
}
# What takes hours, cut short by these settings behind its own.
CUT_SHORT = {
    r"^harness zoo train(?!.* limit=)(?!.*zoo\.archs=(0-2|20000))(?!.*(smoothing|crop)=)": ["limit=1", "zoo.epochs=1"],
    r"^harness run study\.families=\[study,intervals,replicates\]$": ["limit=1"],
    r"^jobs/cifar10_zoo\.sh": ["limit=1", "zoo.epochs=1", "study.hps=['01']"],
}
# What a target of make is given to be done in seconds.
MADE_SHORT = {
    "plan": rf"study.spaces=[tss] archives.tss={{home}}/results/zoo/{ZOO} study.hps=[\'02\']",
    "bench": "--tables sort",
    "bench-inference": "--images 2",
    "bench-report": "--networks 12 --pages q3_agreement",
    "bench-search": "--runs 2 --evaluations 10",
    "coverage": "--sets 2 --images 100",
    "precision": r"runner=local limit=2 study.spaces=[tss] zoo.spaces=[tss] zoo.epochs=1 study.hps=[\'01\']",
}
# What takes a minute even so, and is made by the test of its own.
MADE_ELSEWHERE = {"chaos": "tests/chaos/test_chaos.py", "bench-scale": "tests/test_bench_scale.py"}
SUBMITTED_ELSEWHERE = {
    "jobs/slurm_cluster.sh": "tests/jobs/test_slurm.py",
    "jobs/ray_job_submit.sh": "tests/jobs/test_ray_job.py",
}
# Exit codes other than 0 that the page speaks of; after a shown `harness: error:` it is 2.
ENDS_WITH = {r"zoo\.learning_rate=1e6": 1}
# What a page takes for done.
DONE_BEFORE = {"docs/questions.md": "harness import published /data/few-rows --partial"}
# Blocks that the page says are a file.
SAVED_AS = {"my_family.py": "docs/own_family.md"}


@dataclass(frozen=True)
class Typed:
    """A command line or a snippet of a page.

    Attributes:
        where: Its page and line.
        text: What is typed.
        is_snippet: Whether it is Python.
        is_inline: Whether it stands in prose.
        error: The error that the page shows behind it.
    """

    where: str
    text: str
    is_snippet: bool = False
    is_inline: bool = False
    error: str = ""


def read_page(page, lines):
    """The commands and snippets of a page, in its order."""
    block, inside, found = [], None, []
    for number, line in enumerate(lines, start=1):
        where = f"{page}:{number}"
        if fence := re.match(r"```(.*)$", line):
            if inside == "python":
                found.append(Typed(where, "\n".join(text for _, text in block) + "\n", is_snippet=True))
            elif inside is not None:
                found += read_block(block)
            inside, block = (fence[1] if inside is None else None), []
        elif inside is None:
            found += [Typed(where, text, is_inline=True) for text in INLINE.findall(line)]
        else:
            block.append((where, line))
    return found


def read_block(block):
    """The command lines of a block: those after a prompt, or without prompts those that begin with a command."""
    prompted = any(line.startswith("$ ") for _, line in block)
    found = []
    while block:
        (where, line), *block = block
        if line.startswith("$ ") if prompted else TYPED.match(line):
            text = line.removeprefix("$ ")
            while not is_whole(text):
                (_, line), *block = block
                text += "\n" + line
            error = block[0][1] if block and block[0][1].startswith("harness: error: ") else ""
            found.append(Typed(where, text, error=error))
    return found


def is_whole(text):
    """Whether no quotation goes on in the next line."""
    try:
        return bool(shlex.split(text, comments=True))
    except ValueError:
        return False


def replaced(text, table):
    for pattern, value in table.items():
        text = re.sub(pattern, value, text)
    return text


def plain_words(text):
    """The words of a command line without comments, placeholders replaced."""
    return tuple(shlex.split(replaced(text, STANDS_FOR), comments=True))


def n_records(folder):
    return len(list(folder.glob("0*.pickle.pbz2")))


NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
SESSIONS = {name: read_page(name, (ROOT / name).read_text().splitlines()) for name in NAMES}
ALL = [typed for session in SESSIONS.values() for typed in session]
COMMANDS = [typed for typed in ALL if not typed.is_snippet]


class Shell:
    """Types the commands and snippets of a page in a workplace of its own."""

    def __init__(self, home, overrides, done, make, slurm, capsys):
        self.home, self.overrides, self.done = home, overrides, done
        self.make, self.slurm, self.capsys = make, slurm, capsys
        self.held = int(min((home / "results/zoo" / ZOO).glob("0*.pickle.pbz2")).name[:6])
        self.variables, self.namespace = {}, {"__name__": "snippet"}

    def filled(self, text):
        """The text with the places of this workplace."""
        trained = max(
            self.home.glob("results/zoo/zoo-*-tss"), key=lambda folder: (folder.name != ZOO, n_records(folder))
        )
        for name, value in {"home": self.home, "held": self.held, "trained_zoo": trained}.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def words(self, text):
        """The words of a command line, as bash makes them: quotes go, then variables are split at spaces."""
        words = []
        for word in map(self.filled, plain_words(text)):
            whole = re.sub(r"\$(\w+)", lambda name: self.variables[name[1]], word)
            words += whole.split() if re.fullmatch(r"\$\w+", word) else [whole]
        return words

    def type(self, typed):
        """Run a line of a page; return what is wrong, or nothing."""
        if typed.is_snippet:
            return self.snippet(typed)
        words = self.words(typed.text)
        if len(words) == 1 and (assigned := re.fullmatch(r"(\w+)=(.*)", words[0], flags=re.DOTALL)):
            self.variables[assigned[1]] = assigned[2]
            return ""
        if typed.is_inline and plain_words(typed.text) in self.done:
            return ""
        self.done.add(plain_words(typed.text))
        (checks,) = [rule.check for rule in RULES if re.match(rule.pattern, typed.text)] or [check_harness]
        return checks(self, typed, words)

    def would_run(self, *words):
        """The command lines that make would run."""
        shown = self.make("-nB", *words)
        shown.check_returncode()
        return shown.stdout.splitlines()

    def snippet(self, typed):
        text = self.filled(replaced(typed.text, SNIPPETS_STAND_FOR))
        for name, page in SAVED_AS.items():
            if typed.where.startswith(f"{page}:"):
                (self.home / name).write_text(text)
        try:
            exec(compile(text, typed.where, "exec"), self.namespace)
        except Exception:  # noqa: BLE001 - whatever it raises is what is wrong
            return traceback.format_exc()
        return ""

    def harness(self, words, more=()):
        """Run a command of the harness in this process; return exit code and error output."""
        words = [replaced(word, SETTINGS_STAND_FOR) for word in words]
        (experiment,) = [word.partition("=")[2] for word in words if word.startswith("experiment=")] or ["demo"]
        settings = [*SETTINGS[experiment], *(self.overrides if experiment == "demo" else [])]
        own = next((i for i, word in enumerate(words) if re.match(r"[a-z_.0-9]+=", word)), len(words))
        try:
            code = main([*words[:own], *settings, *words[own:], *more])
        except SystemExit as ended:
            code = ended.code
        said = self.capsys.readouterr()
        return code, said.err + said.out[-1000:]


def check_harness(shell, typed, words):
    """Run a command; its exit code is 0, or what the page says."""
    more = [word for pattern, cut in CUT_SHORT.items() if re.search(pattern, typed.text) for word in cut]
    (expected,) = [code for pattern, code in ENDS_WITH.items() if re.search(pattern, typed.text)] or [0]
    code, said = shell.harness(words[1:], more)
    if code != (2 if typed.error else expected) or typed.error not in said:
        return f"exit code {code}\n{said}"
    return ""


def check_make(shell, typed, words):
    """The target is made, with less to do: what the page gives it comes first, what cuts it short behind."""
    (target,) = [word for word in words[1:] if "=" not in word]
    given = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    own = replaced(given.pop("ARGS", ""), SETTINGS_STAND_FOR)
    settings = [f"{name}={value}" for name, value in given.items()]
    short = [f"ARGS={own} {shell.filled(MADE_SHORT[target])}", f"RESULTS={shell.home / 'made'}", *settings]
    made = shell.make(target, *short)
    return made.stdout + made.stderr if made.returncode else ""


def check_made_by_ci(shell, typed, words):
    """What it would run is run by .ci/run: by ``make demo`` or ``make test``; so it is given nothing."""
    (target,) = [word for word in words[1:] if "=" not in word]
    ci = (ROOT / ".ci/run").read_text()
    by_ci = [line for of in ("demo", "test") if f"make {of} " in ci for line in shell.would_run(of)]
    own = shell.would_run(target)
    return "" if set(own) <= set(by_ci) else f"{own} is not among {by_ci}"


def check_made_elsewhere(shell, typed, words):
    """Another test makes the target, with less to do, and its script understands what the page gives it."""
    (target,) = [word for word in words[1:] if "=" not in word]
    test = (ROOT / MADE_ELSEWHERE[target]).read_text()
    if f'make("{target}", ' not in test:
        return f"{MADE_ELSEWHERE[target]} does not make {target}"
    script = shell.would_run(*words[1:])[-1].split()[1:]
    asked = subprocess.run([sys.executable, *script, "--help"], cwd=ROOT, capture_output=True, text=True)
    options = [word for word in script if word.startswith("--")]
    understood = asked.returncode == 0 and all(f"{option} " in asked.stdout for option in options)
    return "" if understood else f"{script}\n{asked.stdout}{asked.stderr}"


def check_docs(shell, typed, words):
    """What it would write into the checkout is there already."""
    (command, moved) = shell.would_run("docs")[-2:]
    written = subprocess.run([sys.executable, *command.split()[1:-2]], cwd=ROOT, capture_output=True, text=True)
    page = ROOT / moved.split()[-1]
    return "" if written.stdout == page.read_text() else f"{page} is not what {command} writes\n{written.stderr}"


def check_script(shell, typed, words):
    """A campaign runs, on a harness that notes its steps; then the steps run, in this process."""
    environment = {**os.environ, "HARNESS": noting(shell)}
    subprocess.run(["bash", ROOT / words[0], *words[1:]], cwd=ROOT, env=environment, check=True, capture_output=True)
    return check_noted_steps(shell, typed)


def check_array(shell, typed, words):
    """The array is submitted to a SLURM of two nodes, with such a harness; then the steps run, in this process."""
    checkout = make_checkout(shell.home / "checkout")
    code, output, _ = shell.slurm.sbatch(checkout, *words[1:], HARNESS=noting(shell))
    return f"exit code {code}\n{output}" if code else check_noted_steps(shell, typed)


def noting(shell):
    """Write a harness that notes the words of every call."""
    log = shell.home / "noted"
    log.write_text("")
    note = f"import json, sys\nopen({str(log)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
    return place_beside_ray(shell.home / "bin", f"#!{sys.executable}\n{note}")


def check_noted_steps(shell, typed):
    steps = list(map(json.loads, (shell.home / "noted").read_text().splitlines()))
    problems = [(step, check_harness(shell, typed, ["harness", *step])) for step in steps]
    return "\n".join(f"{step}\n{problem}" for step, problem in problems if problem) if steps else "it has no steps"


def check_submitted_elsewhere(shell, typed, words):
    """Another test submits the recipe; the settings of the page compose."""
    recipe = next(i for i, word in enumerate(words) if word.startswith("jobs/"))
    test = (ROOT / SUBMITTED_ELSEWHERE[words[recipe]]).read_text()
    if Path(words[recipe]).name not in test:
        return f"{SUBMITTED_ELSEWHERE[words[recipe]]} does not submit {words[recipe]}"
    composes(["run", "experiment=paper", *words[recipe + 1 :]])
    return ""


def check_kubectl(shell, typed, words):
    """The file is applied, to a server that takes RayJobs alone."""
    with started_kubernetes(shell.home) as kubernetes:
        code, output = kubernetes.apply(words[-1])
    return f"exit code {code}\n{output}" if code or len(kubernetes.applied) != 1 else ""


def check_name(shell, typed, words):
    """There is such a command."""
    with pytest.raises(SystemExit) as ended:
        main([*words[1:], "--help"])
    return "" if ended.value.code == 0 else f"exit code {ended.value.code}"


@dataclass(frozen=True)
class Rule:
    """Lines that are not run as they are: why, and what is done instead."""

    pattern: str
    reason: str
    check: object


RULES = (
    Rule(r"make (demo|test|install|check)\b", "what .ci/run runs, these tests among it", check_made_by_ci),
    Rule(r"make (chaos|bench-scale)\b", "it has a test of its own", check_made_elsewhere),
    Rule(r"make docs\b", "writes into the checkout, which other tests read", check_docs),
    Rule(r"make (?!demo|test|install|check|chaos|docs|bench-scale)", "minutes of work", check_make),
    Rule(r"jobs/(paper|cifar10_zoo)\.sh", "the checkout's harness, in other processes", check_script),
    Rule(r"sbatch .*slurm_array", "the same, as jobs of SLURM", check_array),
    Rule(r"sbatch .*slurm_cluster|jobs/ray_job_submit\.sh", "it has a test of its own", check_submitted_elsewhere),
    Rule(r"kubectl ", "Kubernetes", check_kubectl),
    Rule(r"harness (query|archive index)$", "a name in a sentence, without what it is to be given", check_name),
)


@pytest.fixture(scope="session")
def done():
    """The words of the commands that were typed, and of those in blocks, which will be: prose may repeat them."""
    return {plain_words(typed.text) for typed in COMMANDS if not typed.is_inline}


@pytest.fixture
def shell(page, workplace, overrides, done, make, slurm, tmp_path, capsys, monkeypatch):
    """The shell of a page. Of a report it makes the first page alone; tests/cli makes all of them."""
    home = tmp_path / "home"
    shutil.copytree(workplace, home)
    monkeypatch.chdir(home)
    monkeypatch.setattr("harness.cli.report._ANALYSIS", home / "analysis")
    return Shell(home, overrides, done, make, slurm, capsys)


@pytest.mark.parametrize("page", SESSIONS)
def test_what_a_page_tells_to_type_works(page, shell):
    before = [Typed("before", text) for name, text in DONE_BEFORE.items() if name == page]
    problems = [(typed, shell.type(typed)) for typed in [*before, *SESSIONS[page]]]
    wrong = [f"{typed.where}: {typed.text}\n{problem}" for typed, problem in problems if problem]
    assert not wrong, "\n\n".join(wrong)


def test_every_row_of_the_tables_is_of_use():
    """What stands for a placeholder, a cut, an exception: a row that matches nothing is left over."""
    texts = [typed.text for typed in COMMANDS]
    for pattern in (*STANDS_FOR, *SETTINGS_STAND_FOR, *CUT_SHORT, *ENDS_WITH):
        assert any(re.search(pattern, text) for text in texts), pattern
    for rule in RULES:
        assert any(re.match(rule.pattern, text) for text in texts), rule
    snippets = [typed.text for typed in ALL if typed.is_snippet]
    for pattern in SNIPPETS_STAND_FOR:
        assert any(re.search(pattern, text) for text in snippets), pattern
    assert {*DONE_BEFORE, *SAVED_AS.values()} <= set(SESSIONS)
    for target in (*MADE_SHORT, *MADE_ELSEWHERE):
        assert any(re.match(rf"make {target}\b", text) for text in texts), target
    for recipe in SUBMITTED_ELSEWHERE:
        assert any(recipe in text for text in texts), recipe


@pytest.mark.parametrize(
    "line", ["harness plan limit=0", "harness nonsense", "harness query 'SELECT nope FROM models'"]
)
def test_a_command_that_does_not_work_is_found(line, workplace, overrides, make, capsys, monkeypatch):
    monkeypatch.chdir(workplace)
    assert "exit code 2" in Shell(workplace, overrides, set(), make, None, capsys).type(Typed("here", line))


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
