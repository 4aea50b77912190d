"""The shell in which a page's commands and snippets are typed, and the rules for those that are not run as they are."""

import json
import os
import re
import subprocess
import sys
import traceback
from dataclasses import dataclass
from unittest import mock

import pytest

from harness.cli.main import main
from tests.clusters.composing import composes
from tests.clusters.recipes import BIN, make_checkout
from tests.docs.pages import ROOT
from tests.docs.stand_ins import (
    CUT_SHORT,
    ENDS_WITH,
    MADE_ELSEWHERE,
    MADE_SHORT,
    SAVED_AS,
    SETTINGS,
    SETTINGS_STAND_FOR,
    SNIPPETS_STAND_FOR,
    STANDS_FOR,
    ZOO,
    plain_words,
    replaced,
)


def n_records(folder):
    return len(list(folder.glob("0*.pickle.pbz2")))


class Shell:
    """Types the commands and snippets of a page in a workplace of its own."""

    def __init__(self, home, overrides, done, make, slurm, elsewhere, capsys):
        self.home, self.overrides, self.done = home, overrides, done
        self.make, self.slurm, self.elsewhere, self.capsys = make, slurm, elsewhere, capsys
        self.held = int(min((home / "results/zoo" / ZOO).glob("0*.pickle.pbz2")).name[:6])
        self.variables, self.namespace = {}, {"__name__": "snippet"}
        self.job = None  # on the Ray that is there
        self.ran = set()  # commands of the harness, without what they say of their workers

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

    def run(self, *words, cwd=ROOT, **variables):
        """Run a program; return what became of it, with all that it printed as its output."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.run(words, cwd=cwd, env={**os.environ, **variables}, check=False, **pipes)

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


def failed(done):
    """What is to be said of a program that failed, or nothing."""
    return f"exit code {done.returncode}\n{done.stdout}" if done.returncode else ""


def check_harness(shell, typed, words):
    """Run a command; its exit code is 0, or what the page says."""
    more = [word for pattern, cut in CUT_SHORT.items() if re.search(pattern, typed.text) for word in cut]
    (expected,) = [code for pattern, code in ENDS_WITH.items() if re.search(pattern, typed.text)] or [0]
    code, said = shell.harness(words[1:], more)
    shell.ran.add(without_workers(words[1:]))
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
    asked = shell.run(sys.executable, *script, "--help")
    options = [word for word in script if word.startswith("--")]
    understood = asked.returncode == 0 and all(f"{option} " in asked.stdout for option in options)
    return "" if understood else f"{script}\n{asked.stdout}"


def check_docs(shell, typed, words):
    """What it would write into the checkout is there already."""
    (command, moved) = shell.would_run("docs")[-2:]
    written = subprocess.run([sys.executable, *command.split()[1:-2]], cwd=ROOT, capture_output=True, text=True)
    page = ROOT / moved.split()[-1]
    return "" if written.stdout == page.read_text() else f"{page} is not what {command} writes\n{written.stderr}"


def check_bash(shell, typed, words):
    """Bash runs the line."""
    return failed(shell.run("bash", "-c", shell.filled(replaced(typed.text, STANDS_FOR)), cwd=shell.home))


def check_activation(shell, typed, words):
    """Bash runs the line where there is an environment, and then finds this environment's harness."""
    script = f"{typed.text} && command -v harness"
    done = shell.run("bash", "-c", script, cwd=shell.home, PATH=os.defpath)
    return "" if done.stdout.strip() == str(BIN / "harness") else f"it finds {done.stdout}"


def check_bucket(shell, typed, words):
    """A server of object stores is where the environment says."""
    with mock.patch.dict(os.environ, shell.elsewhere.bucket):
        return check_harness(shell, typed, words)


def check_script(shell, typed, words):
    """A campaign runs, on a harness that notes its steps; then the steps run, in this process."""
    done = shell.run("bash", ROOT / words[0], *words[1:], HARNESS=shell.elsewhere.harness)
    return failed(done) or check_noted_steps(shell, typed)


def check_sbatch(shell, typed, words):
    """The job is submitted to a SLURM of two nodes, with such a harness; then the steps run, in this process."""
    checkout = make_checkout(shell.home / words[2].replace("/", "-"))
    code, output, _ = shell.slurm.sbatch(checkout, *words[1:], HARNESS=shell.elsewhere.harness)
    return f"exit code {code}\n{output}" if code else check_noted_steps(shell, typed)


def check_ray_job(shell, typed, words):
    """The campaign is a job of a Ray that is there, with such a harness; then the steps run, in this process."""
    done = shell.run("bash", ROOT / words[0], *words[1:], **shell.elsewhere.job_server.environment)
    if done.returncode:
        return failed(done)
    (shell.job,) = set(re.findall(r"raysubmit_\w+", done.stdout))
    return check_noted_steps(shell, typed)


def check_noted_steps(shell, typed):
    """The steps run; what differs only in its workers from a command that ran before is composed."""
    steps = shell.elsewhere.take_steps()
    for step in steps:
        if without_workers(step) in shell.ran:
            composes(step)
        elif problem := check_harness(shell, typed, ["harness", *step]):
            return f"{step}\n{problem}"
    return "" if steps else "it has no steps"


def without_workers(words):
    return tuple(word for word in words if not word.startswith("runner."))


def check_ray_job_logs(shell, typed, words):
    """The job that the page has submitted before is named, and what its steps printed is shown."""
    done = shell.elsewhere.job_server.ray(*words[1:-1], shell.job)
    shown = "" if "run experiment=paper" in done.stdout else f"its steps are not shown:\n{done.stdout}"
    return failed(done) or shown


def check_ray_start(shell, typed, words):
    """A node joins a Ray that is there, which then has the resource; --block has it end with this test."""
    server = shell.elsewhere.job_server
    here = [word.replace("HOST:PORT", server.address) for word in words[1:]]
    with server.started("node", *here, "--block"):
        return "" if server.has(json.loads(here[-1].partition("=")[2])) else f"{here} adds nothing to the Ray"


def check_kubectl(shell, typed, words):
    """Kubectl is answered by a server that takes RayJobs alone, and has the output of those that it took."""
    code, output = shell.elsewhere.kubernetes.kubectl(*words[1:])
    return f"exit code {code}\n{output}" if code else ""


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
    Rule(r"sbatch ", "the same, as jobs of SLURM", check_sbatch),
    Rule(r"jobs/ray_job_submit\.sh", "the same, as a job of a Ray", check_ray_job),
    Rule(r"ray job logs ", "asks the server of that Ray", check_ray_job_logs),
    Rule(r"ray start ", "leaves processes behind", check_ray_start),
    Rule(r"kubectl ", "Kubernetes", check_kubectl),
    Rule(r"source ", "changes the shell", check_activation),
    Rule(r"cd ", "not a program of the harness", check_bash),
    Rule(r"harness store merge .*s3:", "a bucket", check_bucket),
    Rule(r"harness (query|archive index)$", "a name in a sentence, without what it is to be given", check_name),
)
