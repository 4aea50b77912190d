"""Writing a folder of files so that it is there completely or not at all."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.atomic import TEMPORARY_SUFFIX
from harness.errors import ConfigError


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write into, which gets its name when the body ends and is removed when it fails.

    Args:
        path: The folder that shall be there in the end.

    Raises:
        ConfigError: Something is there already.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ConfigError(f"--out: {path} is there already; remove it or give another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    making.mkdir()
    try:
        yield making
        making.replace(path)
    finally:
        shutil.rmtree(making, ignore_errors=True)
