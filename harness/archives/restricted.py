"""Reads one file of an archive without letting it run code or fill the memory.

An archive is other people's pickles, and a pickle is a program. Three guards stand between the two: the bz2 stream is
decompressed up to a cap, the opcodes are walked before any is executed (:mod:`harness.archives.opcodes`), and the
unpickler answers only the few names that NATS-Bench writes, with stand-ins (:mod:`harness.archives.standins`). What the
objects mean is left to :mod:`harness.archives.record`.

What no guard prevents is that a crafted file wastes time: hashing a key of nested tuples that share their parts takes
as long as its author likes.
"""

import bz2
import io
import pickle
import struct
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from harness.archives.opcodes import check_opcodes
from harness.archives.standins import load_storage, make_dtype, make_scalar, rebuild_tensor
from harness.archives.untrusted import shown
from harness.errors import DataError

MAX_BYTES = 1 << 30
_CHUNK = 1 << 20
# The largest record has about 350,000; an opcode makes at most 216 bytes of objects.
_MAX_OPCODES = 5_000_000

_ANSWERS: Mapping[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): make_dtype,
    ("numpy.core.multiarray", "scalar"): make_scalar,
    ("numpy._core.multiarray", "scalar"): make_scalar,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch.storage", "_load_from_bytes"): load_storage,
}
# What a damaged pickle raises, here, in the stand-ins and in torch.load. LookupError covers a broken memo reference or
# key, ValueError bad text, RuntimeError a nesting that is too deep and torch's own complaints.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
)


def read_pickle(path: Path, max_bytes: int = MAX_BYTES) -> object:
    """Return the object in a bz2-compressed pickle, tensors as :class:`harness.archives.standins.StoredTensor`.

    Args:
        path: The file.
        max_bytes: Largest decompressed size to accept; NATS-Bench's largest record has 109 MB.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The file is too large, damaged, hostile, or no bz2-compressed pickle.
    """
    raw = decompress(path, max_bytes)
    try:
        return _load(raw)
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: not a sound NATS-Bench pickle: {reason}") from error


def decompress(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a file that is exactly one bz2 stream.

    Args:
        path: The file.
        max_bytes: Largest decompressed size to accept; no more than this is ever held.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The file cannot be read, is no bz2 file, is damaged, truncated, followed by other data or too large.
    """
    try:
        with path.open("rb") as file:
            return _decompress_stream(file, path, max_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _decompress_stream(file: io.BufferedReader, path: Path, max_bytes: int) -> bytes:
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


def _load(raw: bytes) -> object:
    stream = io.BytesIO(raw)
    # pickletools comments on odd escapes and torch on storages; the user of an archive can do nothing about either.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_opcodes(stream, _MAX_OPCODES)
        if stream.tell() != len(raw):
            raise pickle.UnpicklingError(f"{len(raw) - stream.tell():,} bytes follow the end of the pickle")
        stream.seek(0)
        return _RestrictedUnpickler(stream).load()


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler for which only the names of a NATS-Bench record exist."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        try:
            return _ANSWERS[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module_name}.{global_name}, which no record needs; refused, nothing of it was run"
            ) from None

    def persistent_load(self, pid: object, /) -> object:
        raise pickle.UnpicklingError(f"it asks for the persistent object {shown(pid)}; refused, nothing of it was run")
