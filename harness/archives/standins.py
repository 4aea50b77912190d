"""Stand-ins for the torch functions that a NATS-Bench pickle calls, and the table of all names that it may ask for.

The same results, of plain numbers only; those of numpy's functions are in :mod:`harness.pickles.arrays`.

A pickle can call what it is given with any arguments and set attributes on any object that it made. So the callables
are instances of classes with empty ``__slots__``, check every argument, and return tuples, which have no attributes to
set. ``torch.Tensor`` would not do: its ``__setstate__`` lets a pickle point it at other memory.

Refusals are ``pickle.UnpicklingError``; :func:`harness.archives.restricted.read_pickle` adds the name of the file.
"""

import io
import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from harness.pickles import check_opcodes
from harness.pickles.arrays import make_dtype, make_scalar

# The first pickle of every storage that torch writes inside another pickle, whatever its version. It excludes the zip
# format, which can be compressed and so expand beyond the cap.
_STORAGE_MAGIC = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)
_TENSOR_DTYPES = frozenset(
    {
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
    }
)
_MAX_DIMENSIONS = 8
# Before its numbers, a storage holds five pickles: magic number, version, system, description and key.
_STORAGE_PICKLES = 5
_MAX_STORAGE_OPCODES = 100
# All five as torch writes them for a storage on the CPU, byte by byte. The number of elements and these follow.
_SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
_BEFORE_DESCRIPTION = b"".join(
    pickle.dumps(part, protocol=2) for part in (torch.serialization.MAGIC_NUMBER, 1001, _SYSTEM)
)
_WRITTEN_BY_TORCH = re.compile(
    re.escape(_BEFORE_DESCRIPTION)
    + rb"\x80\x02\(X\x07\x00\x00\x00storageq\x00ctorch\n(?P<type>[A-Z][A-Za-z0-9]{2,9})Storage\nq\x01"
    rb"X(?P<key_length>.)\x00\x00\x00(?P<key>[0-9]{1,20})q\x02X\x03\x00\x00\x00cpuq\x03"
    rb"(?:K(?P<n1>.)|M(?P<n2>..)|J(?P<n4>....))Ntq\x04Q\."
    rb"\x80\x02\]q\x00X(?P=key_length)\x00\x00\x00(?P=key)q\x01a\.",
    re.DOTALL,
)
# Not booleans: their bytes must be 0 or 1, which is left to torch.
_STORAGE_DTYPES = {
    b"Byte": torch.uint8,
    b"Char": torch.int8,
    b"Short": torch.int16,
    b"Int": torch.int32,
    b"Long": torch.int64,
    b"Half": torch.float16,
    b"BFloat16": torch.bfloat16,
    b"Float": torch.float32,
    b"Double": torch.float64,
}
_COUNT_BYTES = 8


class StoredTensor(NamedTuple):
    """A tensor as the restricted reader returns it, out of reach of the pickle that it came from."""

    tensor: Tensor


class _Storage(NamedTuple):
    """The numbers behind a tensor, as a tensor of one dimension."""

    flat: Tensor


class _LoadStorage:
    """``torch.storage._load_from_bytes(content)``, which itself is an unrestricted unpickler."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> _Storage:
        match arguments:
            case (bytes(content),) if content.startswith(_STORAGE_MAGIC):
                return _Storage(_flat_tensor(content))
        raise pickle.UnpicklingError(
            "what should be the storage of a tensor is something else; refused, nothing of it was run"
        )


class _RebuildTensor:
    """``torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)``."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> StoredTensor:
        match arguments:
            case (_Storage(flat), int(offset), tuple(size), tuple(stride), bool(), OrderedDict() as hooks) if not hooks:
                if _fits(len(flat), offset, size, stride):
                    return StoredTensor(flat.as_strided(size, stride, offset))
        raise pickle.UnpicklingError("a tensor has hooks or does not lie within its storage")


def _flat_tensor(content: bytes) -> Tensor:
    """Return the numbers of a storage, read by its bytes if they are as torch writes them, else by torch.

    A large record has thousands of storages, all written alike: what is matched whole needs no unpickler.
    """
    flat = _plain_flat_tensor(content)
    return _loaded_flat_tensor(content) if flat is None else flat


def _plain_flat_tensor(content: bytes) -> Tensor | None:
    """Return the numbers of a storage whose pickles are those of torch to the last byte, None of any other."""
    match = _WRITTEN_BY_TORCH.match(content)
    dtype = _STORAGE_DTYPES.get(match["type"]) if match else None
    if match is None or dtype is None or len(match["key"]) != match["key_length"][0]:
        return None
    count = int.from_bytes(next(group for group in match.group("n1", "n2", "n4") if group is not None), "little")
    start = match.end() + _COUNT_BYTES
    if int.from_bytes(content[match.end() : start], "little") != count:
        return None
    if len(content) != start + count * dtype.itemsize:
        return None
    if not count:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(bytearray(memoryview(content)[start:]), dtype=dtype)


def _loaded_flat_tensor(content: bytes) -> Tensor:
    stream = io.BytesIO(content)
    for _ in range(_STORAGE_PICKLES):
        check_opcodes(stream, _MAX_STORAGE_OPCODES)
    stream.seek(0)
    try:
        storage = torch.load(stream, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        # torch's own message advises to switch its protection off.
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        asked = f"asks for {name[1]}" if name else "is not plain numbers"
        raise pickle.UnpicklingError(
            f"the storage of a tensor {asked}; refused by torch, nothing of it was run"
        ) from error
    if not isinstance(storage, torch.storage.TypedStorage) or storage.dtype not in _TENSOR_DTYPES:
        raise pickle.UnpicklingError(f"the storage of a tensor is a {type(storage).__name__}, not plain numbers")
    flat = torch.empty(0, dtype=storage.dtype).set_(storage)
    if flat.nbytes > len(content):
        raise pickle.UnpicklingError(f"the storage of a tensor claims {flat.nbytes:,} bytes and has fewer")
    return flat


def _fits(length: int, offset: int, size: tuple[object, ...], stride: tuple[object, ...]) -> bool:
    """Return whether a strided view lies within a flat tensor and is not larger than it."""
    sizes = [n for n in size if type(n) is int and n >= 0]
    strides = [n for n in stride if type(n) is int and n >= 0]
    if not len(sizes) == len(size) == len(strides) == len(stride) <= _MAX_DIMENSIONS:
        return False
    n_elements = math.prod(sizes)
    last = sum((n - 1) * step for n, step in zip(sizes, strides, strict=True)) if n_elements else -1
    return type(offset) is int and offset >= 0 and offset + last < length and n_elements <= length


load_storage = _LoadStorage()
rebuild_tensor = _RebuildTensor()

ANSWERS: Mapping[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): make_dtype,
    ("numpy.core.multiarray", "scalar"): make_scalar,
    ("numpy._core.multiarray", "scalar"): make_scalar,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch.storage", "_load_from_bytes"): load_storage,
}
"""What stands for each name that NATS-Bench writes."""
