"""How the images of a test set are parted into a calibration (fit) part and an evaluation part.

Splits that files list are left to :mod:`harness.datasets.nats_splits`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64


class Split(NamedTuple):
    """Indices of the images on which calibrators are fitted, and of those on which everything is scored."""

    fit: Int64[np.ndarray, " n_fit"]
    evaluation: Int64[np.ndarray, " n_evaluation"]

    @property
    def content_hash(self) -> str:
        """A hash of both, in their order: 64 hexadecimal digits."""
        return hashlib.sha256(b"|".join(part.tobytes() for part in self)).hexdigest()


def random20(n: int, seed: int) -> Split:
    """Return a random fifth of n images for fitting and the other four fifths for evaluation.

    The shuffle is ``numpy.random.RandomState(seed).permutation(n)``: for seed 42 the one of the published study.

    Args:
        n: Number of images, at least 5.
        seed: Seed of the shuffle.

    Raises:
        ValueError: Fewer than five images.

    Example:
        >>> random20(10, 42).fit.tolist()
        [8, 1]
    """
    if n < 5:
        raise ValueError(f"random20 parts at least 5 images, got {n}")
    order = np.random.RandomState(seed).permutation(n)
    n_fit = n // 5
    return Split(order[:n_fit].astype(np.int64), order[n_fit:].astype(np.int64))


RANDOM: Mapping[str, Callable[[int, int], Split]] = {"random20": random20}
"""The splits that a seed decides, by their names."""

NATS = "nats"
"""The split that NATS-Bench lists; it has no seed."""


def split_names() -> tuple[str, ...]:
    """Return the names of the known splits."""
    return (*RANDOM, NATS)


def seeds_of(name: str, seeds: Sequence[int]) -> tuple[int, ...]:
    """Return those of some seeds that a split takes: all of them, or 0 alone where it has none.

    Example:
        >>> seeds_of("random20", [1, 2]), seeds_of("nats", [1, 2])
        ((1, 2), (0,))
    """
    return (0,) if name == NATS else tuple(seeds)


def split(name: str, n: int, seed: int) -> Split:
    """Return the random split of n images with a given name and seed.

    Raises:
        ValueError: The split is unknown or there are too few images for it.
    """
    if name not in RANDOM:
        raise ValueError(f"expected a random split among {', '.join(RANDOM)}, got {name!r}")
    return RANDOM[name](n, seed)
