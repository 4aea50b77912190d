"""How time grows with samples, classes and models; many models one by one and at once."""

import math
import sys
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from timing import best_ms, print_progress, print_table, random_logits

from harness.metrics import measure, softmax
from harness.metrics.on_device import measure_on_device


def exponent(sizes: Sequence[int], times_ms: Sequence[float]) -> float:
    """The slope of log time over log size: 1 where time is proportional to size."""
    return float(np.polyfit(np.log(sizes), np.log(times_ms), 1)[0])


def times_ms(n_samples: int, n_classes: int) -> list[float]:
    """The times of `measure` and of a sort."""
    print_progress(f"growth, N = {n_samples:,}, K = {n_classes}")
    logits, labels = random_logits(n_samples, n_classes)
    probs = softmax(logits)
    return best_ms(partial(measure, probs, labels), partial(np.argsort, probs, axis=0))


def row_of(n_samples: int, n_classes: int, ours_ms: float, sort_ms: float) -> list[str]:
    of_each = 1e6 * ours_ms / (n_samples * n_classes)
    return [
        f"{n_samples:,}",
        f"{n_classes}",
        f"{ours_ms:.2f}",
        f"{of_each:.1f}",
        f"{of_each / math.log2(n_samples):.2f}",
        f"{ours_ms / sort_ms:.2f}x",
    ]


def print_growth(title: str, sizes: Sequence[int], cases: Sequence[tuple[int, int]]) -> None:
    """Print a table over cases (N, K) and how steep it is over ``sizes``, the N or the K of them."""
    times = [times_ms(*case) for case in cases]
    rows = [row_of(*case, *of_case) for case, of_case in zip(cases, times, strict=True)]
    print_table(title, ("N", "K", "measure ms", "ns / (N K)", "ns / (N K log2 N)", "of argsort"), rows)
    for name, own in zip(("measure", "argsort"), zip(*times, strict=True), strict=True):
        steps = (exponent(sizes, own), exponent(sizes[-2:], own[-2:]))
        sys.stdout.write(f"exponent of {name}: {steps[0]:.2f} over all, {steps[1]:.2f} in the last step\n")


def largest_difference(at_once: Sequence, one_by_one: Sequence) -> float:
    """The largest relative difference of any value of any model; infinite if one side alone is undefined."""
    worst = 0.0
    for found, expected in zip(at_once, one_by_one, strict=True):
        for name, value in expected.items():
            other = found.values[name]
            if value is None or other is None:
                worst = worst if value is other else math.inf
            else:
                worst = max(worst, abs(other - value) / max(abs(value), 1e-300))
    return worst


def row_of_models(device: str, n_models: int, n_samples: int, n_classes: int) -> list[str]:
    print_progress(f"{n_models} models of N = {n_samples:,} at once on {device}")
    logits, labels = random_logits(n_models * n_samples, n_classes)
    probs, labels = softmax(logits).reshape(n_models, n_samples, n_classes), labels[:n_samples]
    there, labels_there = torch.tensor(probs, device=device), torch.tensor(labels, device=device)

    def one_by_one() -> list[dict[str, float | None]]:
        return [measure(of_model, labels) for of_model in probs]

    at_once = partial(measure_on_device, there, labels_there)
    difference = largest_difference(at_once(), one_by_one())
    alone_ms, at_once_ms = best_ms(one_by_one, at_once)
    return [
        device,
        f"{n_models}",
        f"{n_samples:,}",
        f"{alone_ms / n_models:.2f}",
        f"{at_once_ms / n_models:.2f}",
        f"{alone_ms / at_once_ms:.2f}x",
        f"{1e6 * alone_ms / probs.size:.0f}",
        f"{1e6 * at_once_ms / probs.size:.0f}",
        f"{difference:.0e}",
    ]


def growth() -> None:
    n_samples, n_classes = (1000, 10_000, 100_000, 1_000_000), (2, 10, 100, 1000)
    print_growth("measure as the samples grow", n_samples, [(n, 10) for n in n_samples])
    print_growth("measure as the classes grow", n_classes, [(10_000, k) for k in n_classes])
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    print_table(
        "Many models, K = 10: one by one with measure, at once with measure_on_device.\n"
        "ms are of one model, ns of one probability",
        ("device", "models", "N", "alone ms", "at once ms", "gain", "alone ns", "at once ns", "differ by"),
        [row_of_models(device, m, n, 10) for device in devices for n in (200, 2000) for m in (1, 8, 64)],
    )
