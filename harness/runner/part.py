"""Parts of a study for commands that share it, such as the jobs of an array: which architectures are whose."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64


@dataclass(frozen=True, slots=True)
class Part:
    """The k-th of n parts; all units of an architecture are in one part, and every architecture is in one.

    Attributes:
        k: Which part, in 1 ... n.
        n: The number of parts.
    """

    k: int
    n: int

    def __str__(self) -> str:
        return f"{self.k}/{self.n}"


def in_part(space: str, arch_indices: Int64[np.ndarray, " n"], part: Part) -> Bool[np.ndarray, " n"]:
    """Return which architectures are in a part, by a hash of each one's name alone.

    So an architecture is in the same part whatever else the study selects, and the parts are of about equal size.

    Args:
        space: Their search space.
        arch_indices: Their indices.
        part: The part.

    Example:
        >>> [int(sum(in_part("tss", np.arange(100), Part(k, 3)))) for k in (1, 2, 3)]
        [30, 35, 35]
    """
    return np.array([_hash(space, int(i)) % part.n == part.k - 1 for i in arch_indices], dtype=bool)


def cut(
    space: str, arch_indices: Int64[np.ndarray, " n"], limit: int | None, part: Part | None
) -> Int64[np.ndarray, " m"]:
    """Return the architectures that a command takes of those that were chosen.

    Args:
        space: Their search space.
        arch_indices: Their indices.
        limit: Take the first so many; None for all.
        part: Take of these those of a part; None for all.

    Example:
        >>> cut("tss", np.arange(100), 10, Part(2, 3)).tolist()
        [0, 2, 6, 8]
    """
    first = arch_indices[:limit]
    return first if part is None else first[in_part(space, first, part)]


def _hash(space: str, arch_index: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{space}/{arch_index}".encode()).digest()[:8])
