"""Training one network of the zoo.

The same recipe gives the same weights on CPUs of one kind: one thread, one seeded generator per network for
initialisation, order and augmentation. Only the recorded times differ between two trainings.
"""

import math
import time
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from harness import networks
from harness.datasets import ImageSet
from harness.errors import TrainingError
from harness.zoo.augmentation import augmented, mixed, mixed_loss
from harness.zoo.optimisation import OPTIMISERS, SCHEDULES
from harness.zoo.precision import autocast, gradient_scaler
from harness.zoo.recipe import Recipe


class Curve(NamedTuple):
    """What happened in every epoch.

    Attributes:
        accuracy: Share of the training images, as they were shown, that got their label, in [0, 1].
        loss: Mean of what was minimised: the cross-entropy, with smoothed and mixed labels where the recipe has them.
        time_s: Seconds.
    """

    accuracy: list[float]
    loss: list[float]
    time_s: list[float]


class Chance(NamedTuple):
    """The randomness of one training: order, crops, mirroring and partners; and the shares of mixup."""

    generator: torch.Generator
    shares: np.random.Generator


class Step(NamedTuple):
    """The loss and the logits of one batch."""

    loss: Float32[Tensor, ""]
    logits: Tensor


def initialised(space: str, arch_str: str, n_classes: int, recipe: Recipe, seed: int) -> nn.Module:
    """Return the untrained network of a seed, without touching the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return networks.build(space, arch_str, n_classes, **recipe.skeleton_of(space))


def train_network(network: nn.Module, images: ImageSet, recipe: Recipe, seed: int) -> Curve:
    """Train a network in place, on its device, and return its curve.

    Args:
        network: The network, initialised.
        images: The training images.
        recipe: How to train.
        seed: Decides the order of the images, their augmentation and their mixture.

    Raises:
        TrainingError: It diverged: the loss of an epoch or a weight is no finite number.
    """
    with networks.arithmetic(recipe.precision):
        curve = _trained(network, images, recipe, seed)
    _require_finite_weights(network)
    return curve


def _trained(network: nn.Module, images: ImageSet, recipe: Recipe, seed: int) -> Curve:
    device = next(network.parameters()).device
    pixels, labels = images.images.to(device), images.labels.to(device)
    steps = -(-len(images) // recipe.batch_size)
    optimiser = OPTIMISERS[recipe.optimiser](network.parameters(), recipe)
    schedule = SCHEDULES[recipe.schedule](optimiser, recipe, steps * recipe.epochs)
    scaler = gradient_scaler(recipe.precision, device)
    chance = Chance(torch.Generator().manual_seed(seed), np.random.default_rng(seed))
    forward = _Forward(network, images, recipe, chance)
    network.train()
    curve = Curve([], [], [])
    for epoch in range(recipe.epochs):
        start = time.perf_counter()
        correct, loss_sum = torch.zeros((), device=device), torch.zeros((), dtype=torch.float64, device=device)
        order = torch.randperm(len(images), generator=chance.generator).to(device)
        for batch in order.split(recipe.batch_size):
            step = forward(pixels[batch], labels[batch])
            optimiser.zero_grad()
            scaler.scale(step.loss).backward()
            scaler.step(optimiser)
            scaler.update()
            schedule.step()
            correct += (step.logits.argmax(dim=1) == labels[batch]).sum()
            loss_sum += step.loss.detach().double() * len(batch)
        curve.accuracy.append(float(correct) / len(images))
        curve.loss.append(_finite_loss(float(loss_sum) / len(images), epoch, recipe.epochs))
        curve.time_s.append(time.perf_counter() - start)
    return curve


class _Forward:
    """The forward pass of a training, from pixels to the loss."""

    def __init__(self, network: nn.Module, images: ImageSet, recipe: Recipe, chance: Chance) -> None:
        self.network, self.recipe, self.chance = network, recipe, chance
        self.device = next(network.parameters()).device
        constants = (torch.tensor(values, device=self.device).view(1, 3, 1, 1) for values in images.normalisation)
        self.mean, self.std = constants

    def __call__(self, pixels: Tensor, labels: Int64[Tensor, " n"]) -> Step:
        """Return the loss and the logits of a batch."""
        recipe, chance = self.recipe, self.chance
        seen = augmented(pixels, recipe.crop, recipe.flip, chance.generator)
        inputs = (seen.float() / 255 - self.mean) / self.std
        if not recipe.mixup:
            with autocast(recipe.precision, self.device):
                logits = self.network(inputs)
                return Step(F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing), logits)
        mix = mixed(inputs, labels, recipe.mixup, chance.generator, chance.shares)
        with autocast(recipe.precision, self.device):
            logits = self.network(mix.inputs)
            return Step(mixed_loss(logits, labels, mix, recipe.label_smoothing), logits)


def _finite_loss(loss: float, epoch: int, epochs: int) -> float:
    if not math.isfinite(loss):
        raise TrainingError(f"the loss is {loss} in epoch {epoch + 1} of {epochs}")
    return loss


def _require_finite_weights(network: nn.Module) -> None:
    """Refuse a network with a parameter, or a running statistic, that is no finite number."""
    for name, tensor in network.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise TrainingError(f"{name} has values that are no finite numbers after the last epoch")
