"""What of an archive a study means: the architectures that an expression selects, and what there is of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from harness import spaces
from harness.archives import Archive, Summary
from harness.errors import ConfigError
from harness.runner.part import Part, cut
from harness.values import Study

_FORMS = "all, representatives, 0-99, 3,7,11, sample:NUMBER:SEED or file:PATH"

_FILES = 64
"""Record files whose mean size stands for all: a median record is 16 to 22 MB, the largest is 94 MB."""


class LackingSeeds(NamedTuple):
    """Seeds that a study lists and no record of an archive has.

    Attributes:
        datasets: The data sets of which that holds.
        hp: The training budget.
        lacking: The seeds.
        held: Those that records have.
    """

    datasets: tuple[str, ...]
    hp: str
    lacking: tuple[int, ...]
    held: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a study that one archive can serve.

    Attributes:
        source: Name of the archive.
        space: Its search space.
        arch_indices: The wanted architectures of which it has records.
        hps: The wanted budgets that it has.
        n_held: Number of architectures of which it has records at all.
        first_seeds: The seed that its records list first, by (dataset, hp).
        record_bytes: Mean size of the records' files, from some of them.
        skeleton: Options of the space's skeleton that its networks were built with, where it has any.
        is_converted: Whether its records are safetensors files, which are read many times as fast.
        seeds: All seeds that its records have, by (dataset, hp), as its index tells; empty without one.
        with_weights: The (dataset, hp) of which its records hold weights; None where none are asked for.
    """

    source: str
    space: str
    arch_indices: Int64[np.ndarray, " n"]
    hps: tuple[str, ...]
    n_held: int
    first_seeds: Mapping[tuple[str, str], int]
    record_bytes: float = 0.0
    skeleton: tuple[tuple[str, int], ...] = ()
    is_converted: bool = False
    seeds: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    with_weights: frozenset[tuple[str, str]] | None = None

    def logs_only(self, study: Study) -> list[tuple[str, str]]:
        """Return the wanted (dataset, hp) of which it has trainings and no weights."""
        if self.with_weights is None:
            return []
        return [pair for pair in self._wanted(study) if pair not in self.with_weights]

    def lacking_seeds(self, study: Study) -> list[LackingSeeds]:
        """Return the listed seeds that none of its records has, as far as its index tells."""
        datasets: dict[tuple[str, tuple[int, ...], tuple[int, ...]], list[str]] = {}
        for dataset, hp in self._wanted(study):
            held = self.seeds.get((dataset, hp), ())
            lacking = tuple(seed for seed in study.seeds if held and seed not in held)
            if lacking:
                datasets.setdefault((hp, lacking, held), []).append(dataset)
        return [LackingSeeds(tuple(names), *found) for found, names in datasets.items()]

    def first_seeds_left_out(self, study: Study) -> list[tuple[str, str, int]]:
        """Return (dataset, hp, seed) of the first seeds of wanted trainings that a study does not list."""
        return [
            (dataset, hp, seed)
            for (dataset, hp), seed in self.first_seeds.items()
            if dataset in study.datasets and hp in self.hps and seed not in study.seeds
        ]

    def _wanted(self, study: Study) -> list[tuple[str, str]]:
        """Return the (dataset, hp) that a study wants and its records list."""
        pairs = [(dataset, hp) for hp in self.hps for dataset in study.datasets]
        return [pair for pair in pairs if pair in self.first_seeds]


def select(
    study: Study,
    archive: Archive,
    source: str,
    arch_indices: Sequence[int],
    summary: Summary,
    part: Part | None = None,
) -> Selection:
    """Return what an archive can serve of a study: listed architectures with a record, budgets that it has.

    Args:
        study: What is wanted.
        archive: The archive.
        source: Its name.
        arch_indices: The architectures that the study lists.
        summary: What its records have in common; a worker that meets another first seed records an absence.
        part: Which of them this command takes; None for all.
    """
    held = np.intersect1d(np.asarray(arch_indices, dtype=np.int64), np.asarray(archive.held, dtype=np.int64))
    held = cut(archive.space, held, study.limit, part)
    budgets = {hp for _, hp in summary.first_seeds}
    hps = tuple(hp for hp in study.hps if hp in budgets)
    sizes = [archive.record_bytes(int(i)) for i in held[:: max(1, len(held) // _FILES)]]
    record_bytes = float(np.mean(sizes)) if sizes else 0.0
    skeleton = {"channels": summary.channels, "cells": summary.cells}
    built_with = tuple((name, value) for name, value in skeleton.items() if value is not None)
    return Selection(
        source,
        archive.space,
        held,
        hps,
        len(archive.held),
        summary.first_seeds,
        record_bytes,
        built_with,
        archive.is_converted,
        summary.seeds,
        summary.with_weights,
    )


def arch_indices(expression: str, space: str, held: Sequence[int], *, key: str = "study.archs") -> list[int]:
    """Return the architectures that an expression selects, ascending.

    ``all``, ``representatives`` and ``sample`` choose among the architectures that the archive holds; listed ones must
    be held.

    Args:
        expression: ``all``, ``representatives``, ranges and indices such as ``0-99,120``, ``sample:NUMBER:SEED``, or
            ``file:PATH`` with one index or architecture string per line.
        space: Search space.
        held: Architectures that the archive holds; all of the space for those that are to be trained.
        key: Whose value the expression is, for messages.

    Raises:
        ConfigError: The expression is not understood, selects nothing, or lists an architecture that is out of range
            or not held.

    Example:
        >>> arch_indices("0-2,5", "sss", range(10))
        [0, 1, 2, 5]
    """
    if expression == "all":
        return sorted(held)
    if expression == "representatives":
        return sorted(set(held) & {int(i) for i in spaces.get(space).representatives()})
    if match := re.fullmatch(r"sample:(\d+):(\d+)", expression):
        return _sample(int(match[1]), int(match[2]), held, space, key)
    is_file = expression.startswith("file:")
    listed = _from_file(Path(expression[5:]), space, key) if is_file else _from_ranges(expression, key)
    _refuse_absent(listed, space, held, key)
    return sorted(set(listed))


def _sample(number: int, seed: int, held: Sequence[int], space: str, key: str) -> list[int]:
    if not 0 < number <= len(held):
        raise ConfigError(f"{key}: expected a sample of 1..{len(held)} held {space} architectures, got {number}")
    chosen = np.random.default_rng(seed).choice(np.sort(np.asarray(held)), size=number, replace=False)
    return sorted(int(i) for i in chosen)


def _from_ranges(expression: str, key: str) -> list[int]:
    listed: list[int] = []
    for part in expression.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None:
            raise ConfigError(f"{key}: cannot read {part!r} in {expression!r}; expected {_FORMS}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ConfigError(f"{key}: the range {part!r} is empty; expected FIRST-LAST")
        listed += range(first, last + 1)
    return listed


def _from_file(path: Path, space: str, key: str) -> list[int]:
    try:
        lines = path.read_text().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: cannot read {path} as text: {error}") from error
    listed = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            listed.append(int(text) if text.isdecimal() else spaces.get(space).arch_index(text))
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    if not listed:
        raise ConfigError(f"{key}: {path} lists no architecture")
    return listed


def _refuse_absent(listed: Sequence[int], space: str, held: Sequence[int], key: str) -> None:
    size = len(spaces.get(space))
    outside = [index for index in listed if index >= size]
    if outside:
        raise ConfigError(f"{key}: {space} has architectures 0..{size - 1}, got {outside[0]}")
    absent = sorted(set(listed) - set(held))
    if absent:
        raise ConfigError(
            f"{key}: the {space} archive holds no record of {len(absent)} listed architectures, the first is "
            f"{absent[0]}; study.archs=all takes the {len(held)} that it holds, study.spaces=[...] chooses the space"
        )
