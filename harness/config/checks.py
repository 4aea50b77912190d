"""Refuses values of the configuration, each named by its key as one writes it on the command line."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import ConfigError


def require_texts(key: str, values: Iterable[Any]) -> None:
    """Raises ConfigError unless all values are names or whole numbers."""
    for value in values:
        if not isinstance(value, str | int):
            raise ConfigError(f"{key}: expected a list of names or numbers, got {value!r} in it")


def require_distinct(key: str, values: tuple[Any, ...]) -> None:
    """Raises ConfigError unless there is a value and none is listed twice."""
    if not values:
        raise ConfigError(f"{key}: expected at least one value, got none")
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ConfigError(f"{key}: {', '.join(twice)} is listed twice")


def require_known(key: str, values: Iterable[str], known: Iterable[str]) -> None:
    """Raises ConfigError unless all values are among the known ones."""
    names = list(known)
    for value in values:
        if value not in names:
            near = _nearest(str(value), names)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ConfigError(f"{key}: unknown value {value!r}; expected among {', '.join(names)}{hint}")


def _nearest(value: str, names: Sequence[str]) -> list[str]:
    """Return the names that a value may stand for, whatever its case; none that are much longer or shorter.

    Example:
        >>> _nearest("CIFAR10", ["digits", "cifar10", "cifar100"]), _nearest("x", ["digits"])
        (['cifar10'], [])
    """
    by_lower = {name.lower(): name for name in names}
    if value.lower() in by_lower:
        return [by_lower[value.lower()]]
    return [by_lower[near] for near in difflib.get_close_matches(value.lower(), by_lower, n=2)]


def require_positive(values: Mapping[str, int | float]) -> None:
    """Raises ConfigError unless all values, by their keys, are finite and above 0."""
    for key, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{key}: expected a positive number, got {value}")


def require_seeds(key: str, values: Iterable[int]) -> None:
    """Raises ConfigError unless all values can seed a generator of random numbers: in 0 .. 2^31 - 1."""
    for value in values:
        if not 0 <= value < 2**31:
            raise ConfigError(f"{key}: expected seeds in 0..{2**31 - 1}, got {value}")


def require_fractions(values: Mapping[str, float]) -> None:
    """Raises ConfigError unless all values, by their keys, are in [0, 1)."""
    for key, value in values.items():
        if not 0 <= value < 1:
            raise ConfigError(f"{key}: expected a number in [0, 1), got {value}")


def require_not_negative(values: Mapping[str, int | float]) -> None:
    """Raises ConfigError unless all values, by their keys, are finite and 0 or more."""
    for key, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{key}: expected 0 or more, got {value}")
