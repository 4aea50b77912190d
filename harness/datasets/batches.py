"""Reads a pickled batch, the form in which CIFAR and downsampled ImageNet were released for Python.

A batch is a dictionary with an array of pixels, ``data``, and a list or array of labels. What the labels mean, and
whether the file is the released one, is left to the data set. Nothing in the file is run.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from harness.errors import DataError
from harness.pickles import load_pickle, mapping, shown
from harness.pickles.arrays import ARRAY_ANSWERS, plain_array

_LABEL_LIMIT = 1 << 31
_MAX_LISTED = 8


class Batch(NamedTuple):
    """Images and labels of one file, as they lie in it.

    Attributes:
        pixels: One row of values per image; may be read-only.
        labels: The label of each image.
        title: What a pickled batch calls itself, such as ``training batch 2 of 5``; empty where it does not.
    """

    pixels: UInt8[np.ndarray, "n values"]
    labels: Int64[np.ndarray, " n"]
    title: str = ""


def read_batch(content: bytes, path: Path, label_key: str, n_values: int) -> Batch:
    """Return the images and labels of a pickled batch, written by Python 2 or 3.

    Args:
        content: The content of the file.
        path: The file, for messages.
        label_key: The key of the labels, such as ``fine_labels``.
        n_values: Values per image.

    Raises:
        DataError: It is damaged, asks for anything but arrays, or holds something else under these keys.
    """
    loaded = load_pickle(content, ARRAY_ANSWERS, f"{path}: not a sound pickled batch", encoding="bytes")
    try:
        entries = mapping(loaded, "not a batch")
        pixels = _pixels(_entry(entries, "data"), n_values)
        labels = _labels(_entry(entries, label_key), f"key {label_key!r}")
        if len(pixels) == 0 or len(pixels) != len(labels):
            raise ValueError(
                f"keys 'data' and {label_key!r}: expected as many labels as images and at least one, "
                f"got {len(pixels):,} images and {len(labels):,} labels"
            )
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    return Batch(pixels, labels, _text(entries.get("batch_label", entries.get(b"batch_label"))))


def check_labels(labels: Int64[np.ndarray, " n"], classes: range, what: str) -> None:
    """Refuse labels that are none of some classes.

    Raises:
        DataError: At least one is not; the message begins with ``what``.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < classes.start or high >= classes.stop:
        raise DataError(f"{what}: expected labels in {classes.start}..{classes.stop - 1}, got {low}..{high}")


def _entry(entries: dict[Any, Any], key: str) -> object:
    """Return an entry whose key Python 2 wrote as bytes and Python 3 as text."""
    for known in (key, key.encode()):
        if known in entries:
            return entries[known]
    listed = ", ".join(shown(found) for found in list(entries)[:_MAX_LISTED])
    raise ValueError(f"expected a batch with the key {key!r}, it has {listed or 'none'}; is it a file of images?")


def _pixels(value: object, n_values: int) -> UInt8[np.ndarray, "n values"]:
    pixels = plain_array(value, "key 'data'")
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != n_values:
        raise ValueError(
            f"key 'data': expected uint8 of shape (images, {n_values}), got {pixels.dtype} of shape {pixels.shape}"
        )
    return pixels


def _labels(value: object, what: str) -> Int64[np.ndarray, " n"]:
    if isinstance(value, list):
        return _listed_labels(value, what)
    labels = plain_array(value, what)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"{what}: expected integers of shape (images,), got {labels.dtype} of shape {labels.shape}")
    return _listed_labels(labels.tolist(), what)


def _listed_labels(listed: list[Any], what: str) -> Int64[np.ndarray, " n"]:
    for label in listed:
        if not (type(label) is int or isinstance(label, np.integer)) or not 0 <= label < _LABEL_LIMIT:
            raise ValueError(f"{what}: expected a list of class numbers, it holds {shown(label)}")
    return np.array(listed, dtype=np.int64)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin1")
    return value if isinstance(value, str) else ""
