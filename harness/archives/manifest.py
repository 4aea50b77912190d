"""The manifest of an archive: the SHA-256 of each file that was found sound, as ``sha256sum -c`` reads it."""

import re
from collections.abc import Mapping
from pathlib import Path

from harness.archives.archive import Archive
from harness.archives.index import present, write_beside
from harness.archives.naming import MANIFEST_FILE
from harness.errors import DataError

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\n]+)")


def read_manifest(archive: Archive, cache: Path) -> dict[str, str]:
    """Return the hashes of sound files by their names; none where no manifest was written yet.

    Raises:
        DataError: The manifest is damaged.
    """
    path = present(archive, cache, MANIFEST_FILE)
    if path is None:
        return {}
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise DataError(f"{path}, line {number}: expected a SHA-256 and a name; remove the file to make it anew")
        sha256, name = match.groups()
        if found.setdefault(name, sha256) != sha256:
            raise DataError(f"{path}, line {number}: another SHA-256 of {name} than before; remove the wrong line")
    return found


def write_manifest(archive: Archive, hashes: Mapping[str, str], cache: Path) -> Path:
    """Write the manifest beside the archive's records, or else into the cache, and return its path.

    Raises:
        DataError: It cannot be written.
    """
    lines = [f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items())]
    return write_beside(archive, MANIFEST_FILE, "".join(lines).encode(), cache)
