"""Memory of a worker: having the C library keep it, and how much of a GPU's is its own and a network takes."""

from collections.abc import Callable

import numpy as np
import torch

_KEPT_BYTES = 16 * 2**20  # above the arrays of a measurement; of 32 MiB and more glibc does not learn
_OF_SHARE = 0.95  # of a GPU's memory: the rest of a share is for what torch does not allocate, such as the context


def fitting_batch(bytes_of_image: float, n_bytes: float) -> int:
    """Return how many images fit: the largest power of two that takes at most half of the memory.

    The other half is for what is resident, for the workspace of other algorithms and for fragments.

    Example:
        >>> fitting_batch(bytes_of_image=1e6, n_bytes=1e9)
        256
    """
    return 1 << max(0, int(n_bytes / (2 * bytes_of_image)).bit_length() - 1)


def gpu_count() -> int:
    """Return how many CUDA devices can be used here: a driver that is too old shows some that cannot."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def claim_share(device: str, share: float) -> None:
    """Keep this process to its share of a CUDA device's memory, so that those beside it do not miss what it caches."""
    wanted = torch.device(device)
    if wanted.type == "cuda" and share < 1:
        index = torch.cuda.current_device() if wanted.index is None else wanted.index  # torch wants it here alone
        torch.cuda.set_per_process_memory_fraction(_OF_SHARE * share, index)


def bytes_for_this_process(device: str, share: float) -> float:
    """Return how many bytes of a CUDA device this process may allocate beside what it has: of its share, and free."""
    free, total = torch.cuda.mem_get_info(device)
    allocated = torch.cuda.memory_allocated(device)
    unused = torch.cuda.memory_reserved(device) - allocated
    return max(0.0, min(_OF_SHARE * share * total - allocated, float(free + unused)))


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
