"""Looking at one record as a whole: everything in it is read and checked, and what it holds goes into the index."""

from typing import NamedTuple

import pyarrow as pa

from harness.archives.archive import Archive
from harness.archives.hashing import file_hash
from harness.archives.index import SCHEMA, Stamp, file_stamp, problem_rows, record_rows
from harness.errors import DataError


class Surveyed(NamedTuple):
    """What was found in the file of a record.

    Attributes:
        arch_index: Architecture that the file's name says.
        stamp: Size and time of the file.
        sha256: Its hash; None if it could not be read at all.
        table: Its rows of the index; None if it has the hash of a file that is known to be sound, and was not opened.
    """

    arch_index: int
    stamp: Stamp
    sha256: str | None
    table: pa.Table | None


def survey_record(archive: Archive, arch_index: int, sound: str | None = None) -> Surveyed:
    """Read a record with all of its weights.

    Args:
        archive: The archive.
        arch_index: One of the architectures that it holds.
        sound: Hash of a sound file of this record; None to read the record whatever its hash is.
    """
    path, stamp, sha256 = archive.record_path(arch_index), Stamp(0, 0), None
    try:
        stamp = file_stamp(path)
        sha256 = file_hash(path)
        if sha256 == sound:
            return Surveyed(arch_index, stamp, sha256, None)
        record = archive.record(arch_index)
        for key, trial in record.info.items():
            if trial.has_weights:
                record.weights(*key)  # of a converted archive these are held against their hash
        table = pa.Table.from_pylist(record_rows(record, stamp, sha256), SCHEMA)
    except DataError as error:
        table = _unreadable(arch_index, stamp, sha256, str(error))
    except FileNotFoundError:
        why = "a link that leads nowhere" if path.is_symlink() else "gone since the folder was listed"
        table = _unreadable(arch_index, stamp, sha256, f"{path}: {why}")
    except OSError as error:
        table = _unreadable(arch_index, stamp, sha256, f"{path}: cannot be read: {error.strerror}")
    except (ValueError, OverflowError, pa.ArrowException) as error:
        table = _unreadable(arch_index, stamp, sha256, f"{path}: a value is out of range: {error}")
    return Surveyed(arch_index, stamp, sha256, table)


def _unreadable(arch_index: int, stamp: Stamp, sha256: str | None, problem: str) -> pa.Table:
    shown = problem.encode(errors="backslashreplace").decode()
    return pa.Table.from_pylist(problem_rows(arch_index, stamp, sha256, shown), SCHEMA)
