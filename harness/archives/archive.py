"""Opens an archive in NATS-Bench's layout and reads its records, one visit to a file for all of its training runs.

Nothing is kept between two visits, so the memory is bounded by one record.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import SupportsIndex

from torch import Tensor

from harness import spaces
from harness.archives.naming import LAYOUT, META_FILE, record_file, record_index, source_name
from harness.archives.record import Record, parse_record
from harness.archives.restricted import MAX_BYTES, read_pickle
from harness.errors import DataError, MissingTrialError
from harness.pickles import is_plain_mapping, mapping, shown

_ORIGIN = "NATS-Bench's archives are linked from https://github.com/D-X-Y/NATS-Bench; `harness zoo train` makes one"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of trained networks of one search space.

    Attributes:
        path: Its folder.
        space: Name of the search space.
        source: Identity independent of where it lies; None if the folder's name does not tell it.
        held: Architectures of which it has a record file, in increasing order.
        max_bytes: Largest decompressed size of a record to accept.
    """

    path: Path
    space: str
    source: str | None
    held: tuple[int, ...] = field(repr=False)
    max_bytes: int = field(default=MAX_BYTES, repr=False)

    def record(self, i: SupportsIndex) -> Record:
        """Read the record of an architecture.

        Args:
            i: Index of the architecture in its space.

        Raises:
            IndexError: The space has no such architecture.
            MissingTrialError: The archive has no record of it.
            DataError: The record is damaged, hostile, or not what its name says.
        """
        space, arch_index = spaces.get(self.space), index(i)
        space.arch_str(arch_index)  # an index out of range is the caller's error, not an absent file
        path = self.path / record_file(arch_index)
        try:
            content = read_pickle(path, self.max_bytes)
        except FileNotFoundError:
            raise MissingTrialError(
                f"{path}: no record of architecture {arch_index}; the archive held {_summary(self.held)} when opened"
            ) from None
        return parse_record(content, path, space, arch_index)

    def weights(self, i: SupportsIndex, dataset: str, seed: int, hp: str) -> OrderedDict[str, Tensor]:
        """Return the weights of one training run; for several runs of an architecture, read its record once.

        Raises:
            IndexError: The space has no such architecture.
            MissingTrialError: The archive does not hold the run.
            DataError: The record is unusable or its weights were stripped.
        """
        return self.record(i).weights(dataset, seed, hp)


def open_archive(path: str | Path, space: str | None = None, *, max_bytes: int = MAX_BYTES) -> Archive:
    """Return the archive in a folder, its meta file checked against the enumeration of its search space.

    Args:
        path: The folder.
        space: Search space that it must have; None accepts either.
        max_bytes: Largest decompressed size of a file to accept.

    Raises:
        DataError: There is no archive, its meta file is unusable, or it has another search space.
        ValueError: There is no such search space.
    """
    wanted = None if space is None else spaces.get(space).name
    folder = Path(path)
    content = _read_meta(folder, max_bytes)
    found = _space_of(content, folder / META_FILE)
    if wanted not in (None, found.name):
        raise DataError(f"{folder}: expected an archive of the {wanted} space, this is one of {found.name}")
    return Archive(folder, found.name, source_name(folder), _held(folder, found), max_bytes)


def _read_meta(folder: Path, max_bytes: int) -> object:
    if not folder.is_dir():
        state = "is no folder" if folder.exists() else "does not exist"
        raise DataError(f"archive: {folder} {state}: expected {LAYOUT}. {_ORIGIN}")
    try:
        return read_pickle(folder / META_FILE, max_bytes)
    except FileNotFoundError:
        raise DataError(f"archive: {folder} has no {META_FILE}: expected {LAYOUT}. {_ORIGIN}") from None


def _space_of(content: object, path: Path) -> spaces.AbstractSpace:
    """Return the search space whose complete list of architectures, in its order, a meta file has."""
    strings = _meta_strings(content, path)
    known = [spaces.get(name) for name in spaces.names()]
    for space in known:
        if len(strings) == len(space):
            _check_order(strings, space, path)
            return space
    sizes = ", ".join(f"{len(space):,} of {space.name}" for space in known)
    raise DataError(f"{path}: expected a complete list of architectures ({sizes}), it has {len(strings):,}")


def _meta_strings(content: object, path: Path) -> list[object]:
    if not is_plain_mapping(content):
        raise DataError(f"{path}: expected a meta file with 'meta_archs', got {shown(content)}")
    meta = mapping(content, str(path))
    strings = meta.get("meta_archs")
    if type(strings) is not list:
        kind = "a record" if any(is_plain_mapping(v) and "all_results" in v for v in meta.values()) else "none"
        raise DataError(f"{path}: expected a meta file with a list 'meta_archs', this is {kind}")
    if meta.get("total_archs") != len(strings):
        raise DataError(
            f"{path}: total_archs: expected {len(strings)} as in meta_archs, got {shown(meta.get('total_archs'))}"
        )
    return strings


def _check_order(strings: list[object], space: spaces.AbstractSpace, path: Path) -> None:
    if tuple(strings) == space.strings:
        return
    for i, string in enumerate(strings):
        if string != space.arch_str(i):
            raise DataError(
                f"{path}: architecture {i} of {space.name}: expected {space.arch_str(i)}, got {shown(string)}"
            )


def _held(folder: Path, space: spaces.AbstractSpace) -> tuple[int, ...]:
    held = sorted(i for name in os.listdir(folder) if (i := record_index(name)) is not None)
    if held and held[-1] >= len(space):
        raise DataError(
            f"{folder / record_file(held[-1])}: the {space.name} space ends at {len(space) - 1}; is this file of "
            "another archive?"
        )
    return tuple(held)


def _summary(held: tuple[int, ...]) -> str:
    if not held:
        return "none"
    return f"{len(held):,}, from {held[0]} to {held[-1]}"
