"""The inference form of a network: the same function in fewer and cheaper steps.

Cells are simplified (:mod:`harness.networks.simplification`) and every BatchNorm but the last is folded into a
convolution. What is left is executed with one ReLU per node, shared by all edges that leave it, and in place where
nothing else needs the value; tensors are channels-last, which the convolutions of these widths want.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from harness.errors import EvaluationError
from harness.networks.folding import exact, fold_convolution, fold_norm, fold_operation
from harness.networks.network import Cell, Network
from harness.networks.operations import Reduction
from harness.networks.pooling import LocalMean
from harness.networks.simplification import INPUT, Sum, depends_on_input, simplify


def fast(net: Network) -> nn.Module:
    """Return the inference form of a network: its logits in evaluation mode, up to rounding.

    In float32, logits differ from those of ``net`` by no more than ``1e-4 * max(1, largest absolute logit)``, usually
    by less than a hundredth of that, unless ``net`` itself is that far from its exact logits (seen with logits of
    1e35). Activations that the form leaves out must be finite in ``net``, where ``none`` makes NaN of infinity. An
    image with a NaN has NaN logits in both.

    The form has the type and device of the network, whose weights it copies; it has no parameters, can be moved and
    cast, and is differentiable in the images.

    Args:
        net: A network of either space; it is left as it is, and later changes to it have no effect.

    Raises:
        EvaluationError: A weight or statistic of ``net``, used or not, is not finite, or is so extreme that its folded
            form is not. Such a network is to be evaluated plainly, so that its NaN are seen.
    """
    _check_finite(net.state_dict(), "its weights")
    weight = net.classifier.weight
    form = _FastNetwork(net).to(weight.device, weight.dtype)
    _check_finite(form.state_dict(), "its weights with BatchNorm folded in")
    return form.eval()


def _check_finite(tensors: dict[str, Tensor], what: str) -> None:
    if not torch.isfinite(torch.cat([tensor.flatten() for tensor in tensors.values()])).all():
        key = next(key for key, tensor in tensors.items() if not torch.isfinite(tensor).all())
        raise EvaluationError(f"net: expected {what} to be finite, {key} is not; evaluate it plainly")


class _Convolution(nn.Module):
    """A convolution with zero padding that keeps the resolution at stride 1."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.padding = weight.shape[-1] // 2
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", None if bias is None else bias.clone())

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class _Values:
    """The nodes of a cell while it is executed.

    Args:
        x: Value of the input; it is overwritten if only its ReLU is used.
        raw: Nodes that are used as they are.
    """

    def __init__(self, x: Float[Tensor, "n c h w"], raw: frozenset[int]) -> None:
        self._raw = raw
        self._values = {INPUT: x}
        self._rectified: dict[int, Tensor] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of all nodes."""
        height, width = self._values[INPUT].shape[-2:]
        return height, width

    def put(self, node: int, value: Float[Tensor, "n c h w"]) -> None:
        self._values[node] = value

    def get(self, node: int, is_rectified: bool = False) -> Float[Tensor, "n c h w"]:
        if not is_rectified:
            return self._values[node]
        if node not in self._rectified:
            value = self._values[node]
            self._rectified[node] = F.relu(value) if node in self._raw else F.relu_(value)
        return self._rectified[node]


class _Node(nn.Module):
    """One sum of a simplified cell.

    Its first convolution has the biases of all, and the shift: a GPU adds each bias in a pass of its own.
    """

    shift: Tensor | None

    def __init__(self, node: Sum) -> None:
        super().__init__()
        self.arguments = tuple(node.kernels)
        self.pools = tuple(node.pools.items())
        self.skips = tuple(node.skips.items())
        self.is_uniform = node.is_uniform
        kernels, shift = list(node.kernels.values()), node.shift
        bias = torch.stack([shift, *(kernel.bias for kernel in kernels)]).sum(dim=0)
        self.convolutions = nn.ModuleList(
            _Convolution(kernel.weight, None if place else bias) for place, kernel in enumerate(kernels)
        )
        self.mean = LocalMean(len(shift)) if node.pools else None
        is_shifted = not kernels and (node.is_uniform or bool(shift.any()))
        self.register_buffer("shift", shift[None, :, None, None].clone() if is_shifted else None)

    def forward(self, values: _Values) -> Float[Tensor, "m c h w"]:
        """Return the value, of one image instead of all if it does not depend on them."""
        if self.is_uniform and self.shift is not None:
            return self.shift.expand(-1, -1, *values.size).clone()  # whoever gets it may overwrite it
        fresh = [
            convolution(values.get(*argument))
            for convolution, argument in zip(self.convolutions, self.arguments, strict=True)
        ]
        if self.mean is not None:
            fresh.append(self.mean(_add_up([], [(values.get(node), times) for node, times in self.pools])))
        lent = [(values.get(node), times) for node, times in self.skips]
        return _add_up(fresh, lent if self.shift is None else [*lent, (self.shift, 1)])


def _add_up(fresh: list[Tensor], lent: list[tuple[Tensor, int]]) -> Tensor:
    """Return the sum of terms that may be overwritten and of multiples of terms that may not."""
    fresh = sorted(fresh, key=len, reverse=True)  # what does not depend on the images has one image alone
    terms = [(term, 1) for term in fresh] + lent
    total, times = terms[0]
    is_own = bool(fresh)
    if times > 1:
        total, is_own = total * times, True
    for term, times in terms[1:]:
        if is_own and len(term) in (1, len(total)):
            total.add_(term, alpha=times)
        else:
            total, is_own = torch.add(total, term, alpha=times), True
    return total


class _Cell(nn.Module):
    """A simplified cell; it may overwrite its input."""

    def __init__(self, nodes: dict[int, Sum]) -> None:
        super().__init__()
        self.is_constant = not depends_on_input(nodes)
        self.numbers = tuple(nodes)
        self.nodes = nn.ModuleList(map(_Node, nodes.values()))
        self.raw = frozenset().union(*(node.raw for node in nodes.values()))

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "m c_out h w"]:
        """Return the output, of one image instead of all if it does not depend on them."""
        values = _Values(x, self.raw)
        value = x
        for number, node in zip(self.numbers, self.nodes, strict=True):
            value = node(values)
            values.put(number, value)
        return value


class _Reduction(nn.Module):
    """The residual block between stages."""

    def __init__(self, reduction: Reduction) -> None:
        super().__init__()
        projection = reduction.downsample[1]
        assert isinstance(projection, nn.Conv2d)
        self.conv_a = _Convolution(*fold_operation(reduction.conv_a), stride=2)
        self.conv_b = _Convolution(*fold_operation(reduction.conv_b))
        self.downsample = _Convolution(exact(projection.weight), None)

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        halved = self.downsample(F.avg_pool2d(x, 2))
        return self.conv_b(F.relu_(self.conv_a(F.relu(x)))).add_(halved)


class _Head(nn.Module):
    """BatchNorm, ReLU, global average pooling, classifier."""

    scale: Tensor
    shift: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.BatchNorm2d, classifier: nn.Linear) -> None:
        super().__init__()
        scale, shift = fold_norm(norm)
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", shift[:, None, None])
        self.register_buffer("weight", exact(classifier.weight))
        self.register_buffer("bias", exact(classifier.bias))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        features = F.relu_(torch.addcmul(self.shift, x, self.scale))
        return F.linear(features.mean((2, 3)), self.weight, self.bias)


def _fast_block(block: nn.Module) -> nn.Module:
    if isinstance(block, Reduction):
        return _Reduction(block)
    assert isinstance(block, Cell)
    return _Cell(simplify(block))


class _FastNetwork(nn.Module):
    """Stem, simplified cells and reductions, head."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        stem, norm = net.stem
        assert isinstance(stem, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        last_norm = net.lastact[0]
        assert isinstance(last_norm, nn.BatchNorm2d)
        blocks = [_fast_block(block) for block in net.cells]
        self.is_constant = any(isinstance(block, _Cell) and block.is_constant for block in blocks)
        self.stem = _Convolution(*fold_convolution(stem, norm))
        self.blocks = nn.Sequential(*blocks)
        self.head = _Head(last_norm, net.classifier)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits of normalised images, whose height and width are multiples of 4."""
        if self.is_constant:
            # The images count by their size alone; adding nothing of them keeps NaN visible and the gradient defined.
            return self._logits(images.new_zeros(1, *images.shape[1:])) + images.mul(0).sum((1, 2, 3))[:, None]
        return self._logits(images)

    def _logits(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        return self.head(self.blocks(self.stem(images.contiguous(memory_format=torch.channels_last))))
