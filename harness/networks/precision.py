"""The arithmetic of an inference: full float32, TF32 inside convolutions and products, or bfloat16 throughout."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn
from torch.backends import cudnn

FLOAT32, TF32, BFLOAT16 = "float32", "tf32", "bfloat16"

PRECISIONS = (FLOAT32, TF32, BFLOAT16)
"""``float32`` with TF32 off; ``tf32``, of CUDA GPUs: float32 whose convolutions and products round their arguments to
10 bits of mantissa; ``bfloat16``: weights, activations and logits of 7 bits of mantissa."""


def require_precision(precision: str, device: torch.device | str) -> None:
    """Refuse an unknown precision, and TF32 where there is none.

    Raises:
        ValueError: So it is.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == TF32 and torch.device(device).type != "cuda":
        raise ValueError(f"precision: tf32 is arithmetic of CUDA GPUs, got the device {device}; take float32")


def dtype_of(precision: str) -> torch.dtype:
    """Return the type of weights and activations.

    Example:
        >>> dtype_of("tf32"), dtype_of("bfloat16")
        (torch.float32, torch.bfloat16)
    """
    return torch.bfloat16 if precision == BFLOAT16 else torch.float32


def cast(net: nn.Module, precision: str) -> nn.Module:
    """Return a network of float32 itself, or a copy of it in the type of a precision."""
    dtype = dtype_of(precision)
    return net if dtype == torch.float32 else copy.deepcopy(net).to(dtype)


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Switch TF32 on or off for convolutions and products, and restore the settings afterwards.

    They are those of the whole process: threads must not be in this context at the same time.
    """
    before = torch.get_float32_matmul_precision()
    wanted: Literal["high", "highest"] = "high" if precision == TF32 else "highest"
    torch.set_float32_matmul_precision(wanted)
    try:
        with cudnn.flags(
            enabled=cudnn.enabled,
            benchmark=cudnn.benchmark,
            deterministic=cudnn.deterministic,
            allow_tf32=precision == TF32,
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
