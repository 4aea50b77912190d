"""Reading records: what each step takes, and how long a device waits for records with some of them read ahead.

The device is a clock: it is busy for a given time per record and uses no core meanwhile, as a GPU does.
"""

import bz2
import pickle
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from timing import best_ms, print_progress, print_table

from harness import networks, spaces
from harness.archives import (
    Archive,
    Description,
    NewTrial,
    Origin,
    open_archive,
    record_dict,
    write_converted,
    write_description,
    write_meta,
    write_record,
)
from harness.archives.restricted import decompress, parse_pickle
from harness.runner.ahead import RecordsAhead

N_RECORDS = 8
SEEDS = (777, 888, 999)


def new_trial(arch_str: str, seed: int) -> NewTrial:
    """A run of NATS-Bench's size whose weights are those that a network begins with."""
    torch.manual_seed(seed)
    return NewTrial(
        dataset="cifar10", seed=seed, num_classes=10, parameters=1, multiply_adds=1, train_accuracies=(0.5,) * 200,
        train_losses=(1.0,) * 200, accuracies={"ori-test": 0.5}, losses={"ori-test": 1.0}, train_time_s=1.0,
        eval_time_s=1.0, latency_s=1.0, weights=networks.build("tss", arch_str, 10, 16, 5).state_dict(),
    )  # fmt: skip


def write_archives(root: Path) -> tuple[Archive, Archive]:
    """The same records as NATS-Bench would write them, and converted."""
    plain, converted = root / "NATS-tss-v1_0-00000-full", root / "converted"
    write_meta(plain, "tss")
    write_description(converted, Description("tss", plain.name))
    space = spaces.get("tss")
    for i in range(N_RECORDS):
        trials = [new_trial(space.arch_str(i), seed) for seed in SEEDS]
        write_record(plain, i, record_dict("tss", i, {"200": trials}))
    for i in range(N_RECORDS):
        write_converted(converted, open_archive(plain).record(i), Origin(0, 0, ""))
    return open_archive(plain), open_archive(converted)


def all_weights(archive: Archive, i: int = N_RECORDS - 1) -> None:
    record = archive.record(i)
    for key in record.info:
        record.weights(*key)


def read_all(archive: Archive) -> None:
    for i in archive.held:
        all_weights(archive, i)


def print_steps(plain: Archive, converted: Archive) -> None:
    """Print what a record takes."""
    path = plain.record_path(N_RECORDS - 1)
    raw = decompress(path)
    steps = {
        "bz2, nothing else": partial(bz2.decompress, path.read_bytes()),
        "decompress": partial(decompress, path),
        "restricted unpickling": partial(parse_pickle, raw, path),
        "plain pickle.loads, which runs what it is told": partial(pickle.loads, raw),
        "record and all weights": partial(all_weights, plain),
        "the same, converted": partial(all_weights, converted),
    }
    times = best_ms(*steps.values(), rounds=5, at_most_s=20.0)
    rows = [
        [name, f"{ms:.1f}", f"{len(raw) / 1e3 / ms:.0f}", f"{ms / times[0]:.2f}x"]
        for name, ms in zip(steps, times, strict=True)
    ]
    title = f"A record of {len(raw) / 1e6:.1f} MB, {path.stat().st_size / 1e6:.1f} MB compressed, {len(SEEDS)} networks"
    print_table(title, ("step", "ms", "MB/s", "of bz2"), rows)


def idle_share(archive: Archive, busy_s: float, n_ahead: int) -> float:
    """The share of the time in which a device waits that is busy for some seconds with each record."""
    start = time.perf_counter()
    with RecordsAhead(archive, archive.held, n_ahead) as records:
        for i in archive.held:
            record = records.record(i)
            for key in record.info:
                record.weights(*key)
            time.sleep(busy_s)
    return 1 - busy_s * len(archive.held) / (time.perf_counter() - start)


def reading() -> None:
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as root:
        print_progress("records to read")
        plain, converted = write_archives(Path(root))
        print_steps(plain, converted)
        for factor in (0.5, 1.0, 2.0):
            for archive, form in ((plain, "bz2"), (converted, "converted")):
                print_progress(f"idle share, {form}, busy for {factor} times the reading")
                (read_ms,) = best_ms(partial(read_all, plain), rounds=1)  # anew: others may use the machine
                busy_s = factor * read_ms / 1000 / N_RECORDS
                shares = [idle_share(archive, busy_s, n_ahead) for n_ahead in (0, 1, 2, 4)]
                rows.append([f"{factor:.1f}x", form, *(f"{100 * share:.0f} %" for share in shares)])
    print_table(
        f"Idle share of a device that is busy with each of {N_RECORDS} records for so many times as one core takes to\n"
        "read one from bz2, by the number of records read ahead",
        ("busy", "form", "0", "1", "2", "4"),
        rows,
    )
