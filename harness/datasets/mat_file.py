"""Reads one array of bytes out of a MATLAB 5 file, the format of versions 5 to 7.2.

``scipy.io.loadmat`` reads all of the format, and on a damaged file ends the process. Here every length is checked
before it is used. What the array should be is left to the caller.

Reference:
    MathWorks, "MAT-File format", chapter 1, "Level 5 MAT-files".
"""

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

_MAX_BYTES = 1 << 30
_HEADER = 128
_LITTLE_ENDIAN_5 = b"\x00\x01IM"
# Types of data elements, and the class of an array of bytes.
_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 2, 5, 6, 14, 15
_BYTES_CLASS = 9


def read_bytes_array(content: bytes, name: str) -> UInt8[np.ndarray, "..."]:
    """Return an array of unsigned bytes, in MATLAB's order of dimensions and read-only.

    Args:
        content: The content of a file.
        name: The name of the array.

    Raises:
        ValueError: It is no such file, is damaged, or has no array of bytes by that name.
    """
    if content[_HEADER - 4 : _HEADER] != _LITTLE_ENDIAN_5:
        raise ValueError("expected a little-endian MATLAB 5 file")
    others = []
    for kind, data in _elements(memoryview(content)[_HEADER:]):
        for inner_kind, inner in _elements(_unpacked(data)) if kind == _COMPRESSED else [(kind, data)]:
            found, parts = _matrix(inner_kind, inner)
            if found == name:
                return _bytes_array(parts, name)
            others.append(found)
    raise ValueError(f"expected the variable {name}, got {', '.join(others) or 'none'}")


def _elements(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the type and content of each element; those of up to four bytes are packed into their tag."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError("the tag of an element is cut off")
        kind, n_bytes = struct.unpack_from("<II", data, position)
        start, end = position + 8, position + 8 + n_bytes
        if kind >> 16:
            kind, n_bytes = kind & 0xFFFF, kind >> 16
            start, end = position + 4, position + 4 + n_bytes
            if n_bytes > 4:
                raise ValueError(f"an element of {n_bytes} bytes cannot lie in its tag")
        if end > len(data):
            raise ValueError(f"an element claims {n_bytes:,} bytes and has fewer")
        yield kind, data[start:end]
        position = end if kind == _COMPRESSED else -(-end // 8) * 8


def _unpacked(data: memoryview) -> memoryview:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(data, _MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"an element is damaged: {error}") from error
    if not unpacker.eof:
        raise ValueError("an element is cut off or too large when it is unpacked")
    return memoryview(content)


def _matrix(kind: int, data: memoryview) -> tuple[str, list[tuple[int, memoryview]]]:
    """Return the name of an array and its parts: flags, dimensions, name and values."""
    parts = list(_elements(data)) if kind == _MATRIX else []
    if len(parts) < 3 or [kind for kind, _ in parts[:3]] != [_UINT32, _INT32, _INT8]:
        raise ValueError("an element is no array")
    return bytes(parts[2][1]).decode("latin1"), parts


def _bytes_array(parts: list[tuple[int, memoryview]], name: str) -> UInt8[np.ndarray, "..."]:
    (_, flags), (_, dimensions), _, *values = parts
    if len(values) != 1 or len(flags) != 8 or flags[0] != _BYTES_CLASS or values[0][0] != _UINT8:
        raise ValueError(f"{name}: expected an array of unsigned bytes, it is of another type")
    shape = struct.unpack(f"<{len(dimensions) // 4}i", dimensions[: len(dimensions) // 4 * 4])
    if min(shape, default=-1) < 0 or math.prod(shape) != len(values[0][1]):
        raise ValueError(f"{name}: {len(values[0][1]):,} values are not those of an array of shape {shape}")
    return np.ndarray(shape, np.uint8, values[0][1], order="F")
