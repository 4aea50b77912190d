"""The files of a site: written together, and what an earlier site of the same folder had besides is removed."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from harness.atomic import write_file

_LIST = "files.txt"


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, and remove those that an earlier report wrote there and this one does not have.

    What a report wrote stands in a list beside it, so that nothing else in the folder is ever removed.

    Args:
        folder: The folder, made if there is none.
        files: What goes there, by path inside it.

    Raises:
        OSError: A file cannot be written.
    """
    listed = folder / _LIST
    earlier = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    write_file(listed, "".join(f"{name}\n" for name in sorted({*earlier, *files})).encode())
    for name, content in files.items():
        write_file(folder / name, content)
    for name in set(earlier) - set(files):
        if _is_inside(name):
            (folder / name).unlink(missing_ok=True)
    write_file(listed, "".join(f"{name}\n" for name in sorted(files)).encode())


def _is_inside(name: str) -> bool:
    """Return whether a listed path stays in its folder, whoever changed the list."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and name != ""
