"""Which constants fit a network: with the right ones its accuracy is what its archive recorded."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from harness.archives import Trial
from harness.datasets import ImageSet, Normalisation
from harness.runner.model import Model, accuracy_gate

_IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_PIXELS = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Fit(NamedTuple):
    """How well some constants fit a network.

    Attributes:
        constants: What they are.
        accuracy: Accuracy on all test images, in [0, 1].
        verdict: What the accuracy gate says of it.
    """

    constants: str
    accuracy: float
    verdict: str


def candidates(test: ImageSet) -> Mapping[str, Normalisation]:
    """Return the constants that are worth a try for networks of a data set, those of the training first."""
    named = {"training": test.normalisation}
    if test.published is not None:
        named |= {"published, before calibration": test.published.pre, "published, after it": test.published.post}
    return named | {"ImageNet": _IMAGENET, "plain pixels in [0, 1]": _PIXELS}


def fits(model: Model, test: ImageSet, trial: Trial) -> list[Fit]:
    """Return how each of the candidates fits a network; the best has the accuracy nearest to the recorded one.

    Raises:
        EvaluationError: A logit is not finite.
    """
    found = []
    for constants, normalisation in candidates(test).items():
        logits = torch.from_numpy(model.logits(test, normalisation)).float()
        gate = accuracy_gate(logits, test, trial)
        found.append(Fit(constants, gate.recomputed_accuracy, gate.verdict))
    return found
