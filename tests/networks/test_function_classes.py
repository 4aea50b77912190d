"""Function classes hold for real networks: their members agree once weights are carried over, others never do."""

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn

from harness import spaces
from harness.networks import Network, build
from harness.networks.operations import ReluConvNorm

TSS = spaces.get("tss")
N_CLASSES = 5
MAX_CONVOLUTIONS = 3  # so that all pairings can be tried
N_PAIRS = 10
ROUNDING = 1e-9  # of logits in the hundreds, in float64


def random_network(i: int, seed: int) -> Network:
    """Return a small network with random weights and BatchNorm statistics, in evaluation mode and float64."""
    generator = torch.Generator().manual_seed(seed)
    net = build("tss", TSS.arch_str(i), N_CLASSES, channels=3, cells=1).double().eval()
    for name, tensor in net.state_dict().items():
        if name.endswith(("running_var", "lastact.0.weight")):
            tensor.uniform_(0.5, 2, generator=generator)
        elif tensor.is_floating_point():
            tensor.normal_(0, 0.7, generator=generator)
    return net


def cells_of(net: Network) -> list[nn.ModuleList]:
    return [block.layers for block in net.cells if hasattr(block, "layers")]


def convolutions(i: int) -> list[int]:
    """Return the edges of an architecture's cell that hold a convolution."""
    return [k for k, name in enumerate(TSS.skeleton(TSS.arch_str(i)).operations) if name.startswith("nor_conv")]


def transplant(giver: Network, taker: Network, pairs: list[tuple[int, int]]) -> None:
    """Carry all weights over, of cells those of the paired edges; where kernels differ in size, the BatchNorm alone."""
    common = {key: value for key, value in giver.state_dict().items() if ".layers." not in key}
    taker.load_state_dict(common, strict=False)
    for given, taken in zip(cells_of(giver), cells_of(taker), strict=True):
        for source, target in pairs:
            one, other = given[source], taken[target]
            assert isinstance(one, ReluConvNorm)
            assert isinstance(other, ReluConvNorm)
            if one.op[1].weight.shape == other.op[1].weight.shape:
                other.op[1].load_state_dict(one.op[1].state_dict())
            other.op[2].load_state_dict(one.op[2].state_dict())


def smallest_difference(i: int, j: int) -> float:
    """Return the smallest difference of logits over all pairings of the convolutions of two architectures."""
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    giver, taker = random_network(i, seed=0), random_network(j, seed=1)
    sources, targets = convolutions(i), convolutions(j)
    # Convolutions that do not reach the output need no partner.
    sources += [-1] * max(0, len(targets) - len(sources))
    differences = []
    with torch.inference_mode():
        expected = giver(images)
        for order in permutations(sources, len(targets)):
            pairs = [(source, target) for source, target in zip(order, targets, strict=True) if source >= 0]
            transplant(giver, taker, pairs)
            differences.append(float((taker(images) - expected).abs().max()))
    return min(differences)


@pytest.fixture(scope="module")
def functions():
    return np.array([TSS.function_class(i) for i in range(len(TSS))])


@pytest.fixture(scope="module")
def isomorphs():
    return np.array([TSS.representative(i) for i in range(len(TSS))])


def draw_pairs(classes: np.ndarray, functions: np.ndarray, *, same_function: bool) -> list[tuple[int, int]]:
    """Return pairs of one class, drawn over the space, that are of one function class or are not."""
    rng = np.random.default_rng(0)
    pairs = []
    n_convolutions = np.array([arch_str.count("nor_conv") for arch_str in TSS.strings])
    few = np.flatnonzero((n_convolutions >= 1) & (n_convolutions <= MAX_CONVOLUTIONS))
    for j in rng.permutation(few):
        is_alike = (classes[few] == classes[j]) & ((functions[few] == functions[j]) == same_function) & (few != j)
        if is_alike.any():
            pairs.append((int(rng.choice(few[is_alike])), int(j)))
        if len(pairs) == N_PAIRS:
            break
    return pairs


def test_members_of_a_function_class_agree_with_the_same_weights(functions, isomorphs):
    pairs = draw_pairs(functions, functions, same_function=True)
    assert {bool(isomorphs[i] == isomorphs[j]) for i, j in pairs} == {True, False}
    for i, j in pairs:
        assert smallest_difference(i, j) < ROUNDING, (i, j)


def test_isomorphs_of_other_functions_differ_however_weights_are_carried_over(functions, isomorphs):
    for i, j in draw_pairs(isomorphs, functions, same_function=False):
        assert smallest_difference(i, j) > 0.1, (i, j)
