"""One pass of a network over a set of images: uint8 pixels in, float32 logits out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.backends import cudnn

_MAX_PIXEL = 255


def infer(
    net: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    *,
    batch_size: int,
    device: torch.device | str,
) -> Float32[Tensor, "n classes"]:
    """Return the logits of all images, on the CPU.

    All images lie on the device at once; a batch ``x`` is normalised there in float32 as ``(x / 255 - mean) / std``.
    Convolutions and products are full float32: TF32 is off meanwhile.

    Args:
        net: The network in float32; it is moved to the device and left there in evaluation mode.
        images: Pixels; at least one image.
        mean: Mean of each channel, for pixels in [0, 1].
        std: Standard deviation of each channel, positive.
        batch_size: Images in one forward pass, at least 1. It changes the logits by rounding only.
        device: Where to compute.

    Raises:
        ValueError: There are no images, or ``batch_size`` is less than 1.
    """
    if len(images) == 0:
        raise ValueError("images: expected at least one, got none")
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    net = net.to(device).eval()
    shift, scale = (torch.tensor(values, dtype=torch.float32, device=device).view(3, 1, 1) for values in (mean, std))
    with torch.inference_mode(), _full_float32():
        batches = images.to(device).split(batch_size)
        logits = torch.cat([net((batch.float() / _MAX_PIXEL - shift) / scale) for batch in batches]).cpu()
    return logits.clone()  # made outside inference mode, so that callers may change it in place


@contextmanager
def _full_float32() -> Iterator[None]:
    """Switch TF32 off for convolutions and matrix products, and restore the process's settings afterwards."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with cudnn.flags(
            enabled=cudnn.enabled,
            benchmark=cudnn.benchmark,
            deterministic=cudnn.deterministic,
            allow_tf32=False,
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
