"""Opens an archive, as NATS-Bench made it or converted, and reads its records, one visit to a file for all of its runs.

Nothing is kept between two visits, so the memory is bounded by one record.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import SupportsIndex

from torch import Tensor

from harness import spaces
from harness.archives.converted import read_converted, read_description
from harness.archives.naming import (
    DESCRIPTION_FILE,
    LAYOUT,
    META_FILE,
    converted_file,
    record_file,
    record_index,
    source_name,
)
from harness.archives.record import Record, parse_record
from harness.archives.restricted import MAX_BYTES, decompress, parse_pickle, read_pickle
from harness.errors import DataError, MissingTrialError
from harness.pickles import is_plain_mapping, mapping, shown

_ORIGIN = "NATS-Bench's archives are linked from https://github.com/D-X-Y/NATS-Bench; `harness zoo train` makes one"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of trained networks of one search space.

    Attributes:
        path: Its folder.
        space: Name of the search space.
        source: Identity independent of where it lies; None if nothing tells it.
        held: Architectures of which it has a record file, in increasing order.
        max_bytes: Largest decompressed size of a record to accept.
        is_converted: Whether its records are safetensors files instead of bz2-compressed pickles.
    """

    path: Path
    space: str
    source: str | None
    held: tuple[int, ...] = field(repr=False)
    max_bytes: int = field(default=MAX_BYTES, repr=False)
    is_converted: bool = field(default=False, repr=False)

    def record_path(self, i: SupportsIndex) -> Path:
        """Return the file of the record of an architecture, which need not be there."""
        return self.path / (converted_file if self.is_converted else record_file)(index(i))

    def record(self, i: SupportsIndex) -> Record:
        """Read the record of an architecture.

        Args:
            i: Index of the architecture in its space.

        Raises:
            IndexError: The space has no such architecture.
            MissingTrialError: The archive has no record of it.
            DataError: The record is damaged, hostile, or not what its name says.
        """
        return self.fetch(i)()

    def fetch(self, i: SupportsIndex) -> Callable[[], Record]:
        """Do what takes longest of reading a record, its decompression, and return the function that does the rest.

        It can be called in any thread, the function that it returns in one at a time. Each raises what :meth:`record`
        does.
        """
        space, arch_index = spaces.get(self.space), index(i)
        space.arch_str(arch_index)  # an index out of range is the caller's error, not an absent file
        path = self.record_path(arch_index)
        try:
            if self.is_converted:
                record = read_converted(path, space, arch_index)
                return lambda: record
            raw = decompress(path, self.max_bytes)
        except FileNotFoundError:
            raise MissingTrialError(
                f"{path}: no record of architecture {arch_index}; the archive held {_summary(self.held)} when opened"
            ) from None
        return lambda: parse_record(parse_pickle(raw, path), path, space, arch_index)

    def record_bytes(self, i: SupportsIndex) -> int:
        """Return the size of the file of a record, which the archive holds; 0 for a link that leads nowhere."""
        try:
            return self.record_path(i).stat().st_size
        except OSError:
            return 0

    def weights(self, i: SupportsIndex, dataset: str, seed: int, hp: str) -> OrderedDict[str, Tensor]:
        """Return the weights of one training run; for several runs of an architecture, read its record once.

        Raises:
            IndexError: The space has no such architecture.
            MissingTrialError: The archive does not hold the run.
            DataError: The record is unusable or its weights were stripped.
        """
        return self.record(i).weights(dataset, seed, hp)


def open_archive(path: str | Path, space: str | None = None, *, max_bytes: int = MAX_BYTES) -> Archive:
    """Return the archive in a folder; NATS-Bench's meta file is checked against the enumeration of its search space.

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
    names = names_in(folder)
    is_converted = DESCRIPTION_FILE in names
    if is_converted:
        told = read_description(folder)
        found, source = spaces.get(told.space), told.source or source_name(folder)
    else:
        found, source = _space_of(_read_meta(folder, max_bytes), folder / META_FILE), source_name(folder)
    if wanted not in (None, found.name):
        raise DataError(f"{folder}: expected an archive of the {wanted} space, this is one of {found.name}")
    return Archive(folder, found.name, source, _held(names, found, is_converted), max_bytes, is_converted)


def names_in(folder: Path) -> list[str]:
    """Return the names of all that is in the folder of an archive.

    Raises:
        DataError: There is no such folder, or this user may not list and enter it.
    """
    try:
        names = os.listdir(folder)
        (folder / META_FILE).exists()  # what can be listed cannot always be entered
    except FileNotFoundError:
        raise DataError(f"{folder}: does not exist: expected {LAYOUT}. {_ORIGIN}") from None
    except NotADirectoryError:
        raise DataError(f"{folder}: is no folder: expected {LAYOUT}. {_ORIGIN}") from None
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read: {error.strerror}: expected {LAYOUT}, which this user may list and enter "
            "(rights r and x of all folders on the way)"
        ) from error
    return names


def archive_below(folder: Path) -> str:
    """Return, for the end of a message, a subfolder that is an archive where a folder is none."""
    for path in sorted(folder.glob(f"*/{META_FILE}")) + sorted(folder.glob(f"*/{DESCRIPTION_FILE}")):
        return f"; its subfolder {path.parent.name} looks like one"
    return ""


def _read_meta(folder: Path, max_bytes: int) -> object:
    try:
        return read_pickle(folder / META_FILE, max_bytes)
    except FileNotFoundError:
        raise DataError(f"{folder}: has no {META_FILE}: expected {LAYOUT}{archive_below(folder)}. {_ORIGIN}") from None


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


def _held(names: list[str], space: spaces.AbstractSpace, is_converted: bool) -> tuple[int, ...]:
    """Return the architectures of the space of which there are records; files beyond it are left to an audit."""
    found = (record_index(name, is_converted=is_converted) for name in names)
    return tuple(sorted(i for i in found if i is not None and i < len(space)))


def _summary(held: tuple[int, ...]) -> str:
    if not held:
        return "none"
    return f"{len(held):,}, from {held[0]} to {held[-1]}"
