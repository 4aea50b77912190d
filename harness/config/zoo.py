"""How the zoo is trained, from the node ``zoo`` of the configuration: its values must be known and in range.

What depends on the training images, the size of crops and their number, is checked where these are read.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch

from harness import spaces
from harness.config.checks import (
    require_distinct,
    require_fractions,
    require_known,
    require_not_negative,
    require_positive,
    require_seeds,
)
from harness.datasets import DATASETS
from harness.errors import ConfigError
from harness.values import Study
from harness.zoo import OPTIMISERS, PRECISIONS, SCHEDULES, Recipe

_SELECTION = ("spaces", "archs")


def to_recipe(node: Mapping[str, Any]) -> Recipe:
    """Return how the zoo is trained.

    Args:
        node: The node ``zoo``, as plain lists, strings and numbers.

    Raises:
        ConfigError: A value is not among the known ones, listed twice, or out of range.
    """
    known = {"dataset": DATASETS, "optimiser": OPTIMISERS, "schedule": SCHEDULES, "precision": PRECISIONS}
    for key, names in known.items():
        require_known(f"zoo.{key}", [node[key]], names)
    require_distinct("zoo.seeds", tuple(node["seeds"]))
    require_seeds("zoo.seeds", node["seeds"])
    positive = ["epochs", "batch_size", "learning_rate", "channels", "cells"]
    positive += ["train_images"] if node["train_images"] is not None else []
    require_positive({f"zoo.{key}": node[key] for key in positive})
    if node["learning_rate"] > torch.finfo(torch.float32).max:
        raise ConfigError(f"zoo.learning_rate: expected a number that float32 holds, got {node['learning_rate']}")
    require_fractions({f"zoo.{key}": node[key] for key in ("weight_decay", "label_smoothing")})
    require_not_negative({f"zoo.{key}": node[key] for key in ("crop", "mixup")})
    _check_budget_key(node["budget_key"], node["epochs"])
    values = {key: value for key, value in node.items() if key not in _SELECTION}
    return Recipe(**{**values, "seeds": tuple(node["seeds"])})


def to_zoo_spaces(node: Mapping[str, Any], study: Study) -> tuple[str, ...]:
    """Return the search spaces of which the zoo has networks: those of the study, unless the node has its own.

    Raises:
        ConfigError: There are none, or one is unknown or listed twice.
    """
    if node["spaces"] is None:
        return study.spaces
    require_distinct("zoo.spaces", tuple(node["spaces"]))
    require_known("zoo.spaces", node["spaces"], spaces.names())
    return tuple(node["spaces"])


def _check_budget_key(key: str | None, epochs: int) -> None:
    """Refuse a key that is no name, or a number of other epochs than the networks get."""
    if key is None:
        return
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", key):
        raise ConfigError(f"zoo.budget_key: expected letters, digits, _ and -, got {key!r}")
    if key.isdecimal() and int(key) != epochs:
        raise ConfigError(
            f"zoo.budget_key: expected null or a name, got {key!r}; a number is taken for the epochs, here {epochs}"
        )
