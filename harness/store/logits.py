"""Stored logits: what networks said of the images, so that more can be measured of it without networks, data or GPU.

A row is one inference: a network, the images that it was shown, the constants with which they were shown. The matrix
is one binary value, which is read without a Python object per number. A row group holds as many inferences as fit in
8 MiB, since a query over all rows takes time per row group. Every row carries a digest of itself: what was changed is
refused.

``logits_writer`` makes the files, ``logits_reader`` reads them; ``labels`` keeps what tells the images apart.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float32

from harness.errors import StoreError
from harness.store.schema import LOGITS_TABLE

DTYPES: Mapping[str, str] = {"float32": "<f4", "float16": "<f2"}
"""The types in which logits can be stored, with their form in a file."""

LOSSLESS = "float32"
"""The type in which they are as they were computed."""

LOGITS_PARTITION = ("space", "dataset")

DAMAGE = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)
"""What reading a changed file can end in."""


@dataclass(frozen=True, slots=True)
class StoredLogits:
    """One stored inference.

    Attributes:
        columns: Its row of the table, without the matrix and the digest.
        logits: The matrix, in the type in which it was stored.
    """

    columns: Mapping[str, Any]
    logits: Float[np.ndarray, "n classes"]


def row_digest(columns: Mapping[str, Any], content: bytes | memoryview) -> str:
    """Return the SHA-256 of a row of the table of logits: of its other columns and of the bytes of its matrix.

    Nulls do not count, so that a column that is added to the table leaves the digests of older rows as they are.
    """
    held = {name: value for name, value in columns.items() if value is not None}
    digest = hashlib.sha256(json.dumps(held, sort_keys=True).encode())
    digest.update(content)
    return digest.hexdigest()


def matrix_of(row: Mapping[str, Any]) -> Float[np.ndarray, "n classes"]:
    """Return the matrix of a row of the table of logits, without a copy.

    Raises:
        StoreError: The row is not what was written.
    """
    columns = {name: value for name, value in row.items() if name not in ("logits", "digest")}
    if row_digest(columns, row["logits"]) != row["digest"]:
        raise StoreError("the row is not what was written: its digest is another")
    return np.frombuffer(row["logits"], DTYPES[row["stored_as"]]).reshape(row["n_images"], row["n_classes"])


def fits(logits: Float32[np.ndarray, "n classes"], stored_as: str) -> bool:
    """Return whether all logits are finite in a type; float16 ends at 65,504.

    Example:
        >>> fits(np.array([[7e4]], dtype=np.float32), "float16")
        False
    """
    return bool(np.abs(logits).max() <= np.finfo(DTYPES[stored_as]).max)


def logits_file(space: str, dataset: str, file_name: str) -> str:
    """Return the path of a logits file inside a store."""
    return f"{LOGITS_TABLE.folder}/space={space}/dataset={dataset}/{file_name}"


def logits_file_sql(relation: str) -> str:
    """Return the SQL of :func:`logits_file` for the rows of the committed logits."""
    return (
        f"'{LOGITS_TABLE.folder}/space=' || {relation}.space || '/dataset=' || {relation}.dataset || '/' || "
        f"parse_filename({relation}.filename)"
    )


def damaged(path: object, why: object) -> StoreError:
    """Return the error of a file of logits or labels that cannot be read."""
    return StoreError(
        f"{path} is damaged: {why}; bring it back from a copy and `harness measure --retry`, or delete it and "
        "`harness retry`, which evaluates networks whose rows could not be measured; the other rows stay"
    )
