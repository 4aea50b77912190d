import numpy as np
import pytest
import torch
from torch import nn
from xautodl.models.cell_infers.tiny_network import TinyNetwork
from xautodl.models.cell_operations import OPS
from xautodl.models.cell_searchs.genotypes import Structure
from xautodl.models.shape_infers.InferTinyCellNet import DynamicShapeTinyNet

from harness import spaces
from harness.errors import EvaluationError
from harness.networks import build, infer, load_weights
from harness.networks.operations import Reduction, Zero, build_operation
from harness.spaces import OPERATIONS
from harness.spaces.cell import format_cell

SSS_GENOTYPE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
N_SAMPLES = 40


def tss_sample():
    uniform = [format_cell((operation,) * 6) for operation in OPERATIONS]
    drawn = np.random.default_rng(0).choice(len(spaces.get("tss")), N_SAMPLES, replace=False)
    return uniform + [spaces.get("tss").arch_str(i) for i in (0, 11, *drawn)]


def sss_sample():
    drawn = np.random.default_rng(0).choice(len(spaces.get("sss")), N_SAMPLES, replace=False)
    constant = ["8:8:8:8:8", "16:8:8:24:24", "8:16:16:8:8"]
    return constant + [spaces.get("sss").arch_str(i) for i in (11, *drawn)]


SAMPLE = [("tss", arch_str) for arch_str in tss_sample()] + [("sss", arch_str) for arch_str in sss_sample()]


def reference_network(space, arch_str, num_classes, channels=16, cells=5):
    if space == "tss":
        return TinyNetwork(channels, cells, Structure.str2structure(arch_str), num_classes)
    widths = [int(width) for width in arch_str.split(":")]
    return DynamicShapeTinyNet(widths, Structure.str2structure(SSS_GENOTYPE), num_classes)


def randomise(net, seed=0):
    """Draw every parameter and running statistic, so that no term of the network is 0 or 1 by default."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.5, generator=generator)
            module.num_batches_tracked.fill_(7)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.normal_(0, (2 / module.weight[0].numel()) ** 0.5, generator=generator)
    return net


def shapes(net):
    return {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}


def small_tss(seed=0):
    return randomise(build("tss", spaces.get("tss").arch_str(11), 10, channels=4, cells=1), seed)


def uint8_images(n, size=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=generator)


# Equality with the networks that were trained


def test_sample_covers_all_operations_and_both_kinds_of_width():
    assert len(tss_sample()) >= 40
    assert len(sss_sample()) >= 40
    blocks = [block for arch_str in sss_sample() for block in spaces.get("sss").skeleton(arch_str).blocks]
    assert {(block.kind, block.c_in == block.c_out) for block in blocks} == {
        (kind, equal) for kind in ("cell", "reduction") for equal in (True, False)
    }


@pytest.mark.parametrize(("space", "arch_str"), SAMPLE)
def test_network_equals_the_reference(space, arch_str):
    # Two cells a stage: the parity of full-sized networks has its own test, as it is slower.
    size = {"channels": 8, "cells": 2} if space == "tss" else {}
    reference = randomise(reference_network(space, arch_str, 10, **size)).eval()
    net = build(space, arch_str, 10, **size).eval()
    assert shapes(net) == shapes(reference)
    assert list(net.state_dict()) == list(reference.state_dict())
    load_weights(net, reference.state_dict())
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, logits = reference(images)[1], net(images)
    assert expected.abs().max() > 0
    torch.testing.assert_close(logits, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("arch_index", [0, 11, 8_000])
def test_full_sized_tss_network_equals_the_reference(arch_index):
    arch_str = spaces.get("tss").arch_str(arch_index)
    reference = randomise(reference_network("tss", arch_str, 120)).eval()
    net = build("tss", arch_str, 120).eval()
    assert shapes(net) == shapes(reference)
    load_weights(net, reference.state_dict())
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(net(images), reference(images)[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("space", "arch_str"), [("tss", spaces.get("tss").arch_str(11)), ("sss", "8:16:24:32:40")])
def test_same_seed_gives_the_initial_weights_of_the_reference(space, arch_str):
    torch.manual_seed(3)
    net = build(space, arch_str, 10)
    torch.manual_seed(3)
    reference = reference_network(space, arch_str, 10)
    for key, tensor in reference.state_dict().items():
        assert torch.equal(net.state_dict()[key], tensor), key


@pytest.mark.parametrize(("c_in", "c_out"), [(8, 8), (8, 16), (16, 8)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_equals_the_reference_at_every_width(name, c_in, c_out):
    reference = randomise(OPS[name](c_in, c_out, 1, True, True)).eval()
    operation = build_operation(name, c_in, c_out).eval()
    assert shapes(operation) == shapes(reference)
    operation.load_state_dict(reference.state_dict())
    x = torch.randn(2, c_in, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(operation(x), reference(x), rtol=1e-6, atol=1e-6)


def test_unknown_operation_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"expected one of none, skip_connect, .*, got 'max_pool_3x3'"):
        build_operation("max_pool_3x3", 8, 8)


# Cost


@pytest.mark.parametrize("space", spaces.names())
@pytest.mark.parametrize(
    ("num_classes", "image_size", "tss_size"),
    [(10, 32, {}), (100, 32, {}), (120, 16, {}), (10, 8, {"channels": 6, "cells": 2})],
    ids=["cifar10", "cifar100", "ImageNet16-120", "small"],
)
def test_costs_are_those_of_the_built_networks(space, num_classes, image_size, tss_size):
    size = tss_size if space == "tss" else {}
    costs = spaces.get(space).costs(num_classes=num_classes, image_size=image_size, **size)
    assert len(costs.parameters) == len(costs.multiply_adds) == len(spaces.get(space))
    for arch_str in cost_sample(space):
        with torch.device("meta"):  # shapes alone
            net = build(space, arch_str, num_classes, **size).eval()
        i = spaces.get(space).arch_index(arch_str)
        assert costs.parameters[i] == sum(parameter.numel() for parameter in net.parameters())
        assert costs.multiply_adds[i] == measured_multiply_adds(net, image_size)


def cost_sample(space):
    """Some of the sample, with every operation on every edge, and sizes that have every width in every block."""
    if space == "tss":
        return tss_sample()[:15]
    return sss_sample() + [":".join(str(8 * ((first + block) % 8 + 1)) for block in range(5)) for first in range(8)]


def test_sample_has_every_operation_on_every_edge_and_every_width_of_every_block():
    cells = [spaces.get("tss").skeleton(arch_str).operations for arch_str in cost_sample("tss")]
    assert all(set(operations) == set(OPERATIONS) for operations in zip(*cells, strict=True))
    sizes = [spaces.get("sss").skeleton(arch_str).widths for arch_str in cost_sample("sss")]
    assert all(set(widths) == set(range(8, 65, 8)) for widths in zip(*sizes, strict=True))


def measured_multiply_adds(net, image_size):
    counts = []

    def count(module, _inputs, output):
        per_output = module.weight[0].numel() + (module.bias is not None)
        counts.append(per_output * output[0].numel())

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.inference_mode():
        net(torch.zeros(1, 3, image_size, image_size, device=net.classifier.weight.device))
    return sum(counts)


# Behaviour


@pytest.mark.parametrize(("space", "arch_str"), [("tss", format_cell(("nor_conv_3x3",) * 6)), ("sss", "8:16:8:24:32")])
def test_every_parameter_has_a_gradient(space, arch_str):
    size = {"channels": 4, "cells": 1} if space == "tss" else {}
    net = randomise(build(space, arch_str, 10, **size))
    assert net.training
    loss = nn.functional.cross_entropy(net(torch.randn(4, 3, 16, 16)), torch.arange(4))
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A shift that is followed by nothing but sums and a BatchNorm cancels; weights never do.
        assert parameter.grad.abs().max() > 0 or name.endswith("bias"), name


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_none_keeps_nan_and_infinity_visible(value):
    x = torch.zeros(1, 4, 2, 2)
    x[0, 1, 0, 1] = value
    zeros = Zero(4, 4)(x)
    assert torch.isnan(zeros[0, 1, 0, 1])
    assert torch.isnan(zeros).sum() == 1
    assert torch.equal(Zero(4, 6)(x), torch.zeros(1, 6, 2, 2))


def test_nan_passes_a_network_of_none_alone():
    net = randomise(build("tss", format_cell(("none",) * 6), 10, channels=4, cells=1)).eval()
    images = torch.zeros(2, 3, 8, 8)
    assert torch.isfinite(net(images)).all()
    images[0, 0, 0, 0] = float("nan")
    assert torch.isnan(net(images)).any(dim=1).tolist() == [True, False]


def test_reduction_halves_the_resolution():
    assert Reduction(4, 6)(torch.zeros(2, 4, 8, 8)).shape == (2, 6, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nb301", "8:8:8:8:8", 10), "expected one of tss, sss"),
        (("tss", "8:8:8:8:8", 10), "expected 3 nodes"),
        (("sss", "8:8:8:8:9", 10), "got '9' as width 5"),
        (("sss", "8:8:8:8:8", 0), "num_classes: expected at least 1, got 0"),
        (("sss", "8:8:8:8:8", 10, 32), "do not apply to sss"),
    ],
)
def test_build_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(*arguments)


# Weights


def test_weights_round_trip():
    source, target = small_tss(seed=1), small_tss(seed=2)
    load_weights(target, source.state_dict())
    for key, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[key], tensor), key


def test_missing_keys_are_named_and_counted():
    net = small_tss()
    weights = {key: tensor for key, tensor in net.state_dict().items() if not key.startswith("classifier")}
    with pytest.raises(EvaluationError, match=r"2 missing: classifier\.weight, classifier\.bias\. Check"):
        load_weights(net, weights)
    with pytest.raises(EvaluationError, match=r"missing: stem\.0\.weight, stem\.1\.weight, stem\.1\.bias and \d+ more"):
        load_weights(net, {})


def test_unexpected_keys_are_named_and_counted():
    net = small_tss()
    extra = {f"extra.{k}": torch.zeros(1) for k in range(5)}
    with pytest.raises(EvaluationError, match=r"5 unexpected: extra\.0, extra\.1, extra\.2 and 2 more"):
        load_weights(net, {**net.state_dict(), **extra})


def test_wrong_shapes_are_named_with_both_shapes():
    net, other = small_tss(), build("tss", spaces.get("tss").arch_str(11), 100, channels=4, cells=1)
    message = (
        r"2 of another shape: classifier\.weight \(expected \(10, 16\), got \(100, 16\)\), "
        r"classifier\.bias \(expected \(10,\), got \(100,\)\)"
    )
    with pytest.raises(EvaluationError, match=message):
        load_weights(net, other.state_dict())


def test_refused_weights_leave_the_network_unchanged():
    net, weights = small_tss(seed=1), small_tss(seed=2).state_dict()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    del weights["classifier.bias"]
    with pytest.raises(EvaluationError, match="1 missing"):
        load_weights(net, weights)
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())


# Inference


def check_inference(device, tolerance):
    net, images = small_tss(), uint8_images(10)
    normalised = (images.double() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        expected = net.eval()(normalised.float())
    logits = infer(net, images, MEAN, STD, batch_size=4, device=device)
    assert logits.dtype == torch.float32
    assert logits.device.type == "cpu"
    assert not logits.is_inference()
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4 * expected.abs().max().item())
    for batch_size in (1, 3, 10, 64):
        other = infer(net, images, MEAN, STD, batch_size=batch_size, device=device)
        torch.testing.assert_close(other, logits, rtol=tolerance, atol=tolerance)


def test_inference_on_the_cpu():
    check_inference("cpu", tolerance=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; the CPU twin is above")
def test_inference_on_the_gpu():
    check_inference("cuda", tolerance=1e-4)  # cuDNN takes another algorithm for another batch


def test_inference_uses_the_running_statistics_and_leaves_them():
    net, images = small_tss().train(), uint8_images(6)
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    together = infer(net, images, MEAN, STD, batch_size=6, device="cpu")
    alone = infer(net, images[:1], MEAN, STD, batch_size=6, device=torch.device("cpu"))
    assert not net.training
    torch.testing.assert_close(alone, together[:1], rtol=1e-5, atol=1e-5)
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())


class PrecisionProbe(nn.Module):
    """Records the precision settings under which it runs."""

    def forward(self, images):
        self.seen = (torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision())
        return images.mean(dim=(2, 3))


def test_inference_switches_tf32_off_and_restores_the_settings():
    probe = PrecisionProbe()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        infer(probe, uint8_images(2), MEAN, STD, batch_size=2, device="cpu")
        assert probe.seen == (False, "highest")
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    ("n", "batch_size", "message"),
    [(0, 4, "images: expected at least one, got none"), (2, 0, "batch_size: expected at least 1, got 0")],
)
def test_inference_rejects(n, batch_size, message):
    with pytest.raises(ValueError, match=message):
        infer(small_tss(), uint8_images(n), MEAN, STD, batch_size=batch_size, device="cpu")
