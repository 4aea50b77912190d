"""Reads numpy's own files, ``.npy`` and ``.npz``: never a pickled object, and every fault as a DataError.

What the arrays should be is left to the caller, who asks for :class:`Header` before it asks for values.
"""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy.lib import format as npy_format

from harness.errors import DataError

# What numpy and zipfile raise on damaged files; RuntimeError covers encrypted and unknown members.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    LookupError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_SUFFIX = ".npy"


class Header(NamedTuple):
    """What a file says of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __str__(self) -> str:
        return f"{self.dtype} of shape {self.shape}"


def header_of(array: Shaped[np.ndarray, "..."]) -> Header:
    """Return what the file of an array would say of it."""
    return Header(array.shape, array.dtype)


def map_npy(path: Path) -> Shaped[np.ndarray, "..."]:
    """Return the array of a ``.npy`` file, read-only; its values are read when they are used.

    Raises:
        DataError: The file is missing, damaged, truncated, longer than its array, or holds objects.
    """
    try:
        array = npy_format.open_memmap(path, mode="r")
        n_more = path.stat().st_size - array.offset - array.nbytes
    except _DAMAGE as error:
        raise DataError(f"{path}: not a sound .npy file: {_reason(error)}") from error
    if n_more:
        raise DataError(f"{path}: not a sound .npy file: {n_more:,} bytes follow its {header_of(array)}")
    return array


def npz_headers(path: Path) -> Mapping[str, Header]:
    """Return what a ``.npz`` file says of each of its arrays, none of which is read.

    Raises:
        DataError: The file is missing or damaged, or a header does not fit the bytes that are there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(_SUFFIX)]
            return {info.filename.removesuffix(_SUFFIX): _member_header(archive, info) for info in members}
    except _DAMAGE as error:
        raise DataError(f"{path}: not a sound .npz file: {_reason(error)}") from error


def read_npz(path: Path, name: str) -> Shaped[np.ndarray, "..."]:
    """Return one array of a ``.npz`` file.

    Raises:
        DataError: The file is missing or damaged, or has no such array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _member_header(archive, archive.getinfo(name + _SUFFIX))
            with archive.open(name + _SUFFIX) as file:
                return npy_format.read_array(file, allow_pickle=False)
    except _DAMAGE as error:
        raise DataError(f"{path}: not a sound .npz file: {name}: {_reason(error)}") from error


def _member_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Header:
    """Return the header of a member whose size is that of its array, so that no more is allocated than unpacks."""
    with archive.open(info) as file:
        header = _read_header(file)
        size = file.tell() + header.dtype.itemsize * math.prod(header.shape)
    if size != info.file_size:
        raise ValueError(f"{info.filename}: {header} does not fit its {info.file_size:,} bytes")
    return header


def _read_header(file: IO[bytes] | zipfile.ZipExtFile) -> Header:
    version = npy_format.read_magic(file)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read(file)
    return Header(shape, dtype)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
