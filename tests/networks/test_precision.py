"""Precisions: what is switched for each, what they do to the logits, and TF32 where the device has none."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from harness.networks import arithmetic, build, fast, infer
from harness.networks.pooling import LocalMean
from harness.networks.precision import has_tf32, rounded_to_tf32, rounding
from harness.spaces import get

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.25, 0.25)


def test_arithmetic_is_full_unless_tf32_is_asked_for():
    before = (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)
    for precision, is_tf32 in (("float32", False), ("bfloat16", False), ("tf32", True)):
        with arithmetic(precision):
            assert torch.backends.cudnn.allow_tf32 is is_tf32
            assert torch.get_float32_matmul_precision() == ("high" if is_tf32 else "highest")
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before


def check_precision(precision, device, tolerance):
    """Logits of a lower precision are near those of float32, and the network stays as it is."""
    net = build("sss", "8:16:32:48:64", 10).eval()
    images = torch.randint(256, (40, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for form in (net, fast(net)):
        exact = infer(form, images, MEAN, STD, batch_size=40, device=device)
        rough = infer(form, images, MEAN, STD, batch_size=40, device=device, precision=precision)
        assert rough.dtype == torch.float32
        assert 0 < (rough - exact).abs().max() < tolerance * exact.abs().max()
        assert all(tensor.dtype != torch.bfloat16 for tensor in form.state_dict().values())


TOLERANCES = [("bfloat16", 0.1), ("tf32", 0.02)]


@pytest.mark.parametrize(("precision", "tolerance"), TOLERANCES)
def test_lower_precisions_round(precision, tolerance):
    check_precision(precision, "cpu", tolerance)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; the CPU twin is above")
@pytest.mark.parametrize(("precision", "tolerance"), TOLERANCES)
def test_precisions_on_a_gpu(precision, tolerance):
    check_precision(precision, "cuda", tolerance)


def test_an_unknown_precision_is_refused():
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match="precision: expected float32, tf32, bfloat16, got 'float64'"):
        infer(build("sss", "8:8:8:8:8", 10), images, MEAN, STD, batch_size=1, device="cpu", precision="float64")


def nearest_tf32(x):
    """Rounding by mantissa and exponent, of normal numbers: 11 bits of mantissa with the leading one, ties away."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    return np.sign(mantissa) * np.ldexp(np.floor(np.abs(mantissa) * 2**11 + 0.5), exponent - 11)


def test_rounding_to_tf32_takes_the_nearest():
    rng = np.random.default_rng(0)
    numbers = (rng.normal(size=20_000) * 10.0 ** rng.integers(-30, 30, 20_000)).astype(np.float32)
    ties = np.ldexp(2.0 * np.arange(2**10, 2**11) + 1, -11).astype(np.float32)
    for x in (numbers, ties, -ties):
        assert np.array_equal(rounded_to_tf32(torch.from_numpy(x)).numpy(), nearest_tf32(x))


def test_rounding_to_tf32_leaves_what_it_has():
    x = torch.tensor([0.0, -0.0, 1.5, -1 - 2.0**-10, 2.0**-126, 2.0**-136, torch.inf, -torch.inf, torch.nan])
    assert torch.equal(rounded_to_tf32(x)[:-1], x[:-1])
    assert rounded_to_tf32(x)[-1].isnan()
    assert torch.equal(torch.signbit(rounded_to_tf32(x)), torch.signbit(x))
    largest = torch.tensor([torch.finfo(torch.float32).max])
    assert rounded_to_tf32(largest).isinf()
    columns = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    assert rounded_to_tf32(columns).is_contiguous(memory_format=torch.channels_last)


def by_hand(net):
    """A network whose convolutions and classifier see rounded inputs and weights."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data = torch.from_numpy(nearest_tf32(module.weight.detach()).astype(np.float32))
            module.register_forward_pre_hook(
                lambda _, inputs: torch.from_numpy(nearest_tf32(inputs[0]).astype(np.float32))
            )
    return net


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("space", "arch_str"), [("sss", "8:16:24:8:40"), ("tss", get("tss").arch_str(9_000))])
def test_tf32_on_a_processor_is_float32_of_rounded_arguments(space, arch_str, n_threads):
    torch.manual_seed(0)
    net = build(space, arch_str, 10).eval()
    images = torch.randint(256, (70, 3, 32, 32), dtype=torch.uint8)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)  # each thread rounds by itself
    try:
        found = infer(net, images, MEAN, STD, batch_size=70, device="cpu", precision="tf32")
    finally:
        torch.set_num_threads(before)
    expected = infer(by_hand(net), images, MEAN, STD, batch_size=70, device="cpu")
    exact = infer(net, images, MEAN, STD, batch_size=70, device="cpu")
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (exact - expected).abs().max() > 1e-5 * expected.abs().max()


def test_a_pool_is_no_product():
    x = torch.rand(2, 8, 6, 6)
    mean, product = LocalMean(8).float(), nn.Conv2d(8, 8, 1)
    exact = [form(x) for form in (mean, product)]
    with rounding("tf32", "cpu"):
        assert torch.equal(mean(x), exact[0])
        assert not torch.equal(product(x), exact[1])


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_older_gpus_have_no_tf32(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert has_tf32("cuda") is expected
    assert not has_tf32("cpu")
