"""Names of an archive: of its files, and of the archive itself independent of where it lies."""

import re
from pathlib import Path

from harness.values import NATS_SOURCE

META_FILE = "meta.pickle.pbz2"
DESCRIPTION_FILE = "archive.json"
INDEX_FILE = "index.parquet"
MANIFEST_FILE = "SHA256SUMS"
LAYOUT = "a folder with meta.pickle.pbz2 and NNNNNN.pickle.pbz2, one record per architecture"
_RECORD_FILE = re.compile(r"(\d{6})\.pickle\.pbz2", re.ASCII)
_CONVERTED_FILE = re.compile(r"(\d{6})\.safetensors", re.ASCII)
_OFFICIAL = re.compile(NATS_SOURCE)
_STRIPPED, _WHOLE = "-simple", "-full"
_ZOO = re.compile(r"(zoo-[0-9a-f]{8})-(?:tss|sss)")


def record_file(arch_index: int) -> str:
    """Return the name of the file of a record.

    Example:
        >>> record_file(11)
        '000011.pickle.pbz2'
    """
    return f"{arch_index:06d}.pickle.pbz2"


def converted_file(arch_index: int) -> str:
    """Return the name of the file of a record in a converted archive.

    Example:
        >>> converted_file(11)
        '000011.safetensors'
    """
    return f"{arch_index:06d}.safetensors"


def record_index(file_name: str, *, is_converted: bool = False) -> int | None:
    """Return the architecture of a record file by its name, None for other files."""
    match = (_CONVERTED_FILE if is_converted else _RECORD_FILE).fullmatch(file_name)
    return int(match[1]) if match else None


def source_name(path: str | Path) -> str | None:
    """Return the identity of an archive as the name of its folder tells it, None if it does not.

    NATS-Bench's names stand for themselves; the two archives of a zoo share the name of its recipe. A link with such a
    name counts as well as the folder that it points to.

    Example:
        >>> source_name("/data/NATS-tss-v1_0-3ffb9-full")
        'NATS-tss-v1_0-3ffb9-full'
        >>> source_name("results/zoo-0123abcd-tss")
        'zoo-0123abcd'
        >>> source_name("/data/nats")
    """
    folder = Path(path).absolute()
    for name in (folder.name, folder.resolve().name):
        if _OFFICIAL.fullmatch(name):
            return name
        if zoo := _ZOO.fullmatch(name):
            return zoo[1]
    return None


def archive_with_weights(source: str | None) -> str:
    """Return, for a message, which archive has the weights that the one of a given name lacks.

    Example:
        >>> archive_with_weights("NATS-tss-v1_0-3ffb9-simple")
        'take NATS-tss-v1_0-3ffb9-full'
        >>> archive_with_weights(None)
        'take the archive whose name ends in -full'
    """
    if source is not None and _OFFICIAL.fullmatch(source) and source.endswith(_STRIPPED):
        return f"take {source.removesuffix(_STRIPPED)}{_WHOLE}"
    return f"take the archive whose name ends in {_WHOLE}"


def logs_only(source: str | None) -> str:
    """Return what is to be said of an archive of which no record holds weights."""
    return f"it holds logs only, no weights: its networks cannot be evaluated; {archive_with_weights(source)}"
