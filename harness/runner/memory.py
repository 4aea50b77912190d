"""Memory of a worker: having the C library keep it, and how much of a GPU's a network takes."""

from collections.abc import Callable

import numpy as np
import torch

_KEPT_BYTES = 16 * 2**20  # above the arrays of a measurement; of 32 MiB and more glibc does not learn


def fitting_batch(bytes_of_image: float, n_bytes: float) -> int:
    """Return how many images fit: the largest power of two that takes at most half of the memory.

    The other half is for what is resident, for the workspace of other algorithms and for fragments.

    Example:
        >>> fitting_batch(bytes_of_image=1e6, n_bytes=1e9)
        256
    """
    return 1 << max(0, int(n_bytes / (2 * bytes_of_image)).bit_length() - 1)


def peak_bytes_on_device(work: Callable[[], object], device: str) -> int:
    """Return the most memory of a CUDA device that some work allocates on top of what is allocated already."""
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    return torch.cuda.max_memory_allocated(device) - before


def keep_freed_memory() -> None:
    """Have glibc reuse the memory of freed arrays in this process.

    It gives what is freed back to the kernel, and fetches it again page by page, until it has seen a large array freed.
    Loading images or running a network does that; a worker that measures stored logits does neither, and takes up to 3
    times as long.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)
