"""The fast form computes what the network computes, for every architecture and whatever the weights."""

import copy
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from harness import spaces
from harness.errors import EvaluationError
from harness.networks import Cell, build, fast, infer
from harness.networks.fast import _Cell
from harness.networks.operations import AveragePool
from harness.networks.pooling import LocalMean
from harness.networks.simplification import depends_on_input, simplify
from harness.spaces import OPERATIONS
from harness.spaces.cell import format_cell, parse_cell

TSS, SSS = spaces.get("tss"), spaces.get("sss")
TOLERANCE = 1e-4
ROUNDING = 1e-12  # of float64, relative to the largest logit
CODES = {"0": "none", "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}

tss_cells = st.tuples(*[st.sampled_from(OPERATIONS)] * 6)
tss_sizes = st.fixed_dictionaries({"channels": st.integers(1, 17), "cells": st.integers(1, 3)})
sss_widths = st.tuples(*[st.sampled_from(range(8, 65, 8))] * 5)
architectures = st.tuples(tss_cells, tss_sizes) | st.tuples(sss_widths, st.just({}))
image_sizes = st.tuples(*[st.sampled_from((8, 12, 16))] * 2) | st.just((32, 32))
seeds = st.integers(0, 2**32 - 1)


def network(architecture, seed, *, extreme=False):
    """Return a random network of either space, given its operations or widths."""
    choices, sizes = architecture
    if sizes:
        return randomised(build("tss", format_cell(choices), 7, **sizes), seed, extreme=extreme)
    return randomised(build("sss", ":".join(map(str, choices)), 7), seed, extreme=extreme)


def randomised(net, seed, *, extreme=False):
    """Return a network with random weights and statistics, in evaluation mode.

    With ``extreme`` some channels have variances of 0 or 1e10, means in the thousands, and weights of 0 or -30.
    """
    rng = np.random.default_rng(seed)

    def drawn(values, c):
        likely = [0.7, *[0.3 / (len(values) - 1)] * (len(values) - 1)]
        return torch.tensor(rng.choice(values, c, p=likely) if extreme else np.full(c, values[0]))

    def normal(shape, deviation=1.0):
        return torch.tensor(rng.normal(0, deviation, tuple(shape)))

    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            c = module.num_features
            module.running_mean.copy_(normal([c]) * drawn((0.5, 30, 1000), c))
            module.running_var.copy_(torch.tensor(rng.uniform(0.5, 2, c)) * drawn((1, 0, 1e-9, 1e-4, 1e4, 1e10), c))
            module.weight.data.copy_(torch.tensor(rng.uniform(0.5, 1.5, c)) * drawn((1, 0, -30, 1e-20), c))
            module.bias.data.copy_(normal([c], 0.5))
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.copy_(normal(module.weight.shape, (2 / module.weight[0].numel()) ** 0.5))
    return net.eval()


def random_images(n, height, width, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(0, 1.5, (n, 3, height, width)))


def relative_difference(net, images):
    """Return the largest difference of the fast form's logits in multiples of the largest logit, or of 1 if larger."""
    with torch.inference_mode():
        expected, logits = net(images), fast(net)(images)
    assert logits.shape == expected.shape
    assert logits.dtype == expected.dtype
    return float((logits - expected).abs().max() / max(1.0, expected.abs().max()))


def tss(code, seed=0, **sizes):
    """Return a small random network in float64 of a cell in short letters."""
    arch_str = format_cell(tuple(CODES[letter] for letter in code))
    return randomised(build("tss", arch_str, 5, **{"channels": 3, "cells": 1, **sizes}), seed).double()


# Equality


@settings(deadline=None, max_examples=30)
@given(architectures, image_sizes, seeds)
def test_fast_form_is_exact(architecture, size, seed):
    net = network(architecture, seed).double()
    assert relative_difference(net, random_images(2, *size, seed)) < ROUNDING


@settings(deadline=None, max_examples=30)
@given(architectures, image_sizes, seeds, st.booleans())
def test_fast_form_is_within_the_tolerance_in_float32(architecture, size, seed, extreme):
    choices, sizes = architecture
    if sizes and extreme:
        sizes["cells"] = 1  # so that the logits stay below the largest float32
    net, images = network((choices, sizes), seed, extreme=extreme), random_images(2, *size, seed).float()
    assume(rounding_error(net, images) < TOLERANCE / 100)  # as it is unless logits are astronomical
    assert relative_difference(net, images) < TOLERANCE


def rounding_error(net, images):
    """Return how far the logits of a float32 network are from those in float64, as :func:`relative_difference`."""
    with torch.inference_mode():
        logits, exact = net(images), copy.deepcopy(net).double()(images.double())
    return float((logits - exact).abs().max() / max(1.0, exact.abs().max()))


@pytest.mark.parametrize("arch_index", [0, 11, 8_000, 15_624])
def test_fast_form_of_a_full_sized_network(arch_index):
    net = randomised(build("tss", TSS.arch_str(arch_index), 120), seed=arch_index)
    assert relative_difference(net, random_images(4, 32, 32).float()) < TOLERANCE


def test_simplified_cells_compute_the_same():
    layers = [one_layer_of_each(edge) for edge in range(6)]
    x = random_images(2, 4, 5)[:, :2]
    for i in TSS.representatives()[::10]:
        operations = parse_cell(TSS.arch_str(i))
        cell = Cell(("none",) * 6, 2, 2)
        cell.layers = nn.ModuleList(layers[edge][operation] for edge, operation in enumerate(operations))
        cell = cell.eval()
        with torch.inference_mode():
            expected, simplified = cell(x), _Cell(simplify(cell)).double()(x.clone())
        assert simplified.shape[1:] == expected.shape[1:]
        torch.testing.assert_close(simplified.expand_as(expected), expected, rtol=1e-12, atol=1e-12)


def one_layer_of_each(seed):
    return {operation: randomised(Cell((operation,) * 6, 2, 2), seed).double().layers[seed] for operation in OPERATIONS}


# What is simplified


@pytest.mark.parametrize(
    ("code", "n_convolutions", "n_pools"),
    [
        ("333333", 6, 0),
        ("s33333", 3, 0),  # node 1 is the input: 2<-0 and 2<-1 are one convolution, and so are 3<-0 and 3<-1
        ("s13000", 0, 0),  # nothing reaches the output
        ("300010", 2, 0),
        ("3000p0", 1, 1),
        ("ppppps", 0, 2),  # node 2 is part of node 3, and the pools into one node are one
        ("30s0ss", 1, 0),
        ("0p1003", 1, 1),  # the shift of 2<-1 is added to node 2
        ("001003", 1, 0),  # a 3x3 convolution of the shift of 2<-1 feels the borders
        ("001001", 0, 0),  # a 1x1 convolution of it does not
        ("0110p1", 2, 0),
        ("000000", 0, 0),
        ("sss3ss", 1, 0),
    ],
)
def test_number_of_operations(code, n_convolutions, n_pools):
    cell = tss(code).cells[0]
    nodes = simplify(cell).values()
    assert sum(len(node.kernels) for node in nodes) == n_convolutions
    assert sum(bool(node.pools) for node in nodes) == n_pools


def test_convolutions_of_one_node_into_one_target_are_one_of_the_larger_side():
    net = tss("s1300s")
    (node,) = simplify(net.cells[0]).values()
    (kernel,) = node.kernels.values()
    assert kernel.side == 3
    assert relative_difference(net, random_images(2, 8, 8)) < ROUNDING


def test_sss_keeps_all_its_convolutions():
    cell = build("sss", "8:16:24:8:16", 10).cells[2]
    assert sum(len(node.kernels) for node in simplify(cell).values()) == 6


def test_cells_that_ignore_their_input_are_known():
    found = sum(not depends_on_input(simplify(Cell(parse_cell(arch_str), 1, 1))) for arch_str in TSS.strings[::25])
    expected = sum(constant_topology(parse_cell(arch_str)) for arch_str in TSS.strings[::25])
    assert found == expected
    assert found > 0


def constant_topology(operations):
    one_two, two, three = operations[0] != "none", operations[1] != "none", operations[3] != "none"
    to_two = two or (one_two and operations[2] != "none")
    return not (three or (one_two and operations[4] != "none") or (to_two and operations[5] != "none"))


@pytest.mark.parametrize("code", ["000000", "001003", "s13000", "003003"])
def test_network_that_ignores_the_images(code):
    net = tss(code, cells=2)
    images = random_images(5, 8, 12)
    logits = fast(net)(images)
    assert logits.shape == (5, 5)
    assert torch.equal(logits, logits[:1].expand(5, 5))
    assert relative_difference(net, images) < ROUNDING


# Borders of images


@pytest.mark.parametrize("size", list(product((1, 2, 3, 8), repeat=2)))
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_local_mean_is_the_pool(size, memory_format):
    x = random_images(2, *size).contiguous(memory_format=memory_format)
    expected = AveragePool(3, 3)(x)
    torch.testing.assert_close(LocalMean(3)(x), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("code", ["ppp3p3", "0033s3"])
def test_smallest_images(code):
    assert relative_difference(tss(code), random_images(2, 4, 4)) < ROUNDING


def test_no_images_give_no_logits():
    for code in ("3p31ps", "001003", "0033s3"):
        assert fast(tss(code))(random_images(0, 8, 8)).shape == (0, 5)


# Gradients


@settings(deadline=None, max_examples=20)
@given(architectures, seeds)
def test_gradients_in_the_images_are_the_same(architecture, seed):
    net = network(architecture, seed).double()
    images = random_images(2, 8, 8, seed)
    expected, gradient = (gradient_of_loss(form, images.clone().requires_grad_()) for form in (net, fast(net)))
    assert torch.isfinite(gradient).all()
    assert (gradient - expected).abs().max() <= ROUNDING * max(1.0, float(expected.abs().max()))


def gradient_of_loss(net, images):
    logits = net(images)
    labels = torch.arange(len(logits)) % logits.shape[1]
    return torch.autograd.grad(nn.functional.cross_entropy(logits, labels), images)[0]


@pytest.mark.parametrize("code", ["3ps13p", "0033s3", "001003"])
def test_gradients_are_those_of_finite_differences(code):
    form = fast(tss(code, channels=2))
    images = random_images(1, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(form, (images,), eps=1e-7, atol=1e-5)


# The form as a module


def test_plain_network_is_left_as_it_is_and_later_changes_have_no_effect():
    net = tss("3ps13p").train()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    images = random_images(2, 8, 8)
    form = fast(net)
    first = form(images)
    assert net.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())
    for tensor in net.state_dict().values():
        tensor.fill_(3)
    assert torch.equal(form(images), first)


def test_images_are_left_as_they_are():
    images = random_images(2, 8, 8)
    before = images.clone()
    for code in ("333333", "ssssss", "000s00", "ppp3p3"):
        fast(tss(code))(images)
        assert torch.equal(images, before)


def test_form_has_no_parameters_and_can_be_cast():
    net = tss("3ps13p")
    form, images = fast(net), random_images(2, 8, 8)
    assert not list(form.parameters())
    assert not form.training
    logits = form.float()(images.float())
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits.double(), net(images), rtol=1e-4, atol=1e-4)


# What is not finite


def spoil(net, key, value):
    net.state_dict()[key].view(-1)[0] = value
    return net


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "key",
    ["stem.0.weight", "cells.0.layers.0.op.1.weight", "cells.0.layers.0.op.2.running_mean", "classifier.bias"],
)
def test_weights_that_are_not_finite_are_refused(key, value):
    net = spoil(tss("300s00"), key, value)  # the layer of the keys does not reach the output
    with pytest.raises(EvaluationError, match=rf"expected its weights to be finite, {key} is not; evaluate it plainly"):
        fast(net)


def test_variance_below_zero_is_refused():
    net = spoil(tss("333333"), "lastact.0.running_var", -1.0)
    with pytest.raises(EvaluationError, match=r"with BatchNorm folded in to be finite, head\.scale is not"):
        fast(net)


def test_weights_that_overflow_when_folded_are_refused():
    net = spoil(tss("333333").float(), "stem.1.weight", 3e38)
    net.state_dict()["stem.1.running_var"].fill_(0)
    with pytest.raises(EvaluationError, match=r"with BatchNorm folded in to be finite, stem\.weight is not"):
        fast(net)


@pytest.mark.parametrize("code", ["000000", "001003", "0033s3", "3ps13p"])
def test_an_image_with_nan_has_nan_logits_as_in_the_plain_network(code):
    net, images = tss(code), random_images(3, 8, 8)
    images[1, 0, 0, 0] = float("nan")
    for form in (net, fast(net)):
        assert torch.isnan(form(images)).all(dim=1).tolist() == [False, True, False]


# Inference


@pytest.mark.parametrize("n_threads", [1, 2])
def test_inference_of_the_fast_form_in_several_passes(n_threads):
    net = randomised(build("tss", TSS.arch_str(11), 10, channels=4, cells=1), seed=1)
    images = torch.randint(0, 256, (75, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, std = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        plain, quick = (infer(form, images, mean, std, batch_size=75, device="cpu") for form in (net, fast(net)))
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    normalised = (images.float() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.inference_mode():
        expected = net(normalised)
    for logits in (plain, quick):
        assert (logits - expected).abs().max() <= TOLERANCE * max(1.0, float(expected.abs().max()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; the CPU twins are above")
@pytest.mark.parametrize(
    ("space", "arch_str"), [("tss", TSS.arch_str(i)) for i in (0, 11, 8_000)] + [("sss", "8:24:8:40:64")]
)
def test_fast_form_on_the_gpu(space, arch_str):
    net = randomised(build(space, arch_str, 10), seed=2).cuda()
    allow_tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        assert relative_difference(net, random_images(8, 32, 32).float().cuda()) < TOLERANCE
    finally:
        torch.backends.cudnn.allow_tf32 = allow_tf32
