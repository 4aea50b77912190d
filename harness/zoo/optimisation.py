"""Optimisers and schedules of the learning rate by name."""

from collections.abc import Callable, Iterable

from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from harness.zoo.recipe import Recipe


def _sgd(parameters: Iterable[Parameter], recipe: Recipe) -> Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    return SGD(parameters, lr=rate, momentum=0.9, nesterov=True, weight_decay=decay)


def _adamw(parameters: Iterable[Parameter], recipe: Recipe) -> Optimizer:
    return AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _one_cycle(optimiser: Optimizer, recipe: Recipe, steps: int) -> LRScheduler:
    return OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)


def _cosine(optimiser: Optimizer, _: Recipe, steps: int) -> LRScheduler:
    return CosineAnnealingLR(optimiser, T_max=steps)


OPTIMISERS: dict[str, Callable[[Iterable[Parameter], Recipe], Optimizer]] = {"sgd": _sgd, "adamw": _adamw}
"""``sgd`` with Nesterov's momentum 0.9, and ``adamw`` with torch's own betas."""

SCHEDULES: dict[str, Callable[[Optimizer, Recipe, int], LRScheduler]] = {"one_cycle": _one_cycle, "cosine": _cosine}
"""``one_cycle`` rises from a 25th of the peak over 30 % of the steps and falls to next to nothing, while the momentum
(of AdamW: the first beta) goes the other way, 0.95 to 0.85 and back; ``cosine`` falls from the peak to 0.
"""
