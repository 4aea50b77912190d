"""Names of an archive: of its files, and of the archive itself independent of where it lies."""

import re
from pathlib import Path

META_FILE = "meta.pickle.pbz2"
LAYOUT = "a folder with meta.pickle.pbz2 and NNNNNN.pickle.pbz2, one record per architecture"
_RECORD_FILE = re.compile(r"(\d{6})\.pickle\.pbz2")
_OFFICIAL = re.compile(r"NATS-(?:tss|sss)-v\d+_\d+-[0-9a-f]+-(?:simple|full)")
_ZOO = re.compile(r"(zoo-[0-9a-f]{8})-(?:tss|sss)")


def record_file(arch_index: int) -> str:
    """Return the name of the file of a record.

    Example:
        >>> record_file(11)
        '000011.pickle.pbz2'
    """
    return f"{arch_index:06d}.pickle.pbz2"


def record_index(file_name: str) -> int | None:
    """Return the architecture of a record file by its name, None for other files."""
    match = _RECORD_FILE.fullmatch(file_name)
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
