"""The arithmetic of an inference: full float32, TF32 inside convolutions and products, or bfloat16 throughout."""

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float32
from torch import Tensor, nn
from torch.backends import cudnn
from torch.overrides import TorchFunctionMode

FLOAT32, TF32, BFLOAT16 = "float32", "tf32", "bfloat16"

PRECISIONS = (FLOAT32, TF32, BFLOAT16)
"""``float32`` with TF32 off; ``tf32``: float32 whose convolutions and products round their arguments to 10 bits of
mantissa, emulated where the device has no such arithmetic; ``bfloat16``: weights, activations and logits of 7 bits of
mantissa."""

_CUT_BITS = 13
"""Bits of mantissa that float32 has and TF32 has not."""

_PRODUCTS = frozenset({F.conv2d, F.linear})
"""What the networks are made of that rounds its arguments in TF32."""


def require_precision(precision: str) -> None:
    """Refuse an unknown precision.

    Raises:
        ValueError: So it is.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected {', '.join(PRECISIONS)}, got {precision!r}")


def has_tf32(device: torch.device | str) -> bool:
    """Return whether a device multiplies in TF32 by itself: NVIDIA's GPUs from compute capability 8.0 (Ampere) on."""
    is_nvidia = torch.device(device).type == "cuda" and torch.version.hip is None
    return is_nvidia and torch.cuda.get_device_capability(device) >= (8, 0)


def dtype_of(precision: str) -> torch.dtype:
    """Return the type of weights and activations.

    Example:
        >>> dtype_of("tf32"), dtype_of("bfloat16")
        (torch.float32, torch.bfloat16)
    """
    return torch.bfloat16 if precision == BFLOAT16 else torch.float32


def cast(net: nn.Module, precision: str) -> nn.Module:
    """Return a network itself if it has the type of a precision, else a copy that has."""
    dtype = dtype_of(precision)
    held = next(itertools.chain(net.parameters(), net.buffers()), None)
    return net if held is None or held.dtype == dtype else copy.deepcopy(net).to(dtype)


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


def rounding(precision: str, device: torch.device | str) -> AbstractContextManager[object]:
    """Return the context, of one thread, in which a device without TF32 computes as one that has it."""
    return _TF32Rounding() if precision == TF32 and not has_tf32(device) else nullcontext()


class _TF32Rounding(TorchFunctionMode):
    """Rounds the arguments of convolutions and products and leaves them otherwise as they are: sums are in float32.

    Arguments are expected as the networks of both spaces give them, input and weight by position. Those that name their
    ``groups`` are the average pools of a CPU (:mod:`harness.networks.pooling`), which a GPU does not make of products.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if func not in _PRODUCTS or kwargs.get("groups", 1) != 1:
            return func(*args, **kwargs)
        x, weight, *others = args
        assert isinstance(x, Tensor)
        assert isinstance(weight, Tensor)
        return func(rounded_to_tf32(x), rounded_to_tf32(weight), *others, **kwargs)


def rounded_to_tf32(x: Float32[Tensor, "..."]) -> Float32[Tensor, "..."]:
    """Return numbers rounded to the nearest of TF32, which has 10 bits of mantissa; ties go away from zero.

    That is the rounding of the instruction ``cvt.rna.tf32.f32``: https://docs.nvidia.com/cuda/parallel-thread-execution

    Example:
        >>> one_step, half_step = 2.0**-10, 2.0**-11
        >>> rounded_to_tf32(torch.tensor([1 + half_step, 1 + 0.99 * half_step, -1 - half_step])) - 1
        tensor([ 9.7656e-04,  0.0000e+00, -2.0010e+00])
    """
    bits = x.view(torch.int32)
    rounded = ((bits + (1 << _CUT_BITS - 1)) & -(1 << _CUT_BITS)).view(torch.float32)
    return torch.where(x.isfinite(), rounded, x)
