"""Exact arithmetic on convolutions: BatchNorm folded in, sums of convolutions, convolutions of uniform maps.

All of it is done in float64; :mod:`harness.networks.fast` rounds once, at the end.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float64
from torch import Tensor, nn

from harness.networks.operations import Projection, ReluConvNorm


class Affine(NamedTuple):
    """A BatchNorm in evaluation mode: ``scale * x + shift`` in each channel."""

    scale: Float64[Tensor, " c"]
    shift: Float64[Tensor, " c"]


class Kernel(NamedTuple):
    """A convolution with zero padding that keeps the resolution at stride 1, and its bias."""

    weight: Float64[Tensor, "c_out c_in k k"]
    bias: Float64[Tensor, " c_out"]

    @property
    def side(self) -> int:
        """Pixels along the side of the kernel."""
        return self.weight.shape[-1]


def exact(tensor: Tensor) -> Tensor:
    """Return a copy of a tensor in float64, on the CPU and without its history."""
    return tensor.detach().to("cpu", torch.float64, copy=True)


def fold_norm(norm: nn.BatchNorm2d) -> Affine:
    """Return what a BatchNorm does in evaluation mode."""
    mean, var = norm.running_mean, norm.running_var
    assert mean is not None
    assert var is not None
    scale = exact(norm.weight) / torch.sqrt(exact(var) + norm.eps)
    return Affine(scale, exact(norm.bias) - exact(mean) * scale)


def fold_convolution(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Kernel:
    """Return one convolution in place of a convolution without bias and its BatchNorm."""
    scale, shift = fold_norm(norm)
    return Kernel(exact(convolution.weight) * scale[:, None, None, None], shift)


def fold_operation(operation: ReluConvNorm | Projection) -> Kernel:
    """Return the convolution of an edge with its BatchNorm; a ReLU before it is left to the caller."""
    if isinstance(operation, Projection):
        return fold_convolution(operation.conv, operation.bn)
    _, convolution, norm = operation.op
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return fold_convolution(convolution, norm)


def add_kernels(one: Kernel, other: Kernel) -> Kernel:
    """Return the convolution that gives the sum of two convolutions of the same input; the sides may differ."""
    side = max(one.side, other.side)
    return Kernel(_widened(one, side) + _widened(other, side), one.bias + other.bias)


def _widened(kernel: Kernel, side: int) -> Float64[Tensor, "c_out c_in side side"]:
    margin = (side - kernel.side) // 2
    return F.pad(kernel.weight, (margin,) * 4)


def convolve_uniform(kernel: Kernel, value: Float64[Tensor, " c_in"]) -> Float64[Tensor, " c_out"] | None:
    """Return the convolution of a map that is the same at all pixels; None if the result is not.

    The zero padding shows at the borders under a 3x3 kernel, unless the map is zero.
    """
    if not value.any():
        return kernel.bias
    if kernel.side > 1:
        return None
    return kernel.weight[:, :, 0, 0] @ value + kernel.bias
