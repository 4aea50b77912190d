"""Want of memory, and the loss of a device, as Python, torch, cuDNN and cuBLAS say it."""

import torch

_OF_DEVICE = ("STATUS_ALLOC_FAILED", "CUDA error: out of memory")  # the latter where torch's own allocator is not asked
_OF_HOST = ("can't allocate memory", "not enough memory")  # what torch's allocator for CPUs says in a RuntimeError


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory, of the machine or of a GPU, was not to be had.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(ValueError())
        (True, False)
    """
    if isinstance(error, MemoryError) or is_out_of_device_memory(error):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OF_HOST)


def is_out_of_device_memory(error: BaseException) -> bool:
    """Return whether an exception says that the memory of a GPU was not to be had: to torch, CUDA, cuDNN or cuBLAS.

    Example:
        >>> is_out_of_device_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
        True
    """
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OF_DEVICE)


def is_device_lost(error: RuntimeError) -> bool:
    """Return whether an exception says that a GPU failed: the process cannot use it any more.

    Example:
        >>> is_device_lost(RuntimeError("shapes differ"))
        False
    """
    says_so = isinstance(error, torch.AcceleratorError) or "STATUS_EXECUTION_FAILED" in str(error)
    return says_so and not is_out_of_memory(error)
