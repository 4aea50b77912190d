"""Stand-ins for what pickled numpy numbers and arrays call: same results, plain little-endian numbers only.

A pickle can call what it is given with any arguments and set attributes on any object that it made. So the callables
are instances of classes with empty ``__slots__``, check every argument, and return objects whose state can be set once,
by what numpy writes, or not at all. A real ``numpy.ndarray`` would not do: its ``__setstate__`` lets a pickle reshape
any array that it holds. Refusals are ``pickle.UnpicklingError``; :func:`harness.pickles.load_pickle` adds the file.

Arrays are read as Python 2 wrote them (with ``encoding="bytes"``) and as Python 3 writes them, protocols 2 to 5.
"""

import math
import pickle
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from harness.pickles.untrusted import shown

_SCALAR_CODES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
# Version, byte order, subarray, names, fields, item size, alignment, flags. The byte order is bytes from Python 2.
_DTYPE_STATES = [(3, order, None, None, None, -1, -1, 0) for order in ("<", "|", b"<", b"|")]
_STATE_VERSION = 1
_MAX_DIMENSIONS = 8
# Python 3 writes bytes in protocol 2 as a call that turns a text into them. A pickle can make that call on one long
# text again and again, so only short texts become bytes at once, and long ones when their array is asked for.
_SHORT_TEXT = 64


class _PlainDType(NamedTuple):
    """A little-endian dtype of plain numbers."""

    dtype: np.dtype

    def __setstate__(self, state: object) -> None:
        """Accept the state that says what is so already: numpy's, of a plain little-endian dtype."""
        if state not in _DTYPE_STATES:
            raise pickle.UnpicklingError(f"dtype state {shown(state)} is not that of a plain little-endian number")


class _LongBytes(NamedTuple):
    """Bytes that are still the text from which they are made."""

    text: str


class _Content(NamedTuple):
    """What an array consists of."""

    dtype: np.dtype
    shape: tuple[int, ...]
    is_fortran: bool
    data: bytes | bytearray | _LongBytes


class StoredArray:
    """An array as the unpickler returns it, for :func:`plain_array`: its state can be set once."""

    __slots__ = ("_content",)

    def __init__(self, content: _Content | None = None) -> None:
        self._content = content

    def __setstate__(self, state: object) -> None:
        """Take the state that numpy writes, if there is none yet."""
        if self._content is not None:
            raise pickle.UnpicklingError("the state of a numpy array is set twice")
        match state:
            case (int(version), shape, dtype, bool(is_fortran), data) if version == _STATE_VERSION:
                self._content = _content(dtype, shape, is_fortran, data)
            case _:
                raise pickle.UnpicklingError(f"the state {shown(state)} is not that of a numpy array")

    @property
    def content(self) -> _Content | None:
        """What it consists of; None as long as no state was set."""
        return self._content


class _ArrayType:
    """``numpy.ndarray``, which is only named."""

    __slots__ = ()


class _MakeDType:
    """``numpy.dtype(code, align, copy)``."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> _PlainDType:
        code = arguments[0] if arguments else None
        if isinstance(code, bytes):
            code = code.decode("latin1")
        if not isinstance(code, str) or code not in _SCALAR_CODES:
            raise pickle.UnpicklingError(f"dtype {shown(code)} is not a plain number")
        return _PlainDType(np.dtype("<" + code))


class _MakeScalar:
    """``numpy.core.multiarray.scalar(dtype, content)``."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> np.generic:
        match arguments:
            case (_PlainDType(dtype), bytes(content)) if len(content) == dtype.itemsize:
                return np.frombuffer(content, dtype)[0]
        raise pickle.UnpicklingError("a numpy scalar is not made of a plain dtype and as many bytes")


class _MakeArray:
    """``numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b"b")``: an array that waits for its state."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> StoredArray:
        match arguments:
            case (_ArrayType(), (0,), b"b" | "b"):
                return StoredArray()
        raise pickle.UnpicklingError("a numpy array is not begun as numpy begins it")


class _ArrayFromBuffer:
    """``numpy.core.numeric._frombuffer(buffer, dtype, shape, order)``, of protocol 5."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> StoredArray:
        match arguments:
            case (data, dtype, shape, "C" | "F" as order):
                return StoredArray(_content(dtype, shape, order == "F", data))
        raise pickle.UnpicklingError("a numpy array is not made of a buffer, a dtype, a shape and an order C or F")


class _EncodeText:
    """``_codecs.encode(text, "latin1")``."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> bytes | _LongBytes:
        match arguments:
            case (str(text), "latin1"):
                return text.encode("latin1") if len(text) <= _SHORT_TEXT else _LongBytes(text)
        raise pickle.UnpicklingError("bytes are not made of a text in latin1")


def plain_array(value: object, what: str) -> Shaped[np.ndarray, "..."]:
    """Return the array that a pickle holds, which may be read-only.

    Args:
        value: An object of a pickle that was read with :data:`ARRAY_ANSWERS`.
        what: What it should be, for messages.

    Raises:
        ValueError: It is no array or not sound; the message begins with ``what``.
    """
    content = value.content if isinstance(value, StoredArray) else None
    if content is None:
        raise ValueError(f"{what}: expected a numpy array, got {shown(value)}")
    raw = _raw(content.data, what)
    if len(raw) != _n_bytes(content.shape, content.dtype):  # a bytearray can have grown since it was checked
        raise ValueError(f"{what}: its {len(raw):,} bytes are not those of {content.dtype} of shape {content.shape}")
    return np.ndarray(content.shape, content.dtype, raw, order="F" if content.is_fortran else "C")


def _raw(data: bytes | bytearray | _LongBytes, what: str) -> bytes | bytearray:
    if not isinstance(data, _LongBytes):
        return data
    try:
        return data.text.encode("latin1")
    except UnicodeEncodeError as error:
        raise ValueError(f"{what}: its bytes are written as a text that is not latin1") from error


def _n_bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return math.prod(shape) * dtype.itemsize


def _content(dtype: object, shape: object, is_fortran: bool, data: object) -> _Content:
    """Return what an array consists of, if its bytes are as many as its dtype and shape need."""
    if not isinstance(dtype, _PlainDType):
        raise pickle.UnpicklingError(f"the dtype of a numpy array is {shown(dtype)}, not that of plain numbers")
    sizes = shape if isinstance(shape, tuple) else ()
    if sizes is not shape or len(sizes) > _MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in sizes):
        raise pickle.UnpicklingError("the shape of a numpy array is not one")
    if not isinstance(data, bytes | bytearray | _LongBytes):
        raise pickle.UnpicklingError(f"the content of a numpy array is {shown(data)}, not bytes")
    n_bytes = len(data.text if isinstance(data, _LongBytes) else data)
    if n_bytes != _n_bytes(sizes, dtype.dtype):
        raise pickle.UnpicklingError(f"a numpy array of {dtype.dtype} of shape {sizes} has {n_bytes:,} bytes")
    return _Content(dtype.dtype, sizes, is_fortran, data)


make_dtype = _MakeDType()
make_scalar = _MakeScalar()
_make_array = _MakeArray()
_array_from_buffer = _ArrayFromBuffer()

ARRAY_ANSWERS: Mapping[tuple[str, str], object] = {
    ("_codecs", "encode"): _EncodeText(),
    ("numpy", "dtype"): make_dtype,
    ("numpy", "ndarray"): _ArrayType(),
    ("numpy.core.multiarray", "_reconstruct"): _make_array,
    ("numpy._core.multiarray", "_reconstruct"): _make_array,
    ("numpy.core.multiarray", "scalar"): make_scalar,
    ("numpy._core.multiarray", "scalar"): make_scalar,
    ("numpy.core.numeric", "_frombuffer"): _array_from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _array_from_buffer,
}
"""What stands for each name that a pickle of plain numpy arrays asks for."""
