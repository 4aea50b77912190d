"""Writing a file so that it is there completely or not at all, whatever is killed when."""

import contextlib
import os
import uuid
from pathlib import Path

from harness.errors import DataError

TEMPORARY_SUFFIX = ".tmp"


def write_file(path: Path, content: bytes, *, tag: str = "") -> None:
    """Write a file through a temporary one in the same folder, flushed to disk and renamed; the folder is made.

    Args:
        path: The file; one that is there is replaced.
        content: All of its bytes.
        tag: Goes into the name of the temporary file, to tell whose it was if the writer is killed.

    Raises:
        OSError: It cannot be written; the temporary file is removed, and folders that were made for it.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    temporary = path.with_name(".".join(filter(None, (path.name, tag, uuid.uuid4().hex[:8]))) + TEMPORARY_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
            for folder in missing:
                folder.rmdir()  # refuses one that another process has put something into
        raise


def write_data(path: Path, content: bytes) -> None:
    """Write a file as :func:`write_file` does.

    Raises:
        DataError: It cannot be written.
    """
    try:
        write_file(path, content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}") from error


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
