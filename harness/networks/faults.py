"""Want of memory, and the loss of a device, as Python, torch, cuDNN and cuBLAS say it."""

import torch

from harness.errors import WorkerLostError

_OF_DEVICE = (
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",  # of cuDNN from version 9 on
    "error: out of memory",  # where torch's own allocator is not asked
    "unable to find an engine to execute this computation",  # torch, when no workspace of cuDNN had room
    "STATUS_NOT_INITIALIZED",  # no room for the handle of a library
)
_LOST = (
    "STATUS_EXECUTION_FAILED",
    # What a process says that starts on a GPU which another has lost:
    "No CUDA GPUs are available",
    "CUDA unknown error",
    "CUDA driver initialization failed",
    "Unexpected error from cudaGetDeviceCount",
    "CUDA driver error",
)
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
    says_so = isinstance(error, torch.AcceleratorError) or any(text in str(error) for text in _LOST)
    return says_so and not is_out_of_memory(error)


def try_device(device: torch.device | str) -> None:
    """Compute something on a device.

    Raises:
        WorkerLostError: It cannot be used.
    """
    try:
        torch.zeros(1, device=device).add(1).cpu()
    except (RuntimeError, AssertionError) as error:  # the latter is what a torch without CUDA raises
        raise WorkerLostError(f"the device {device} cannot be used: {error}") from error
