"""The family ``study`` against a sort of the same probabilities: time and memory."""

from functools import partial

import numpy as np
from timing import best_ms, peak_bytes, print_progress, print_table, random_logits

from harness.metrics import measure, softmax

N_SAMPLES = 10_000

TARGETS = {10: 2.5, 100: 1.1}
"""At most so many times ``numpy.argsort``, by the number of classes."""


def row_of(n_classes: int) -> list[str]:
    print_progress(f"measure against argsort, K = {n_classes}")
    logits, labels = random_logits(N_SAMPLES, n_classes)
    probs = softmax(logits)
    ours, sort = best_ms(partial(measure, probs, labels), partial(np.argsort, probs, axis=0))
    peak = peak_bytes(partial(measure, probs, labels))
    return [
        f"{n_classes}",
        f"{ours:.2f}",
        f"{sort:.2f}",
        f"{ours / sort:.2f}x",
        f"{TARGETS[n_classes]}x" if n_classes in TARGETS else "",
        f"{peak / 1024:,.0f}",
        f"{peak / probs.nbytes:.1f}x",
    ]


def against_sort() -> None:
    print_table(
        f"measure(probs, labels), family study, against numpy.argsort(probs, axis=0); N = {N_SAMPLES:,}.\n"
        "peak: the most memory held at a time; to be at most 6 times the probabilities",
        ("K", "measure ms", "argsort ms", "ratio", "target", "peak KiB", "of probs"),
        [row_of(n_classes) for n_classes in (2, 10, 100, 1000)],
    )
