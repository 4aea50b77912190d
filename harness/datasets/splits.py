"""How the images of a test set are parted into a calibration (fit) part and an evaluation part."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64


class Split(NamedTuple):
    """Indices of the images on which calibrators are fitted, and of those on which everything is scored."""

    fit: Int64[np.ndarray, " n_fit"]
    evaluation: Int64[np.ndarray, " n_evaluation"]


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


_SPLITS: dict[str, Callable[[int, int], Split]] = {"random20": random20}


def split_names() -> tuple[str, ...]:
    """Return the names of the known splits."""
    return tuple(_SPLITS)


def split(name: str, n: int, seed: int) -> Split:
    """Return the split of n images with a given name and seed.

    Raises:
        ValueError: The split is unknown or there are too few images for it.
    """
    if name not in _SPLITS:
        raise ValueError(f"expected a split among {', '.join(_SPLITS)}, got {name!r}")
    return _SPLITS[name](n, seed)
