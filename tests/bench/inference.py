"""How fast networks are run: the fast form against plain modules and against xautodl's, ``make bench-inference``.

All see the same images on the same device, warmed; decoding of records is not counted. Prints tables on standard output
and what it is at on standard error; nothing here fails on a slow machine.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
import psutil
import torch
from timing import best_ms, print_machine, print_progress, print_table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode
from xautodl.models.cell_infers.tiny_network import TinyNetwork
from xautodl.models.cell_searchs.genotypes import Structure
from xautodl.models.shape_infers.InferTinyCellNet import DynamicShapeTinyNet

from harness import networks, spaces
from harness.networks.precision import TF32, arithmetic, has_tf32

N_SAMPLED = {"tss": 24, "sss": 8}
SSS_CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
N_CLASSES = 10

N_IMAGES = {"cpu": 256, "cuda": 10_000}
LOADER_BATCH = 256
TARGETS = {"cpu": {"plain modules": 4.0}, "cuda": {"plain modules": 2.5, "xautodl": 5.0}}
"""At least so many times as fast as the other, over all networks."""

N_STUDY = {"tss": 6_466 * 3, "sss": 32_768 * 3}
N_STUDY_IMAGES = 10_000 + 26_032
"""Networks and images of the published study: test images and SVHN, of 32 pixels; ImageNet16-120 has smaller ones."""


@dataclass(frozen=True)
class Sampled:
    """A network of the sample, as ours and as xautodl's, with the same weights."""

    space: str
    arch_str: str
    ours: networks.Network
    peer: nn.Module


def sample(space: str) -> list[str]:
    """Return architectures that mirror a space: of equal shares, by multiply-adds, the middle one of each."""
    members = spaces.get(space)
    indices = np.arange(len(members))
    if space == "tss":
        indices = np.unique([members.representative(i) for i in range(len(members))])
    counts = members.costs(num_classes=N_CLASSES).multiply_adds[indices]
    ordered = indices[np.argsort(counts, kind="stable")]
    middles = (np.arange(N_SAMPLED[space]) + 0.5) * len(ordered) / N_SAMPLED[space]
    return [members.arch_str(int(i)) for i in ordered[middles.astype(int)]]


def sampled(space: str, arch_str: str) -> Sampled:
    """Return a network with weights and statistics drawn at random."""
    torch.manual_seed(0)
    ours = networks.build(space, arch_str, N_CLASSES).eval()
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    if space == "tss":
        peer = TinyNetwork(16, 5, Structure.str2structure(arch_str), N_CLASSES)
    else:
        widths = [int(width) for width in arch_str.split(":")]
        peer = DynamicShapeTinyNet(widths, Structure.str2structure(SSS_CELL), N_CLASSES)
    peer.load_state_dict(ours.state_dict())
    return Sampled(space, arch_str, ours, peer.eval())


def normalised(pixels: Tensor) -> Tensor:
    shift, scale = (torch.tensor(values, device=pixels.device).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels.float() / 255 - shift) / scale


@torch.inference_mode()
def by_loader(net: nn.Module, images: Tensor, device: str) -> Tensor:
    """As AutoDL-Projects and what builds on it evaluate: a loader, batches that go to the device and come back."""
    loader = DataLoader(TensorDataset(images), batch_size=LOADER_BATCH)
    return torch.cat([net(batch.to(device))[1].cpu() for (batch,) in loader])


@torch.inference_mode()
def by_plain_modules(net: nn.Module, images: Tensor, device: str) -> Tensor:
    """One call of our plain modules; on a GPU as many images as a loader's batch at a time, which already lie there."""
    batches = [images] if device == "cpu" else images.split(LOADER_BATCH)
    return torch.cat([net(batch) for batch in batches]).cpu()


def by_fast_form(net: nn.Module, pixels: Tensor, device: str, precision: str = networks.FLOAT32) -> Tensor:
    batch_size = networks.pass_size(pixels, len(pixels) if device == "cpu" else 1024)
    return networks.infer(net, pixels, MEAN, STD, batch_size=batch_size, device=device, precision=precision)


@dataclass
class Times:
    """What one network took, in milliseconds for all images.

    Attributes:
        peer: xautodl's modules with a loader.
        plain: Our plain modules.
        fast: The fast form.
        build: Making the fast form.
        flops: Floating point operations of the fast form per image.
        differs: Largest difference of its logits, relative to the largest absolute logit or 1.
    """

    peer: float
    plain: float
    fast: float
    build: float
    flops: int
    differs: float


def times_of(net: Sampled, pixels: Tensor, device: str) -> Times:
    start = time.perf_counter()
    fast = networks.fast(net.ours)
    build = 1000 * (time.perf_counter() - start)
    on_device = pixels.to(device)
    images = normalised(on_device)
    ours, peer, fast = net.ours.to(device), net.peer.to(device), fast.to(device)
    with arithmetic(networks.FLOAT32):
        expected = by_plain_modules(ours, images, device)
        peer_ms, plain_ms, fast_ms = best_ms(
            partial(by_loader, peer, images.cpu(), device),
            partial(by_plain_modules, ours, images, device),
            partial(by_fast_form, fast, on_device, device),
            rounds=5,
            at_most_s=5.0,
        )
    difference = (by_fast_form(fast, on_device, device) - expected).abs().max() / expected.abs().max().clamp(min=1)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        fast(images[:1])
    return Times(peer_ms, plain_ms, fast_ms, build, counter.get_total_flops(), float(difference))


def each_network(nets: Sequence[Sampled], times: Sequence[Times], n_images: int) -> None:
    columns = (
        "network",
        "Mflop",
        "xautodl",
        "plain",
        "fast",
        "images/s",
        "of plain",
        "of xautodl",
        "build ms",
        "differs by",
    )
    rows = [
        [
            f"{net.space} {spaces.get(net.space).arch_index(net.arch_str)}",
            f"{t.flops / 1e6:.1f}",
            f"{t.peer:.1f}",
            f"{t.plain:.1f}",
            f"{t.fast:.1f}",
            f"{1000 * n_images / t.fast:,.0f}",
            f"{t.plain / t.fast:.1f}x",
            f"{t.peer / t.fast:.1f}x",
            f"{t.build:.1f}",
            f"{t.differs:.0e}",
        ]
        for net, t in zip(nets, times, strict=True)
    ]
    print_table(f"Milliseconds for {n_images:,} images of 32 pixels, float32, TF32 off", columns, rows)


def together(nets: Sequence[Sampled], times: Sequence[Times], n_images: int, device: str) -> None:
    chosen = {"tss": [], "sss": []}
    for net, t in zip(nets, times, strict=True):
        chosen[net.space].append(t)
    groups = {"tss": chosen["tss"], "sss": chosen["sss"], "both": list(times)}
    fast = {name: sum(t.fast for t in group) for name, group in groups.items()}
    rows = []
    for name, of in (
        ("xautodl", lambda t: t.peer),
        ("plain modules", lambda t: t.plain),
        ("fast form", lambda t: t.fast),
    ):
        sums = {group: sum(map(of, members)) for group, members in groups.items()}
        seconds = sums["both"] / 1000 / len(times) / n_images * N_STUDY_IMAGES
        target = TARGETS[device].get(name)
        rows.append(
            [
                name,
                *(f"{1000 * n_images * len(groups[group]) / sums[group]:,.0f}" for group in groups),
                *(f"{sums[group] / fast[group]:.2f}x" for group in groups),
                "" if target is None else f"{target}x",
                f"{3600 / seconds:,.0f}",
                f"{study_hours(groups, of, n_images):,.0f}",
            ]
        )
    columns = ("", "tss images/s", "sss", "both", "tss of fast", "sss", "both", "target", "networks/h", "study h")
    print_table(
        f"Over all networks of the sample; networks/h with {N_STUDY_IMAGES:,} images each, and the hours that the "
        f"whole study takes one {device}",
        columns,
        rows,
    )


def study_hours(groups: dict[str, list[Times]], of: Callable[[Times], float], n_images: int) -> float:
    """Hours for all networks and images of the study, all taken for images of 32 pixels."""
    per_image = {space: mean(map(of, groups[space])) / 1000 / n_images for space in N_STUDY}
    return sum(per_image[space] * N_STUDY[space] * N_STUDY_IMAGES for space in N_STUDY) / 3600


def roofline(times: Sequence[Times], n_images: int, device: str) -> None:
    """Print how much of the measured peak of products the convolutions reach."""
    size = {"cpu": 2048, "cuda": 8192}[device]
    square = torch.randn(size, size, device=device)
    large, other = torch.ones(2, {"cpu": 1 << 26, "cuda": 1 << 30}[device] // 4, device=device)

    def finished(work: Callable[[], object]) -> None:
        work()
        if device == "cuda":
            torch.cuda.synchronize()

    with arithmetic(networks.FLOAT32):
        product_ms, copy_ms = best_ms(
            partial(finished, lambda: square @ square), partial(finished, lambda: other.copy_(large))
        )
    peak = 2 * size**3 / product_ms * 1000
    done = 1000 * n_images * sum(t.flops for t in times) / sum(t.fast for t in times)
    print_table(
        "Against what the device can do",
        ("", "measured"),
        [
            ["matrix product, Gflop/s", f"{peak / 1e9:,.0f}"],
            ["copy, GB/s read and written", f"{2 * 4 * large.numel() / copy_ms * 1000 / 1e9:,.0f}"],
            ["fast form, Gflop/s", f"{done / 1e9:,.0f}"],
            ["of the product's", f"{100 * done / peak:.0f} %"],
        ],
    )


def each_precision(nets: Sequence[Sampled], pixels: Tensor, device: str) -> None:
    """Print the speed of each precision; what it does to the numbers is in docs/precision.md."""
    precisions = [name for name in networks.PRECISIONS if name != TF32 or has_tf32(device)]
    on_device = pixels.to(device)
    total = dict.fromkeys(precisions, 0.0)
    for net in nets:
        fast = networks.fast(net.ours).to(device)
        works = [partial(by_fast_form, networks.cast(fast, name), on_device, device, name) for name in precisions]
        for name, ms in zip(precisions, best_ms(*works, rounds=3), strict=True):
            total[name] += ms
    rows = [
        [name, f"{1000 * len(pixels) * len(nets) / ms:,.0f}", f"{total[networks.FLOAT32] / ms:.2f}x"]
        for name, ms in total.items()
    ]
    print_table("Precisions of the fast form", ("precision", "images/s", "of float32"), rows)


FORMS = ("xautodl", "plain", "fast")


def peak_mib(form: str, net: Sampled, pixels: Tensor, device: str) -> float:
    """Return how much memory a form takes on top of network and images; to be asked in a process of its own."""
    fast = networks.fast(net.ours)
    works = {
        "xautodl": partial(by_loader, net.peer.to(device), normalised(pixels), device),
        "plain": partial(by_plain_modules, net.ours.to(device), normalised(pixels.to(device)), device),
        "fast": partial(by_fast_form, fast.to(device), pixels.to(device), device),
    }
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        works[form]()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = psutil.Process().memory_info().rss
    works[form]()
    return resident_peak() - before / 2**20


def resident_peak() -> float:
    """Return the most MiB that this process held; Linux alone says it of a process and not of its parents too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


def memory(device: str, n_images: int) -> None:
    rows = []
    for form in FORMS:
        print_progress(f"memory of {form}")
        command = [sys.executable, __file__, "--device", device, "--images", str(n_images), "--peak-of", form]
        rows.append([form, subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()])
    print_table("Peak memory for the widest network, MiB", ("", "MiB"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cpu", "cuda"), default=default, help="where networks are run")
    parser.add_argument("--images", type=int, help="how many images each network sees (cpu: 256, cuda: 10,000)")
    parser.add_argument("--peak-of", choices=FORMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device, n_images = arguments.device, arguments.images or N_IMAGES[arguments.device]
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (n_images, 3, 32, 32), generator=generator, dtype=torch.uint8)
    if arguments.peak_of:
        net = sampled("sss", "64:64:64:64:64")
        sys.stdout.write(f"{peak_mib(arguments.peak_of, net, pixels, device):,.0f}\n")
        return
    print_machine(f"{torch.get_num_threads()} threads used")
    nets = [sampled(space, arch_str) for space in N_SAMPLED for arch_str in sample(space)]
    times = []
    for net in nets:
        print_progress(f"{net.space} {net.arch_str}")
        times.append(times_of(net, pixels, device))
    each_network(nets, times, n_images)
    together(nets, times, n_images, device)
    roofline(times, n_images, device)
    each_precision(nets, pixels, device)
    memory(device, n_images)


if __name__ == "__main__":
    main()
