"""The tasks of ``harness archive``: a worker surveys or converts one record after another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import torch

from harness import networks
from harness.archives import (
    Archive,
    Origin,
    Record,
    Surveyed,
    TrialKey,
    open_archive,
    read_origin,
    survey_record,
    write_converted,
)
from harness.archives.hashing import file_hash
from harness.archives.index import file_stamp
from harness.errors import DataError, EvaluationError
from harness.runner.model import build_network
from harness.values import Finding


class ToSurvey(NamedTuple):
    """A record to look at, with the hash of a sound file of it where one is known."""

    arch_index: int
    sound: str | None = None


@dataclass(frozen=True, slots=True)
class SurveyTask:
    """Surveying records; see :class:`harness.runner.placement.AbstractTask`.

    Attributes:
        path: Folder of the archive.
        space: Its search space.
    """

    path: Path
    space: str

    def start(self) -> Callable[[ToSurvey], Surveyed]:
        """Open the archive and return the function that surveys a record."""
        torch.set_num_threads(1)
        archive = open_archive(self.path, self.space)
        return lambda item: survey_record(archive, item.arch_index, item.sound)


class Converted(NamedTuple):
    """What came of converting a record: its row of the new archive's index, or why there is none."""

    arch_index: int
    surveyed: Surveyed | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ConvertTask:
    """Converting records; see :class:`harness.runner.placement.AbstractTask`.

    Attributes:
        path: Folder of the archive.
        space: Its search space.
        out: Folder of the converted archive, which is described already.
    """

    path: Path
    space: str
    out: Path

    def start(self) -> Callable[[int], Converted]:
        """Open the archives and return the function that converts the record of an architecture."""
        torch.set_num_threads(1)
        return partial(_convert, open_archive(self.path, self.space), open_archive(self.out, self.space))


def _convert(archive: Archive, into: Archive, arch_index: int) -> Converted:
    """Convert a record and read back what was written, which is held against the hashes of its weights.

    Raises:
        DataError: It cannot be written; no other record could be.
    """
    path = archive.record_path(arch_index)
    try:
        stamp = file_stamp(path)
        origin = Origin(stamp.n_bytes, stamp.mtime_ns, file_hash(path))
        record = archive.record(arch_index)
    except (DataError, OSError) as error:
        return Converted(arch_index, None, str(error))
    try:
        written = write_converted(into.path, record, origin)
    except DataError as error:
        return Converted(arch_index, None, str(error))
    except OSError as error:
        raise DataError(f"{into.path}: cannot be written: {error}") from error
    surveyed = survey_record(into, arch_index)
    if surveyed.table is not None and (problem := surveyed.table["problem"][0].as_py()) is not None:
        written.unlink(missing_ok=True)
        return Converted(arch_index, None, problem)
    return Converted(arch_index, surveyed)


def is_converted_from(archive: Archive, into: Archive, arch_index: int) -> bool:
    """Return whether a record was converted already, from the file that is there now by its size and time."""
    try:
        origin = read_origin(into.record_path(arch_index))
        stamp = file_stamp(archive.record_path(arch_index))
    except (OSError, DataError):
        return False
    return (origin.n_bytes, origin.mtime_ns) == tuple(stamp)


def load_kinds(archive: Archive, index: pa.Table) -> Iterator[tuple[TrialKey, int, Finding | None]]:
    """Load the weights of one network of each kind, a data set and a budget, into the network of its architecture.

    Args:
        archive: The archive.
        index: Its index.

    Yields:
        A training run, its architecture, and what is wrong with it or None.
    """
    loadable = index.filter(pc.field("has_weights")).sort_by("arch_index")
    kinds: dict[tuple[str, str], tuple[TrialKey, int]] = {}
    for row in loadable.select(["dataset", "hp", "seed", "arch_index"]).to_pylist():
        key = TrialKey(row["dataset"], row["seed"], row["hp"])
        kinds.setdefault((key.dataset, key.hp), (key, row["arch_index"]))
    opened: Record | None = None
    for key, arch_index in kinds.values():
        try:
            if opened is None or opened.arch_index != arch_index:
                opened = archive.record(arch_index)
            network = build_network(archive.space, opened.arch_str, opened.trial(*key))
            networks.load_weights(network, opened.weights(*key))
        except (DataError, EvaluationError) as error:
            yield key, arch_index, Finding("load", str(archive.record_path(arch_index)), f"{key}: {error}")
        else:
            yield key, arch_index, None
