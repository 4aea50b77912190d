"""Which architectures an expression such as ``0-99`` or ``sample:100:7`` means."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness import spaces
from harness.errors import ConfigError

_FORMS = "all, representatives, 0-99, 3,7,11, sample:NUMBER:SEED or file:PATH"


def arch_indices(expression: str, space: str, held: Sequence[int]) -> list[int]:
    """Return the architectures that an expression selects, ascending.

    ``all``, ``representatives`` and ``sample`` choose among the architectures that the archive holds; listed ones must
    be held.

    Args:
        expression: ``all``, ``representatives``, ranges and indices such as ``0-99,120``, ``sample:NUMBER:SEED``, or
            ``file:PATH`` with one index or architecture string per line.
        space: Search space.
        held: Architectures that the archive holds.

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
        return _sample(int(match[1]), int(match[2]), held, space)
    listed = _from_file(Path(expression[5:]), space) if expression.startswith("file:") else _from_ranges(expression)
    _refuse_absent(listed, space, held)
    return sorted(set(listed))


def _sample(number: int, seed: int, held: Sequence[int], space: str) -> list[int]:
    if not 0 < number <= len(held):
        raise ConfigError(f"study.archs: expected a sample of 1..{len(held)} held {space} architectures, got {number}")
    chosen = np.random.default_rng(seed).choice(np.sort(np.asarray(held)), size=number, replace=False)
    return sorted(int(i) for i in chosen)


def _from_ranges(expression: str) -> list[int]:
    listed: list[int] = []
    for part in expression.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None:
            raise ConfigError(f"study.archs: cannot read {part!r} in {expression!r}; expected {_FORMS}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ConfigError(f"study.archs: the range {part!r} is empty; expected FIRST-LAST")
        listed += range(first, last + 1)
    return listed


def _from_file(path: Path, space: str) -> list[int]:
    try:
        lines = path.read_text().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"study.archs: cannot read {path} as text: {error}") from error
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
        raise ConfigError(f"study.archs: {path} lists no architecture")
    return listed


def _refuse_absent(listed: Sequence[int], space: str, held: Sequence[int]) -> None:
    size = len(spaces.get(space))
    outside = [index for index in listed if index >= size]
    if outside:
        raise ConfigError(f"study.archs: {space} has architectures 0..{size - 1}, got {outside[0]}")
    absent = sorted(set(listed) - set(held))
    if absent:
        raise ConfigError(
            f"study.archs: the {space} archive holds no record of {len(absent)} listed architectures, the first is "
            f"{absent[0]}; study.archs=all takes the {len(held)} that it holds, study.spaces=[...] chooses the space"
        )
