"""What the report takes on a store of the whole study: ``make bench-report``.

The networks are those of the study, 6,466 topologies and 32,768 sizes on three data sets; every number of theirs is
made up and says nothing: the store is for layout and speed alone, and its archives are called ``synthetic-...``, which
every page repeats. ``--folder`` keeps store and report, to look at; ``--networks`` makes fewer.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from synthetic import N_CLASSES, SEED, SHIFTED, WHOLE, SyntheticArchive, archives
from timing import print_machine, print_progress, print_table

from harness import spaces
from harness.cli.report import notebooks
from harness.metrics import FAMILIES
from harness.metrics.replicates import N_REPLICATES, REPLICATES_FAMILY
from harness.report import Site
from harness.statistics import kendall_matrix
from harness.store import StoreRoot, open_store
from harness.store.writer import write_measurements

RUN = "synthetic"
STUDY = FAMILIES["study"].members
RESAMPLED = tuple(name.removesuffix("_replicates") for name in REPLICATES_FAMILY.members)
AT_ONCE = 512
N_COLUMNS, N_NETWORKS = 50, 39_234
"""Size of the matrix of rank correlations: measurements, and topologies and sizes together."""

NOISE = 0.004
"""Standard deviation of a made-up measurement over images."""


def rows_of(space: str, hp: str, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the rows of some networks on all data sets: before and after calibration, and under what is shifted."""
    for arch_index in indices:
        quality = _quality(space, arch_index)
        for dataset, n_classes in N_CLASSES.items():
            rng = np.random.default_rng([arch_index, n_classes, len(space)])
            own = float(np.clip(quality + 0.05 * rng.normal() - n_classes / 400, 0.05, 0.95))
            model = {
                "source": f"synthetic-{space}", "space": space, "arch_index": arch_index, "dataset": dataset, "hp": hp,
                "seed": SEED, "protocol": "clean", "split": "random20", "split_seed": 42, "label_set": "original",
                "precision": "float32", "gate": "pass", "test_set": dataset, "weights_hash": f"{space}-{arch_index}",
                "run_id": RUN, "seconds": 0.0, "severity": 0, "condition": "unshifted", "calibrator": "none",
            }  # fmt: skip
            for calibrator, scale in (("none", 0.25), ("temperature", 0.05)):
                yield model | {"calibrator": calibrator, **_measured(own, scale, rng)}
            if dataset.startswith("cifar"):
                for condition, severity in SHIFTED:
                    yield model | _shifted(own, condition, severity, rng)


def _quality(space: str, arch_index: int) -> float:
    """Return how good a network is, in (0, 1): the larger the better, and a little luck."""
    features = spaces.get(space).features(arch_index)
    size = features.kernel_parameters / 54 if space == "tss" else sum(features.widths) / 320
    return 0.25 + 0.6 * size ** (1 / 3) + 0.02 * np.random.default_rng(arch_index).normal()


def _measured(quality: float, scale: float, rng: np.random.Generator) -> dict[str, Any]:
    """Return the measurements of a calibrator, made up, and their values on resamples of the images."""
    error = scale * (1 - quality) + 0.01
    values = {name: abs(error * (1 + 0.3 * rng.normal()) + NOISE * rng.normal()) for name in STUDY}
    values |= {"acc": quality, "HCS": 2 * quality * (1 - error) / (1 + quality - error)}
    values |= {"correct_confidence": min(quality + error + 0.05, 1.0), "incorrect_confidence": quality * 0.6}
    noise = NOISE * rng.normal(size=(len(RESAMPLED), N_REPLICATES))
    resampled = {f"{name}_replicates": (values[name] + noise[i]).tolist() for i, name in enumerate(RESAMPLED)}
    bins = {
        "bin15_count": rng.multinomial(8000, np.arange(1, 16) / 120).tolist(),
        "bin15_confidence": ((np.arange(15) + 0.5) / 15).tolist(),
        "bin15_accuracy": np.clip((np.arange(15) + 0.5) / 15 - error, 0, 1).tolist(),
    }
    tags = {"families": ["replicates@2", "study@1"], "fingerprint": f"synthetic {scale}"}
    return {**values, **resampled, **bins, **tags, "n_samples": 8000}


def _shifted(quality: float, condition: str, severity: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return what is measured on shifted images, made up: detection, and with labels the accuracy."""
    row = {"condition": condition, "severity": severity, "ood_auroc": 0.5 + 0.5 * quality * rng.random()}
    tags = {"families": ["ood@1"], "fingerprint": f"synthetic {condition}"}
    if condition == "svhn":
        return row | tags
    accuracy = 0.6 * quality + 0.02 * rng.normal()
    resampled = (accuracy + NOISE * rng.normal(size=N_REPLICATES)).tolist()
    return row | tags | {"acc": accuracy, "acc_replicates": resampled, "families": ["ood@1", "replicates@2", "study@1"]}


def write_some(folder: str, archive: SyntheticArchive, first: int) -> int:
    """Write the rows of some networks of an archive, and return how many architectures these are."""
    indices = archive.indices[first : first + AT_ONCE]
    write_measurements(StoreRoot.existing(folder), [*rows_of(archive.space, archive.hp, indices)], RUN)
    return len(indices)


def write_store(folder: Path, n_networks: int) -> None:
    """Write the store, in two processes."""
    StoreRoot.create(folder)
    made = archives(n_networks)
    parts = [(archive, first) for archive in made for first in range(0, len(archive.indices), AT_ONCE)]
    n_all, n_written = sum(len(archive.indices) for archive in made), 0
    with ProcessPoolExecutor(2) as pool:
        for n in pool.map(write_some, *zip(*((str(folder), *part) for part in parts), strict=True)):
            n_written += n
            if n_written * 10 // n_all > (n_written - n) * 10 // n_all:
                print_progress(f"rows of {n_written * len(N_CLASSES):,} networks")


def time_pages(folder: Path, store: Path, pages: Sequence[Path]) -> None:
    """Build the report, and print what each page takes."""
    site = Site(pages, open_store(str(store)), "clean", folder)
    lines, start = [], time.perf_counter()
    for page in site.make():
        lines.append((page.title, f"{time.perf_counter() - start:.1f}", page.fault or ""))
        print_progress(page.title)
        start = time.perf_counter()
    site.write()
    print_table("Pages of the report, seconds each", ("page", "s", "fault"), lines)
    if any(fault for *_, fault in lines):
        raise SystemExit(1)


def time_matrix() -> None:
    """Time the rank correlations of 50 measurements, against scipy's of one pair, times the pairs."""
    values = np.random.default_rng(0).normal(size=(N_NETWORKS, N_COLUMNS))
    start = time.perf_counter()
    taus = kendall_matrix(values)
    ours = time.perf_counter() - start
    pairs = [(0, i) for i in range(1, 9)]
    start = time.perf_counter()
    expected = [np.asarray(kendalltau(values[:, i], values[:, j]))[0] for i, j in pairs]
    scipy = (time.perf_counter() - start) / len(pairs) * N_COLUMNS * (N_COLUMNS - 1) / 2
    np.testing.assert_allclose([taus[pair] for pair in pairs], expected, atol=1e-12)
    print_table(
        f"Kendall's tau-b of {N_COLUMNS} measurements over {N_NETWORKS:,} networks",
        ("", "s", "times ours"),
        [("harness.statistics", f"{ours:.1f}", ""), ("scipy, pair by pair", f"{scipy:.1f}", f"{scipy / ours:.1f}")],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=WHOLE, help="how many networks, on three data sets each")
    parser.add_argument("--folder", type=Path, help="where store and report go and stay; left out, nothing stays")
    names = [path.stem for path in notebooks()]
    parser.add_argument("--pages", nargs="+", choices=names, default=names, help="which pages")
    arguments = parser.parse_args()
    print_machine()
    time_matrix()
    pages = [path for path in notebooks() if path.stem in arguments.pages]
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not (folder / "store").exists():
            write_store(folder / "store", arguments.networks)
        time_pages(folder / "report", folder / "store", pages)
        if arguments.folder:
            sys.stdout.write(f"\nreport: {(folder / 'report' / 'index.html').resolve().as_uri()}\n")


if __name__ == "__main__":
    main()
