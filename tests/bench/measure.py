"""How fast the measurements are, as multiples of a sort of the same probabilities in the same run: ``make bench``.

Prints tables; nothing here fails. Times are the best of several rounds, in which both sides take turns.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from harness.metrics import measure, softmax

ROUNDS = 9


def predictions(n_samples: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n_samples)
    logits = 2 * rng.normal(size=(n_samples, n_classes))
    logits[np.arange(n_samples), labels] += 3
    return softmax(logits), labels


def best_ms(*functions: Callable[[], object]) -> list[float]:
    """The shortest time of each function, in milliseconds, all of them run in turn."""
    times = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, own in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            own.append(time.perf_counter() - start)
    return [1000 * min(own) for own in times]


def peak_ratio(probs: np.ndarray, labels: np.ndarray) -> float:
    """The most memory that is held at a time, as a multiple of the probabilities."""
    tracemalloc.start()
    measure(probs, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / probs.nbytes


def main() -> None:
    say = sys.stdout.write
    say("measure(probs, labels), family study, against numpy.argsort(probs, axis=0) in the same run\n")
    say(f"{'N':>9} {'K':>5} {'measure ms':>11} {'argsort ms':>11} {'ratio':>6} {'memory':>7} {'ns / (N K)':>10}\n")
    cases = [(10_000, 10), (10_000, 100), (10_000, 2), (10_000, 1000), (1000, 10), (100_000, 10), (1_000_000, 10)]
    for n_samples, n_classes in cases:
        probs, labels = predictions(n_samples, n_classes)
        ours, sort = best_ms(lambda p=probs, y=labels: measure(p, y), lambda p=probs: np.argsort(p, axis=0))
        say(
            f"{n_samples:>9,} {n_classes:>5} {ours:>11.2f} {sort:>11.2f} {ours / sort:>6.2f} "
            f"{peak_ratio(probs, labels):>6.1f}x {1e6 * ours / probs.size:>10.1f}\n"
        )


if __name__ == "__main__":
    main()
