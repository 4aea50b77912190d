"""The modules on the edges of a cell and between its stages, with the parameter names of NATS-Bench's weights.

Reference:
    ``models/cell_operations.py`` of AutoDL-Projects, which trained the networks. Only what the two spaces can reach is
    here: stride 1 on the edges, stride 2 in :class:`Reduction`, affine BatchNorm with running statistics.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn


class ReluConvNorm(nn.Module):
    """ReLU, convolution without bias, BatchNorm.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
        kernel_size: Odd side of the kernel; the padding keeps the resolution at stride 1.
        stride: Stride of the convolution.
    """

    def __init__(self, c_in: int, c_out: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(c_in, c_out, kernel_size, stride=stride, padding=kernel_size // 2, bias=False),
            nn.BatchNorm2d(c_out),
        )

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        """Return the activations before the next ReLU."""
        return self.op(x)


class Zero(nn.Module):
    """The operation ``none``.

    At constant width it multiplies by zero, so NaN and infinity in its input stay visible as NaN, as in the networks
    that were trained.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.c_in = c_in
        self.c_out = c_out

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h w"]:
        """Return zeros."""
        if self.c_in == self.c_out:
            return x.mul(0.0)
        n, _, height, width = x.shape
        return x.new_zeros(n, self.c_out, height, width)


class AveragePool(nn.Module):
    """3x3 average over the pixels inside the image, after a 1x1 :class:`ReluConvNorm` if the width changes.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.preprocess = nn.Identity() if c_in == c_out else ReluConvNorm(c_in, c_out, kernel_size=1)
        self.op = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h w"]:
        """Return the local means."""
        return self.op(self.preprocess(x))


class Projection(nn.Module):
    """A skip connection that changes the width: 1x1 convolution and BatchNorm.

    The original, ``FactorizedReduce`` at stride 1, builds a ReLU as well and does not apply it.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 1, bias=False)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h w"]:
        """Return the projected input."""
        return self.bn(self.conv(x))


class Reduction(nn.Module):
    """The residual block between stages, which halves the resolution.

    Args:
        c_in: Channels of the input.
        c_out: Channels of the output.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv_a = ReluConvNorm(c_in, c_out, kernel_size=3, stride=2)
        self.conv_b = ReluConvNorm(c_out, c_out, kernel_size=3)
        self.downsample = nn.Sequential(
            nn.AvgPool2d(2, stride=2),
            nn.Conv2d(c_in, c_out, 1, bias=False),
        )

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        """Return the sum of both branches, without a final ReLU."""
        return self.downsample(x) + self.conv_b(self.conv_a(x))


def _skip_connect(c_in: int, c_out: int) -> nn.Module:
    return nn.Identity() if c_in == c_out else Projection(c_in, c_out)


_OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": Zero,
    "skip_connect": _skip_connect,
    "nor_conv_1x1": lambda c_in, c_out: ReluConvNorm(c_in, c_out, kernel_size=1),
    "nor_conv_3x3": lambda c_in, c_out: ReluConvNorm(c_in, c_out, kernel_size=3),
    "avg_pool_3x3": AveragePool,
}


def build_operation(name: str, c_in: int, c_out: int) -> nn.Module:
    """Return the module of one edge.

    Args:
        name: One of ``harness.spaces.OPERATIONS``.
        c_in: Channels of the edge's source.
        c_out: Channels of the edge's target.

    Raises:
        ValueError: There is no such operation.
    """
    if name not in _OPERATIONS:
        raise ValueError(f"operation: expected one of {', '.join(_OPERATIONS)}, got {name!r}")
    return _OPERATIONS[name](c_in, c_out)
