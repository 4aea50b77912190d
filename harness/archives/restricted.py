"""Reads one file of an archive without letting it run code or fill the memory.

An archive is other people's pickles. The bz2 stream is decompressed up to a cap, and :mod:`harness.pickles` answers
only the few names that NATS-Bench writes, as listed in :mod:`harness.archives.standins`. What the objects mean
is left to :mod:`harness.archives.record`.
"""

import bz2
import io
from pathlib import Path

from harness.archives.hashing import require_regular
from harness.archives.standins import ANSWERS
from harness.errors import DataError
from harness.pickles import load_pickle

MAX_BYTES = 1 << 30
_CHUNK = 1 << 20


def read_pickle(path: Path, max_bytes: int = MAX_BYTES) -> object:
    """Return the object in a bz2-compressed pickle, tensors as :class:`harness.archives.standins.StoredTensor`.

    Args:
        path: The file.
        max_bytes: Largest decompressed size to accept; NATS-Bench's largest record has 109 MB.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The file is too large, damaged, hostile, or no bz2-compressed pickle.
    """
    return parse_pickle(decompress(path, max_bytes), path)


def parse_pickle(raw: bytes, path: Path) -> object:
    """Return the object in a pickle that was decompressed from a file.

    Raises:
        DataError: It is damaged or hostile.
    """
    return load_pickle(raw, ANSWERS, f"{path}: not a sound NATS-Bench pickle")


def decompress(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a file that is exactly one bz2 stream.

    Args:
        path: The file.
        max_bytes: Largest decompressed size to accept; no more than this is ever held.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The file cannot be read, is no bz2 file, is damaged, truncated, followed by other data or too large.
    """
    require_regular(path)
    try:
        with path.open("rb") as file:
            return _decompress_stream(file, path, max_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _decompress_stream(file: io.BufferedReader, path: Path, max_bytes: int) -> bytes:
    if not file.peek(1):
        raise DataError(f"{path}: it is empty; fetch the file again")
    if file.peek(3)[:3] != b"BZh":
        raise DataError(f"{path}: expected a bz2 file, its first bytes are {file.peek(3)[:3]!r}")
    stream, content = bz2.BZ2Decompressor(), io.BytesIO()
    while not stream.eof:
        chunk = file.read(_CHUNK) if stream.needs_input else b""
        if stream.needs_input and not chunk:
            raise DataError(f"{path}: truncated: the bz2 stream ends too early; fetch the file again")
        content.write(_next_part(stream, chunk, path, max_bytes + 1 - content.tell()))
        if content.tell() > max_bytes:
            raise DataError(f"{path}: decompresses to more than {max_bytes:,} bytes; no record is that large")
    if stream.unused_data or file.read(1):
        raise DataError(f"{path}: other data follow the end of the bz2 stream")
    return content.getvalue()


def _next_part(stream: bz2.BZ2Decompressor, chunk: bytes, path: Path, max_length: int) -> bytes:
    try:
        return stream.decompress(chunk, max_length=max_length)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: damaged: {error} in the bz2 stream; fetch the file again") from error
