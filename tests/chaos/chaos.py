"""Kill workers, drivers and Ray nodes at random moments, again and again: the store ends as if nothing had happened.

    python tests/chaos/chaos.py --kills 100 --seed 7

A small study of the digits is made once in peace. Then the same study is run on fresh stores, by one driver or two at
a time, and its processes are killed with SIGKILL; it is run again until it is complete, audited, compared bit by bit.
The seed, which is printed, decides whom to kill and when; how far a run is at that moment depends on the machine.
"""

import argparse
import contextlib
import io
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from harness import spaces
from harness.cli.main import main as harness
from harness.datasets import Library
from harness.store import StoreRoot, open_store
from harness.store.live import live_workers
from harness.zoo import Recipe, TrainTask, archive_folder, prepare_archive
from harness.zoo.sample import topology

RECIPE = Recipe("digits", 1, 64, 0.1, 5e-4, 16, 1, 0, (777, 888))
TOPOLOGIES = ("3N3NN3", "NNN1NN", "PPPPPP", "NNNNNN")
WIDTHS = ("8:8:8:8:8", "8:16:32:48:64")
SPLIT_SEEDS = ",".join(map(str, range(24)))
STUDY = (
    f"study.split_seeds=[{SPLIT_SEEDS}]",
    "study.conditions=[unshifted,ood_inverted]",
    f"study.hps=['{RECIPE.hp}']",
)
PLACING = ("runner.workers=2", "runner.parcel_records=1", "runner.attempts=100")  # workers are killed, not at fault
VOLATILE = ("run_id", "seconds")

KINDS = ("worker",) * 4 + ("driver", "driver and all", "node")
DEADLINE_S = 300.0
PAUSE_S = 4.0  # at most, between two kills: a run of this study works a few times as long on two cores
STARTING_S = 10.0  # some drivers are killed while they start: about so long Python, torch and Ray take


def main(argv: Sequence[str] | None = None) -> int:
    """Run a campaign; return 0, or 1 where a store ended differently."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="processes to kill in all (10)")
    parser.add_argument("--seed", type=int, default=None, help="decides whom and when (a random one)")
    arguments = parser.parse_args(argv)
    seed = random.SystemRandom().randrange(2**31) if arguments.seed is None else arguments.seed
    say(f"seed {seed}, {arguments.kills} kills")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    problem = Campaign(folder, arguments.kills, random.Random(seed)).run()
    if problem is not None:
        say(f"{problem}; everything is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


@dataclass
class Campaign:
    """Rounds of kills, each on a store of its own, until enough processes were killed."""

    folder: Path
    kills: int
    rng: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    n_runs: int = 0

    def run(self) -> str | None:
        """Return None if every store ended as the undisturbed one, else what is different."""
        study = [*train(self.folder / "zoo"), *STUDY]
        undisturbed = [*study, "runner=local", f"results={self.folder / 'undisturbed'}"]
        if command("run", *undisturbed) != 0:
            return "the undisturbed run failed"
        expected, n_rounds = measured(self.folder / "undisturbed"), 0
        while self.killed.total() < self.kills:
            n_rounds += 1
            results = self.folder / f"round-{n_rounds}"
            arguments = [*study, *PLACING, f"results={results}"]
            problem = self.round(arguments, results) or difference(expected, arguments, results)
            if problem is not None:
                return f"round {n_rounds}: {problem}"
            by_kind = ", ".join(f"{number} {kind}" for kind, number in sorted(self.killed.items()))
            say(f"round {n_rounds}: as undisturbed after {self.killed.total()} kills ({by_kind}) in {self.n_runs} runs")
            shutil.rmtree(results)
        return None

    def round(self, arguments: Sequence[str], results: Path) -> str | None:
        """Run and kill until a run comes to its end; return what went wrong otherwise."""
        started: list[Driver] = []
        try:
            while all(driver.process.returncode != 0 for driver in started):
                if self.rng.random() < 0.5:  # else what is left of a killed driver meets the next one
                    end(started)
                drivers = [self.start(arguments) for _ in range(self.rng.choice((1, 1, 1, 2)))]
                started += drivers
                for driver in drivers:
                    self.disturb(driver, results)
                for driver in drivers:
                    if (code := driver.process.wait(DEADLINE_S)) not in (0, 3, -9):
                        return f"expected exit code 0, 3 or -9 (killed), got {code}:\n{driver.log.read_text()}"
        finally:
            end(started)
        return None

    def start(self, arguments: Sequence[str]) -> "Driver":
        self.n_runs += 1
        return Driver.start(arguments, self.folder / f"run-{self.n_runs}.log")

    def disturb(self, driver: "Driver", results: Path) -> None:
        """Kill processes of a run at random moments until it is its driver's or its node's turn."""
        is_at_work = self.rng.random() < 0.8
        if is_at_work:
            wait_until(lambda: driver.has_ended() or any_worker(results))
        kind = "worker"
        while kind == "worker" and not driver.has_ended() and self.killed.total() < self.kills:
            time.sleep(self.rng.uniform(0, PAUSE_S if is_at_work else STARTING_S))
            kind = self.rng.choice(KINDS)
            if driver.kill(kind, self.rng):
                self.killed[kind] += 1


@dataclass
class Driver:
    """``harness run`` in a process of its own, and the processes that it started, as last seen."""

    process: "subprocess.Popen[bytes]"
    log: Path
    seen: list[psutil.Process] = field(default_factory=list)

    @classmethod
    def start(cls, arguments: Sequence[str], log: Path) -> "Driver":
        """Start it; its output goes to a file, for a pipe would outlive it in the hands of Ray."""
        with log.open("wb") as output:
            command_line = [sys.executable, "-m", "harness", "run", *arguments]
            return cls(subprocess.Popen(command_line, stdout=output, stderr=output), log)

    def has_ended(self) -> bool:
        """Return whether it has ended."""
        return self.process.poll() is not None

    def kill(self, kind: str, rng: random.Random) -> bool:
        """Kill a process of some kind and return whether there was one."""
        if self.has_ended():
            return False
        self.look()
        if kind == "driver":
            self.process.kill()
            return True
        if kind == "driver and all":
            self.process.kill()
            return kill(self.seen) or True
        name = {"worker": "ray::Worker", "node": "raylet"}[kind]
        named = sorted((p for p in self.seen if name_of(p).startswith(name)), key=lambda p: p.pid)
        return bool(named) and kill([rng.choice(named)])

    def look(self) -> None:
        """Remember the processes that it has started; a killed one's children no longer tell whose they are."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.seen += psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> None:
        """End it and what it has started."""
        self.look()
        self.process.kill()
        self.process.wait()
        kill(self.seen)
        psutil.wait_procs(self.seen, timeout=DEADLINE_S)


def end(drivers: Sequence[Driver]) -> None:
    """End some drivers and what they have started."""
    for driver in drivers:
        driver.end()


def kill(processes: Sequence[psutil.Process]) -> bool:
    """Kill processes, by identity and not by a number that another may have by now; return whether any was there."""
    n_killed = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            n_killed += 1
    return n_killed > 0


def name_of(process: psutil.Process) -> str:
    """Return the title that a process gives itself, as Ray's workers do, else the name of its program."""
    try:
        return (process.cmdline() or [""])[0].rsplit("/", 1)[-1]
    except psutil.NoSuchProcess:
        return ""


def train(root: Path) -> list[str]:
    """Train a zoo of four topologies and two sizes, and return the overrides that name its archives."""
    folders = {space: archive_folder(root, RECIPE, space, Library()) for space in spaces.names()}
    work = TrainTask(RECIPE, folders, Library()).start()
    for space, strings in (("tss", map(topology, TOPOLOGIES)), ("sss", WIDTHS)):
        prepare_archive(folders[space], space)
        for string in strings:
            work((space, spaces.get(space).arch_index(string)))
    return [f"archives.{space}={folder}" for space, folder in folders.items()]


def command(name: str, *arguments: str) -> int:
    """Run a command of the harness in this process, in silence, and return its exit code."""
    with contextlib.redirect_stdout(io.StringIO()):
        return harness([*name.split(), *arguments])


def measured(results: Path) -> pd.DataFrame:
    """Return the rows of a store in the order of their keys, without what may differ between two runs."""
    rows = open_store(str(results / "store")).measurements().df()
    return rows.sort_values(list(rows.columns[:13])).reset_index(drop=True).drop(columns=list(VOLATILE))


def difference(expected: pd.DataFrame, arguments: Sequence[str], results: Path) -> str | None:
    """Return how a store differs from the undisturbed one or what the audit finds; None if it is as it should be."""
    wait_until(
        lambda: not any_worker(results)
    )  # one outlives its driver by a second or two, and nothing is cleaned then
    if (code := command("verify", *arguments, "--clean")) != 0:
        return f"verify ended with exit code {code}"
    found = measured(results)
    if found.equals(expected):
        return None
    return f"expected the {len(expected)} rows of the undisturbed run, got {len(found)} rows that differ"


def any_worker(results: Path) -> bool:
    """Return whether a worker has said that it is at work."""
    store = results / "store"
    return (store / "store.json").exists() and bool(live_workers(StoreRoot.existing(store)))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the run did not come so far")
        time.sleep(0.02)


def say(message: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
