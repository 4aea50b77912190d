"""How networks are run on a device: in their fast form where it agrees, in batches that fit into the memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from harness import networks
from harness.datasets import ImageSet, Normalisation, ShiftedImages
from harness.errors import EvaluationError, WorkerLostError
from harness.runner.memory import bytes_for_this_process, claim_share, fitting_batch, peak_bytes_on_device
from harness.runner.options import RunnerOptions

FAST, PLAIN = "fast", "plain"

TOLERANCE = 1e-4
"""A fast form is taken if its float32 logits differ by at most this, times the largest absolute logit or 1."""

_PROBE = 16
"""Images on which fast and plain form are compared, and the memory of an image is measured."""

_LARGEST_BATCH = 2048
"""More images in a pass than this are not needed to keep a GPU busy with networks of these widths."""


@dataclass
class Stopwatch:
    """Adds up the seconds spent in its ``with`` blocks.

    Attributes:
        seconds: Their sum so far.
    """

    seconds: float = 0.0
    _start: float = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


class Shown(NamedTuple):
    """What tells the inferences of one network apart: the images, and the constants with which they are shown."""

    images_hash: str
    normalisation: Normalisation


class How(NamedTuple):
    """How logits were computed.

    Attributes:
        network_form: ``fast``, or ``plain`` where the fast form did not agree with the network.
        batch_size: Images in a forward pass; less than was asked for where the memory did not suffice.
    """

    network_form: str
    batch_size: int


class Inferred(NamedTuple):
    """The logits of some images, on the CPU, and how they were computed."""

    logits: Float32[Tensor, "n classes"]
    how: How


@runtime_checkable
class AbstractInference(Protocol):
    """A way to run networks: in this process, or by another worker."""

    @property
    def device(self) -> str:
        """Torch device of the inference."""
        ...

    @property
    def precision(self) -> str:
        """Arithmetic of the inference, one of :data:`harness.networks.PRECISIONS`."""
        ...

    @property
    def clock(self) -> Stopwatch:
        """Adds up the seconds in which the device is in inference for this process."""
        ...

    def logits(self, network: nn.Module, images: ImageSet | ShiftedImages, normalisation: Normalisation) -> Inferred:
        """Return the logits of some images, shown with some constants; some may not be finite.

        Raises:
            EvaluationError: The memory of the device does not suffice for the smallest batch.
            WorkerLostError: The device, or the worker that runs the network, is lost.
        """
        ...


@dataclass
class _Ready:
    """What an inference knows of a network.

    Attributes:
        stand_in: What is run in its place: its fast form, or where that does not agree a copy in the precision; None
            for the network itself, which must not be held here to be forgotten with it.
        form: Whether the fast form is run or the plain one.
        batch_size: Images in a forward pass.
    """

    stand_in: nn.Module | None
    form: str
    batch_size: int


@dataclass(frozen=True)
class Inference:
    """How networks are run in this process; images are moved to the device once and stay there.

    Attributes:
        device: Torch device, such as ``cpu`` or ``cuda``.
        batch_size: Images per forward pass at most; None for as many as memory, on a CPU the cache, allows.
        precision: Arithmetic, one of :data:`harness.networks.PRECISIONS`.
        min_batch_size: Where the memory of the device does not suffice, batches are halved, down to this size.
        memory_share: Share of the device's memory that is for this process, in (0, 1].
        clock: Adds up the seconds in which this process's device is in inference.
    """

    device: str
    batch_size: int | None = None
    precision: str = networks.FLOAT32
    min_batch_size: int = 1
    memory_share: float = 1.0
    clock: Stopwatch = field(default_factory=Stopwatch, init=False, repr=False, compare=False)
    _resident: dict[str, UInt8[Tensor, "n 3 h w"]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _ready: WeakKeyDictionary[nn.Module, _Ready] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    def __reduce__(self) -> tuple[type["Inference"], tuple[object, ...]]:
        settings = (self.device, self.batch_size, self.precision, self.min_batch_size, self.memory_share)
        return Inference, settings

    def claim_device(self) -> None:
        """Try the device and keep this process to its share of its memory.

        Raises:
            WorkerLostError: The device cannot be used.
        """
        networks.try_device(self.device)
        claim_share(self.device, self.memory_share)

    def pixels(self, images: ImageSet | ShiftedImages) -> UInt8[Tensor, "n 3 h w"]:
        """Return the pixels of some images, on the device; see :class:`AbstractInference` for errors."""
        if images.name not in self._resident:
            self._resident[images.name] = self.moved(images.images)
        return self._resident[images.name]

    def moved(self, pixels: UInt8[Tensor, "n 3 h w"]) -> UInt8[Tensor, "n 3 h w"]:
        """Return pixels on the device; see :class:`AbstractInference` for errors."""
        with self._device_faults():
            return pixels.to(self.device)

    def logits(self, network: nn.Module, images: ImageSet | ShiftedImages, normalisation: Normalisation) -> Inferred:
        """Return the logits of some images; see :class:`AbstractInference`."""
        return self.run(network, self.pixels(images), normalisation)

    def run(self, network: nn.Module, pixels: UInt8[Tensor, "n 3 h w"], normalisation: Normalisation) -> Inferred:
        """Return the logits of pixels that are on the device, shown with some constants."""
        with self.clock, self._device_faults():  # the logits are on the CPU when it ends, so a GPU has finished too
            return self._run(network, pixels, normalisation)

    @contextmanager
    def _device_faults(self) -> Iterator[None]:
        """Raise what fails for the device's sake as what the harness does about it."""
        try:
            yield
        except RuntimeError as error:
            if networks.is_device_lost(error):
                raise WorkerLostError(f"the device {self.device} is lost: {error}") from error
            if networks.is_out_of_device_memory(error):
                raise EvaluationError(
                    f"the memory of {self.device} does not suffice for batches down to runner.min_batch_size="
                    f"{self.min_batch_size}; give it to fewer workers, or `harness retry` when it is free: {error}"
                ) from error
            raise

    def _run(self, network: nn.Module, pixels: UInt8[Tensor, "n 3 h w"], normalisation: Normalisation) -> Inferred:
        """Return the logits of pixels, in batches that are halved until one fits."""
        if network not in self._ready:
            self._ready[network] = self._prepared(network, pixels, normalisation)
        ready = self._ready[network]
        net = network if ready.stand_in is None else ready.stand_in
        while True:
            batch_size = networks.pass_size(pixels, min(ready.batch_size, len(pixels)))
            try:
                logits = networks.infer(
                    net, pixels, *normalisation, batch_size=batch_size, device=self.device, precision=self.precision
                )
            except (MemoryError, RuntimeError) as error:
                if not networks.is_out_of_memory(error) or batch_size // 2 < self.min_batch_size:
                    raise
            else:
                return Inferred(logits, How(ready.form, batch_size))
            self._free_cached()
            ready.batch_size = batch_size // 2

    def _prepared(self, network: nn.Module, pixels: UInt8[Tensor, "n 3 h w"], normalisation: Normalisation) -> _Ready:
        """Return the fast form of a network, tried on some of the images, and how many of them fit into the memory."""
        probe = pixels[:_PROBE]
        fast = self._agreeing_form(network, probe, normalisation)
        net = networks.cast(network if fast is None else fast, self.precision)
        batch_size = self.batch_size
        if batch_size is None:
            on_gpu = torch.device(self.device).type == "cuda"
            batch_size = self._fitting_batch(net, probe, normalisation) if on_gpu else len(pixels)
        return _Ready(None if net is network else net, PLAIN if fast is None else FAST, batch_size)

    def _fitting_batch(self, net: nn.Module, probe: UInt8[Tensor, "n 3 h w"], normalisation: Normalisation) -> int:
        """Return how many images fit into what this process may take of a GPU's memory, measured on some of them."""
        n_images = min(len(probe), self.min_batch_size)
        settings = {"batch_size": n_images, "device": self.device, "precision": self.precision}
        peak = peak_bytes_on_device(lambda: networks.infer(net, probe, *normalisation, **settings), self.device)
        fitting = fitting_batch(peak / n_images, bytes_for_this_process(self.device, self.memory_share))
        return max(self.min_batch_size, min(fitting, _LARGEST_BATCH))

    def _agreeing_form(
        self, network: nn.Module, probe: UInt8[Tensor, "n 3 h w"], normalisation: Normalisation
    ) -> nn.Module | None:
        """Return the fast form of a network, or None if there is none or its logits are not those of the network."""
        if not isinstance(network, networks.Network):
            return None
        try:
            fast = networks.fast(network)
        except EvaluationError:
            return None  # weights that are not finite; the logits of the plain network will show it
        plain, other = (
            networks.infer(net, probe, *normalisation, batch_size=self.min_batch_size, device=self.device)
            for net in (network, fast)
        )
        agrees = (plain - other).abs().max() <= TOLERANCE * plain.abs().max().clamp(min=1)
        return fast if agrees else None

    def _free_cached(self) -> None:
        if torch.device(self.device).type == "cuda":
            torch.cuda.empty_cache()


def inference_of(options: RunnerOptions, precision: str) -> Inference:
    """Return how networks are run by a worker, as the configuration says."""
    return Inference(options.device, options.batch_size, precision, options.min_batch_size, options.memory_share)
