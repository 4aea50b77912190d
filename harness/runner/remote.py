"""Running networks in another worker: requests, answers, the server, and the inference that asks it.

Networks and images travel once: a server keeps them and says if it is asked about some that it lacks.
"""

import os
import traceback
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from harness.datasets import ImageSet, Normalisation, ShiftedImages
from harness.errors import WorkerLostError
from harness.runner.inference import Inference, Inferred, Stopwatch

_NETWORKS = 64
"""Networks that a server keeps, a few MB each: of every worker that asks it the one in hand, and some to spare."""


class Request(NamedTuple):
    """Which network to show which images.

    Attributes:
        token: Name of the network.
        images_hash: Hash of the images.
        normalisation: The constants with which they are shown.
        network: The network; None if the server should have it.
        pixels: The images; None if the server should have them.
    """

    token: str
    images_hash: str
    normalisation: Normalisation
    network: nn.Module | None = None
    pixels: UInt8[Tensor, "n 3 h w"] | None = None


class Answer(NamedTuple):
    """What a server says.

    Attributes:
        inferred: The logits; None if it lacks the network or the images, which are then to be sent.
        seconds: Seconds in which its device was in inference.
    """

    inferred: Inferred | None
    seconds: float


@dataclass(frozen=True, slots=True)
class InferenceTask:
    """The task of a server; see :class:`harness.runner.placement.AbstractTask`.

    Attributes:
        inference: How networks are run.
        threads: Torch threads of the server.
    """

    inference: Inference
    threads: int

    def start(self) -> Callable[[Request], Answer]:
        """Try the device and return the function that answers requests."""
        torch.set_num_threads(self.threads)
        self.inference.claim_device()
        return _Server(self.inference).answer


@dataclass
class _Server:
    """Runs networks; keeps the last ones, and all images on its device."""

    inference: Inference
    networks: OrderedDict[str, nn.Module] = field(default_factory=OrderedDict)
    pixels: dict[str, UInt8[Tensor, "n 3 h w"]] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """Return the logits that a request is for."""
        try:
            return self._answer(request)
        except WorkerLostError:  # this process has lost its device for good: end, so that another takes its place
            traceback.print_exc()
            os._exit(1)

    def _answer(self, request: Request) -> Answer:
        if request.network is not None:
            self.networks[request.token] = request.network
            if len(self.networks) > _NETWORKS:
                self.networks.popitem(last=False)
        if request.pixels is not None:
            self.pixels[request.images_hash] = self.inference.moved(request.pixels)
        if request.token not in self.networks or request.images_hash not in self.pixels:
            return Answer(None, 0.0)
        self.networks.move_to_end(request.token)
        before = self.inference.clock.seconds
        pixels = self.pixels[request.images_hash]
        inferred = self.inference.run(self.networks[request.token], pixels, request.normalisation)
        return Answer(inferred, self.inference.clock.seconds - before)


@dataclass
class RemoteInference:
    """Has networks run by a server; see :class:`harness.runner.inference.AbstractInference`.

    Attributes:
        device: Torch device of the server.
        precision: Arithmetic of its inferences.
        ask: Gives a request to the server and returns its answer.
        clock: Adds up the seconds in which the server's device is in inference for this process.
    """

    device: str
    precision: str
    ask: Callable[[Request], Answer]
    clock: Stopwatch = field(default_factory=Stopwatch)
    _tokens: WeakKeyDictionary[nn.Module, str] = field(default_factory=WeakKeyDictionary, init=False, repr=False)

    def logits(self, network: nn.Module, images: ImageSet | ShiftedImages, normalisation: Normalisation) -> Inferred:
        """Return the logits of some images; see :class:`harness.runner.inference.AbstractInference`."""
        is_new = network not in self._tokens
        token = self._tokens.setdefault(network, uuid.uuid4().hex)
        request = Request(token, images.images_hash, normalisation, network if is_new else None)
        answer = self.ask(request)
        if answer.inferred is None:
            answer = self.ask(request._replace(network=network, pixels=images.images))
        assert answer.inferred is not None
        self.clock.seconds += answer.seconds
        return answer.inferred
