"""Hashes of weights, which tell networks apart, and of files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from harness.errors import DataError


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a state dict: names, types, shapes and values in their order."""
    digest = hashlib.sha256()
    for name, tensor in weights.items():
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def require_regular(path: Path) -> None:
    """Refuse what is there and is no file: a pipe would be waited for without end.

    Raises:
        DataError: It is a folder, a pipe, a device.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: cannot be read: it is a folder, a pipe or a device")


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        DataError: It cannot be read.
    """
    require_regular(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
