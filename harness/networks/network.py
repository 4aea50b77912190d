"""The one network module of both spaces, put together from the skeleton that ``harness.spaces`` gives."""

from functools import reduce

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from harness import spaces
from harness.networks.operations import Reduction, build_operation
from harness.spaces import EDGES, N_NODES, Block, Skeleton


class Cell(nn.Module):
    """Four nodes; each but the input is the sum of its incoming edges, and the last is the output.

    Args:
        operations: Operation of each of ``EDGES``.
        c_in: Channels of the input; the edges from it lead to ``c_out``.
        c_out: Channels of all other nodes.
    """

    def __init__(self, operations: tuple[str, ...], c_in: int, c_out: int) -> None:
        super().__init__()
        self.c_out = c_out
        self.layers = nn.ModuleList(
            build_operation(operation, c_in if edge.source == 0 else c_out, c_out)
            for operation, edge in zip(operations, EDGES, strict=True)
        )

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h w"]:
        """Return the value of the last node."""
        nodes = [x]
        for target in range(1, N_NODES):
            # The order of the terms is that of training: float addition is not associative.
            terms = [
                layer(nodes[edge.source])
                for layer, edge in zip(self.layers, EDGES, strict=True)
                if edge.target == target
            ]
            nodes.append(reduce(torch.add, terms))
        return nodes[-1]


class Network(nn.Module):
    """Stem, stack of cells and reductions, head.

    Its ``state_dict`` has the keys and shapes of NATS-Bench's weights.

    Args:
        skeleton: What to stack.
        num_classes: Outputs of the classifier, at least 1.
    """

    def __init__(self, skeleton: Skeleton, num_classes: int) -> None:
        super().__init__()
        c_first, c_last = skeleton.blocks[0].c_in, skeleton.blocks[-1].c_out
        self.stem = nn.Sequential(nn.Conv2d(3, c_first, 3, padding=1, bias=False), nn.BatchNorm2d(c_first))
        self.cells = nn.Sequential(*(_build_block(block, skeleton.operations) for block in skeleton.blocks))
        self.lastact = nn.Sequential(nn.BatchNorm2d(c_last), nn.ReLU())
        self.classifier = nn.Linear(c_last, num_classes)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Return the logits of normalised images, whose height and width are multiples of 4."""
        features = self.lastact(self.cells(self.stem(images)))
        pooled = F.adaptive_avg_pool2d(features, 1).flatten(1)  # n c h w -> n c
        return self.classifier(pooled)


def _build_block(block: Block, operations: tuple[str, ...]) -> nn.Module:
    if block.kind == "reduction":
        return Reduction(block.c_in, block.c_out)
    return Cell(operations, block.c_in, block.c_out)


def build(space: str, arch_str: str, num_classes: int, channels: int = 16, cells: int = 5) -> Network:
    """Return the untrained network of an architecture, in training mode on the CPU.

    Args:
        space: Name of the search space, ``tss`` or ``sss``.
        arch_str: String of the architecture.
        num_classes: Outputs of the classifier, at least 1.
        channels: Channels of the first stage; of tss only.
        cells: Cells in each stage; of tss only.

    Raises:
        ValueError: There is no such space or architecture, or a number is out of range or does not apply.

    Example:
        >>> network = build("sss", "8:8:8:8:8", num_classes=10)
        >>> sum(parameter.numel() for parameter in network.parameters())
        11714
    """
    if num_classes < 1:
        raise ValueError(f"num_classes: expected at least 1, got {num_classes}")
    return Network(spaces.get(space).skeleton(arch_str, channels=channels, cells=cells), num_classes)
