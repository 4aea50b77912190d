"""One pass of a network over a set of images: uint8 pixels in, float32 logits out."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from harness.networks.precision import FLOAT32, arithmetic, cast, dtype_of, require_precision, rounding

_MAX_PIXEL = 255

_CACHED_PIXELS = 32 * 32**2
"""Pixels that go through a network together on a CPU, so that its activations stay in the cache: 32 images of CIFAR.

Over 10 TSS and 4 SSS networks and one thread, the fast form was 3.5, 4.3, 4.5, 4.6 and 2.9 times as fast as the plain
one on 192 images at once, with 8, 16, 32, 48 and 192 images in a pass.
"""


def infer(
    net: nn.Module,
    images: UInt8[Tensor, "n 3 h w"],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    *,
    batch_size: int,
    device: torch.device | str,
    precision: str = FLOAT32,
) -> Float32[Tensor, "n classes"]:
    """Return the logits of all images, on the CPU.

    All images lie on the device at once; a batch ``x`` is normalised there in float32 as ``(x / 255 - mean) / std``.
    TF32 is off meanwhile, unless it is asked for. On a CPU, batches are small enough for its cache, and where torch has
    several threads, each of them takes batches of its own: the network's forward pass must change nothing in it.

    Args:
        net: The network, plain or fast, in float32 or :func:`harness.networks.cast` to the precision; it is moved to
            the device and left there in evaluation mode.
        images: Pixels; at least one image.
        mean: Mean of each channel, for pixels in [0, 1].
        std: Standard deviation of each channel, positive.
        batch_size: Most images in one forward pass, at least 1. It changes the logits by rounding only.
        device: Where to compute.
        precision: Arithmetic, one of :data:`harness.networks.PRECISIONS`; pixels are normalised in float32 in each.

    Raises:
        ValueError: There are no images, ``batch_size`` is less than 1, or ``precision`` is unknown.
    """
    if len(images) == 0:
        raise ValueError("images: expected at least one, got none")
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    require_precision(precision)
    net, dtype = cast(net.to(device).eval(), precision), dtype_of(precision)
    images = images.to(device)
    shift, scale = (torch.tensor(values, dtype=torch.float32, device=device).view(3, 1, 1) for values in (mean, std))

    def forward(batch: UInt8[Tensor, "m 3 h w"]) -> Float32[Tensor, "m classes"]:
        with torch.inference_mode(), rounding(precision, device):
            return net(((batch.float() / _MAX_PIXEL - shift) / scale).to(dtype)).float()

    with arithmetic(precision):
        logits = torch.cat(_each(forward, images.split(pass_size(images, batch_size)))).cpu()
    return logits.clone()  # made outside inference mode, so that callers may change it in place


def pass_size(images: UInt8[Tensor, "n 3 h w"], batch_size: int) -> int:
    """Return how many images go through a network together: on a CPU so few that they stay in its cache.

    Args:
        images: Pixels, on the device of the inference.
        batch_size: How many at most.
    """
    if images.device.type != "cpu":
        return batch_size
    _, _, height, width = images.shape
    return max(1, min(batch_size, _CACHED_PIXELS // (height * width)))


def _each(forward: Callable[[Tensor], Tensor], batches: Sequence[Tensor]) -> list[Tensor]:
    """Return the result of each batch; on a CPU every thread of torch takes batches of its own.

    One thread in each operation and several batches at once is faster than one batch with several threads in each
    operation, which must wait for one another after each.
    """
    n_threads = torch.get_num_threads()
    if n_threads == 1 or len(batches) == 1 or batches[0].device.type != "cpu":
        return [forward(batch) for batch in batches]
    workers = ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        return list(workers.map(forward, batches))
    finally:
        workers.shutdown(cancel_futures=True)
        torch.set_num_threads(n_threads)  # that of a worker is the default of threads to come as well
