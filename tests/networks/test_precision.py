"""Precisions: what is switched for each, what they do to the logits, and which device has which."""

import pytest
import torch

from harness.networks import arithmetic, build, fast, infer, require_precision

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.25, 0.25)


def test_arithmetic_is_full_unless_tf32_is_asked_for():
    before = (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)
    for precision, has_tf32 in (("float32", False), ("bfloat16", False), ("tf32", True)):
        with arithmetic(precision):
            assert torch.backends.cudnn.allow_tf32 is has_tf32
            assert torch.get_float32_matmul_precision() == ("high" if has_tf32 else "highest")
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


def test_bfloat16_rounds_throughout():
    check_precision("bfloat16", "cpu", tolerance=0.1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; the CPU twin is above")
@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.1), ("tf32", 0.02)])
def test_precisions_on_a_gpu(precision, tolerance):
    check_precision(precision, "cuda", tolerance)


@pytest.mark.parametrize(
    ("precision", "device", "message"),
    [
        ("float64", "cpu", "precision: expected float32, tf32, bfloat16, got 'float64'"),
        ("tf32", "cpu", "precision: tf32 is arithmetic of CUDA GPUs, got the device cpu; take float32"),
    ],
)
def test_precisions_that_cannot_be_are_refused(precision, device, message):
    with pytest.raises(ValueError, match=message):
        require_precision(precision, device)
