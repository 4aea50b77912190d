"""What the benchmarks share: predictions, times of functions that take turns, peaks of memory, tables, the machine."""

import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

ROUNDS = 25


def random_logits(n_samples: int, n_classes: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of a model that is right more often than not, and too sure of it."""
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(n_samples).integers(0, n_classes, n_samples)  # the same for every seed
    logits = 2 * rng.normal(size=(n_samples, n_classes))
    logits[np.arange(n_samples), labels] += 3
    return logits, labels


def best_ms(*functions: Callable[[], object], rounds: int = ROUNDS, at_most_s: float = 3.0) -> list[float]:
    """The shortest time of each function, in milliseconds, all of them run in turn.

    There are fewer rounds, but at least one, where they would take longer than ``at_most_s`` together.
    """
    times = [[] for _ in functions]
    begin = time.perf_counter()
    for _ in range(rounds):
        for function, own in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            own.append(time.perf_counter() - start)
        if time.perf_counter() - begin > at_most_s:
            break
    return [1000 * min(own) for own in times]


def peak_bytes(function: Callable[[], object]) -> int:
    """The most memory that a second call of the function holds at a time."""
    function()
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, its first column flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    sys.stdout.write(f"\n{title}\n\n")
    for first, *others in (columns, *rows):
        cells = [first.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.flush()


def print_progress(what: str) -> None:
    sys.stderr.write(f"... {what}\n")
    sys.stderr.flush()


def processor() -> str:
    """The model name that Linux gives, elsewhere what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def print_machine(threads: str = "one thread used") -> None:
    accelerator = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    sys.stdout.write(
        f"{processor()}, {os.cpu_count()} processors, {threads}{accelerator}; "
        f"load {os.getloadavg()[0]:.2f} at the start\n"
        f"python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}\n"
    )
