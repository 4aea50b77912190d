"""What is wrong with an archive: names, records, hashes, weights. Each check yields findings that name their file.

Reading the records is left to :mod:`harness.archives.survey`; what it found is in the index.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from harness import spaces
from harness.archives.archive import Archive, archive_below, names_in
from harness.archives.hashing import file_hash
from harness.archives.index import hashes, problems
from harness.archives.naming import DESCRIPTION_FILE, INDEX_FILE, LAYOUT, MANIFEST_FILE, META_FILE, record_index
from harness.atomic import TEMPORARY_SUFFIX
from harness.errors import DataError
from harness.values import Finding

_RECORD_LIKE = re.compile(r"\d+.*\.(pbz2|safetensors)|.*\.pickle\.pbz2")
_UNFINISHED = re.compile(r".*\.(part|partial|crdownload|aria2|download)")
_OWN = (META_FILE, DESCRIPTION_FILE, INDEX_FILE, MANIFEST_FILE)


def require_archive(folder: Path) -> None:
    """Refuse a folder in which there is nothing of an archive.

    Raises:
        DataError: It is none, cannot be read, or has neither records nor a file that describes them.
    """
    if not any(name in (META_FILE, DESCRIPTION_FILE) or _is_record(name) for name in names_in(folder)):
        raise DataError(f"{folder}: holds nothing of an archive: expected {LAYOUT}{archive_below(folder)}")


def check_names(folder: Path) -> Iterator[Finding]:
    """Yield the files that look like records and are not named like one: they would be overlooked in silence."""
    for name in sorted(os.listdir(folder)):
        if name.endswith(TEMPORARY_SUFFIX):
            yield Finding("names", str(folder / name), "what a killed writer left behind; it can be removed")
        elif _UNFINISHED.fullmatch(name):
            yield Finding("names", str(folder / name), "an unfinished download; let it end, or remove it")
        elif name not in _OWN and not _is_record(name) and _RECORD_LIKE.fullmatch(name):
            message = "nothing reads it: records are named NNNNNN.pickle.pbz2, and NNNNNN.safetensors where converted"
            yield Finding("names", str(folder / name), message)


def check_strays(archive: Archive) -> Iterator[Finding]:
    """Yield records that are overlooked: those beyond the space, and those of the other form."""
    last = len(spaces.get(archive.space)) - 1
    for name in sorted(os.listdir(archive.path)):
        number = record_index(name, is_converted=archive.is_converted)
        if number is not None and number > last:
            message = f"nothing reads it: the {archive.space} space ends at {last}; is this file of another archive?"
            yield Finding("names", str(archive.path / name), message)
        elif record_index(name, is_converted=not archive.is_converted) is not None:
            form = "converted" if archive.is_converted else "not converted"
            yield Finding("names", str(archive.path / name), f"a record of another form; the archive is {form}")


def ranges(indices: Sequence[int]) -> str:
    """Return ascending indices as ranges.

    Example:
        >>> ranges([0, 1, 2, 7, 9, 10])
        '0-2, 7, 9-10'
    """
    parts: list[list[int]] = []
    for i in indices:
        if parts and i == parts[-1][1] + 1:
            parts[-1][1] = i
        else:
            parts.append([i, i])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)


def file_hashes(archive: Archive, table: pa.Table) -> dict[str, str]:
    """Return the hashes of the files of an archive by name, those that could be read."""
    about = archive.path / (DESCRIPTION_FILE if archive.is_converted else META_FILE)
    records = {archive.record_path(i).name: sha256 for i, sha256 in hashes(table).items() if sha256 is not None}
    return {about.name: file_hash(about), **records}


def check_records(archive: Archive, table: pa.Table) -> Iterator[Finding]:
    """Yield the records that cannot be read."""
    for i, problem in sorted(problems(table).items()):
        where = str(archive.record_path(i))
        yield Finding("record", where, problem_of(where, problem))


def check_manifest(archive: Archive, before: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the files of the manifest that are others now."""
    for name, sha256 in sorted(before.items()):
        if found.get(name) != sha256:
            state = "changed since" if name in found else "is gone since"
            message = f"{state} the manifest was written; fetch it again, or remove its line from the manifest"
            yield Finding("manifest", str(archive.path / name), message)


def check_weights(archive: Archive, table: pa.Table) -> Iterator[Finding]:
    """Yield the records without any weights in an archive that should have some."""
    readable = table.filter(pc.field("dataset").is_valid())
    by_record = readable.group_by("arch_index").aggregate([("has_weights", "any")]).sort_by("arch_index")
    with_weights = dict(zip(by_record["arch_index"].to_pylist(), by_record["has_weights_any"].to_pylist(), strict=True))
    if not any(with_weights.values()) and not (archive.source or "").endswith("-full"):
        return
    for i, has_weights in with_weights.items():
        if not has_weights:
            message = "all of its weights were stripped: it is a record of another, 'simple' archive"
            yield Finding("weights", str(archive.record_path(i)), message)


def as_finding(check: str, error: Exception) -> Finding:
    """Return an error, which begins with the file that it is about, as a finding."""
    where, _, message = str(error).partition(": ")
    return Finding(check, where, message)


def problem_of(where: str, problem: str) -> str:
    """Return a problem without the name of its file, with which most begin."""
    return problem.removeprefix(f"{where}: ")


def _is_record(name: str) -> bool:
    return record_index(name) is not None or record_index(name, is_converted=True) is not None
