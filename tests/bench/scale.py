"""What the planner, the runner and the store take beside the evaluation of networks: ``make bench-scale``.

The plan is that of the whole published study. Networks are measured as ``harness measure`` does, over a Ray that is
started on this machine, from stored logits of 200 images, so that everything but the forward pass is at work; in
:mod:`synthetic` it says what is real and what is made up. The measured part of the plan is the test images under
``--protocols``, one seed. Every size has processes of its own, so that its peak of memory is its own.

Overhead is what a worker spends beside evaluating: wall time of the run x workers - seconds that the rows say, with the
reading of logits, which the rows count as evaluation, added again: that is timed alone, in one process.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from growth import exponent
from synthetic import N_IMAGES, PARCEL, WHOLE, archives, write_store
from timing import print_machine, print_progress, print_table

from harness.cli.run import carry_out
from harness.cli.session import placing, selections
from harness.config import Settings
from harness.config.compose import compose
from harness.networks import FLOAT32
from harness.runner.inference import Inference
from harness.runner.plan import Plan, make_plan
from harness.runner.provenance import new_run_id
from harness.runner.stored import StoredLibrary, choose_library
from harness.runner.work import EvaluateTask
from harness.store import open_store
from harness.store.logits import LOSSLESS
from harness.store.logits_reader import LogitsReader
from harness.store.reader import Store
from harness.store.schema import UNIT_KEY, key_names
from harness.values import Study

_READ = 1024
"""Networks at least whose logits are read to time it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timed:
    """What a plan found, and how long it took from the names of the archives on; also in processor time."""

    plan: Plan
    library: StoredLibrary
    store: Store
    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one size took; times in seconds, of overhead in milliseconds per network."""

    networks: int
    planned: int
    plan_s: float
    plan_cpu_s: float
    made: int
    run_s: float
    networks_per_s: float
    evaluating_ms: float
    overhead_ms: float
    reading_ms: float
    driver_gib: float
    driver_ms: float
    resume_s: float
    resume_cpu_s: float
    files: int


def plan_of(settings: Settings, study: Study) -> Timed:
    """The plan of what can be measured from stored logits, timed with all that a command opens for it."""
    start, cpu_start = time.perf_counter(), time.process_time()
    chosen = selections(settings)
    store = open_store(str(settings.store))
    library = choose_library(store.root, study.datasets, settings.library)
    plan = make_plan(study, chosen, library, store, stored_as=LOSSLESS, only_served=True)
    return Timed(plan, library, store, time.perf_counter() - start, time.process_time() - cpu_start)


def run(found: Timed, settings: Settings) -> float:
    """Measure the units of a plan as ``harness measure`` does, and return the seconds."""
    inference = Inference("cpu", settings.runner.batch_size)  # never asked: logits of every unit are stored
    task = EvaluateTask({}, found.store.root, new_run_id(), inference, found.library, 1, settings.logs)
    with placing(settings.runner) as place:
        start = time.perf_counter()
        carry_out(found.plan, task, settings, place, "measure")
        return time.perf_counter() - start


def reading_s(found: Timed) -> float:
    """The seconds in which the stored logits of a network are read, the mean over the first parcels."""
    reader, read = LogitsReader(found.store.root, FLOAT32, LOSSLESS), set()
    start = time.perf_counter()
    for parcel in found.plan.parcels(PARCEL):
        for unit in parcel.units:
            if unit.key.model not in read:
                test_set = found.library.load(unit.key.model.dataset, "test").identity
                assert reader.of(unit.key.model, test_set, unit.logits)
                read.add(unit.key.model)
        if len(read) >= _READ:
            break
    return (time.perf_counter() - start) / len(read)


def evaluating_s(store: Store) -> float:
    """The seconds of all units, as their rows say."""
    unit = ", ".join(key_names(UNIT_KEY))
    of_units = f"SELECT any_value(seconds) AS seconds FROM committed_measurements GROUP BY {unit}"
    ((total,),) = store.sql(f"SELECT sum(seconds) FROM ({of_units})").fetchall()
    return total


def drive(overrides: Sequence[str], protocols: Sequence[str]) -> Figures:
    """Plan, run and plan again on a store that is there; return what it took."""
    settings = compose(overrides)
    whole = plan_of(settings, settings.study)
    print_progress(f"planned {sum(count.total for count in whole.plan.counts):,} units in {whole.seconds:.1f} s")
    found = plan_of(settings, replace(settings.study, protocols=tuple(protocols)))
    networks = found.plan.to_do.group_by(["space", "arch_index", "dataset"]).aggregate([]).num_rows
    reading = reading_s(found)
    print_progress(f"measuring {len(found.plan):,} units of {networks:,} networks")
    cpu_start = time.process_time()
    run_s = run(found, settings)
    driver_s = time.process_time() - cpu_start
    driver_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    again = plan_of(settings, settings.study)
    done = sum(count.done for count in again.plan.counts)
    if done != len(found.plan):
        sys.exit(f"{len(found.plan):,} units were to be measured, {done:,} are done")
    evaluating = evaluating_s(again.store)
    workers = settings.runner.workers if settings.runner.kind == "ray" else 1
    return Figures(
        networks=networks,
        planned=sum(count.total for count in whole.plan.counts),
        plan_s=whole.seconds,
        plan_cpu_s=whole.cpu_s,
        made=done,
        run_s=run_s,
        networks_per_s=networks / run_s,
        evaluating_ms=1000 * (evaluating / networks - reading),
        overhead_ms=1000 * ((run_s * (workers or 1) - evaluating) / networks + reading),
        reading_ms=1000 * reading,
        driver_gib=driver_gib,
        driver_ms=1000 * driver_s / networks,
        resume_s=again.seconds,
        resume_cpu_s=again.cpu_s,
        files=len(again.store.root.table_files("measurements")) // len(protocols),
    )


def alone(function: Callable[..., T], *arguments: object) -> T:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def prepare(root: Path, n_networks: int) -> list[str]:
    """Make archives and a store; return the overrides that name them."""
    made = archives(n_networks)
    folders = {archive.space: archive.write(root) for archive in made}
    write_store(root / "results" / "store", made)
    return ["experiment=paper", f"results={root}/results", *(f"archives.{s}={f}" for s, f in folders.items())]


def figures(n_networks: int, arguments: argparse.Namespace) -> Figures:
    print_progress(f"{n_networks:,} networks: writing archives and logits of {N_IMAGES} images")
    with tempfile.TemporaryDirectory(prefix="scale-", dir=arguments.folder) as root:
        overrides = alone(prepare, Path(root), n_networks)
        return alone(drive, [*overrides, *arguments.overrides], arguments.protocols)


ROWS = (
    ("units of the whole study", "planned", "{:,}", None),
    ("plan, s", "plan_s", "{:.2f}", 10.0),
    ("of which the processor was busy, s", "plan_cpu_s", "{:.2f}", None),
    ("units measured", "made", "{:,}", None),
    ("run, s", "run_s", "{:.1f}", None),
    ("networks per s", "networks_per_s", "{:.1f}", None),
    ("evaluating a network, ms", "evaluating_ms", "{:.2f}", None),
    ("overhead of a network, ms", "overhead_ms", "{:.2f}", 2.0),
    ("of which reading its logits, ms", "reading_ms", "{:.2f}", None),
    ("driver's processor time, ms", "driver_ms", "{:.2f}", None),
    ("memory of the driver, GiB", "driver_gib", "{:.2f}", 1.0),
    ("resume scan, s", "resume_s", "{:.2f}", 5.0),
    ("of which the processor was busy, s", "resume_cpu_s", "{:.2f}", None),
    ("files per protocol", "files", "{:,}", 4000.0),
)
"""What the table shows: wording, figure, form, and the most that it is to be at the size of the study."""


def row_of(found: Sequence[Figures], wording: str, name: str, form: str, target: float | None) -> list[str]:
    values = [getattr(of_size, name) for of_size in found]
    grows = ""
    if len(found) > 1:
        grows = f"{exponent([of_size.networks for of_size in found[-2:]], values[-2:]):.2f}"
    holds = "" if target is None else ("yes" if values[-1] <= target else "no")
    return [wording, *(form.format(value) for value in values), grows, "" if target is None else f"{target:,g}", holds]


def print_figures(found: Sequence[Figures]) -> None:
    sizes = [f"{of_size.networks:,}" for of_size in found]
    print_table(
        "The whole study over stored logits, by the number of networks; exponent: of growth in the last step",
        ("networks", *sizes, "exponent", "at most", "holds"),
        [row_of(found, *row) for row in ROWS],
    )


def whole_numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = f"1000,10000,{WHOLE}"
    parser.add_argument(
        "--networks", type=whole_numbers, default=sizes, help="sizes, rounded to three networks per architecture"
    )
    parser.add_argument("--protocols", default="clean", help="protocols to measure: clean, or clean,paper")
    parser.add_argument("--folder", help="where archives and stores are made, and removed again: 80 kB per network")
    parser.add_argument("overrides", nargs="*", help="overrides of the configuration, such as runner.workers=16")
    arguments = parser.parse_args()
    if arguments.folder is not None and not Path(arguments.folder).is_dir():
        parser.error(f"--folder: expected a folder that is there, got {arguments.folder}")
    arguments.protocols = arguments.protocols.split(",")
    return arguments


def main() -> None:
    arguments = parsed()
    print_machine("one thread for each worker")
    found = []
    for n_networks in arguments.networks:
        found.append(figures(n_networks, arguments))
        print_figures(found)


if __name__ == "__main__":
    main()
