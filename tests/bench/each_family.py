"""Every family of measurements alone, as a multiple of the family ``study``."""

from functools import partial

from timing import best_ms, print_progress, print_table, random_logits

from harness.metrics import FAMILIES, measure, softmax

N_SAMPLES = 10_000


def cells_of(name: str, n_classes: int) -> list[str]:
    print_progress(f"family {name}, K = {n_classes}")
    logits, labels = random_logits(N_SAMPLES, n_classes)
    probs = softmax(logits)
    family_ms, study_ms = best_ms(partial(measure, probs, labels, (name,)), partial(measure, probs, labels))
    return [f"{family_ms:.2f}", f"{family_ms / study_ms:.2f}x"]


def each_family() -> None:
    print_table(
        f"Every family alone, and as a multiple of study; N = {N_SAMPLES:,}",
        ("family", "numbers", "ms, K = 10", "of study", "ms, K = 100", "of study"),
        [
            [name, f"{len(family.members)}", *cells_of(name, 10), *cells_of(name, 100)]
            for name, family in FAMILIES.items()
        ],
    )
