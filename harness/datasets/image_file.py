"""Conditions of the user's own: a file of images by the name that its rows shall carry.

``.npy`` holds uint8 images (n, height, width, 3); ``.npz`` holds such ``images`` and optionally ``labels`` (n,), which
are classes of the data set. Making the condition reads the headers alone, enough to refuse what is no file of images.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt8

from harness.datasets.array_files import Header, header_of, map_npy, npz_headers, read_npz
from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages
from harness.errors import DataError

_IMAGES, _LABELS = "images", "labels"
_EXPECTED = "expected uint8 images of shape (images, height, width, 3)"


def image_file_condition(name: str, path: Path) -> Condition:
    """Return the condition that shows networks the images of a file.

    Args:
        name: Name of the condition.
        path: The file, ``.npy`` or ``.npz``.

    Raises:
        DataError: The file is missing or damaged, or holds something other than images and labels.
    """
    headers = _headers(name, path)
    _check_images(path, headers[_IMAGES])
    if _LABELS in headers:
        _check_labels(path, headers[_LABELS], headers[_IMAGES].shape[0])
    return Condition(name, partial(_shifted, name, path))


def _shifted(name: str, path: Path, test: ImageSet, _severity: int, _folder: DataFolder) -> ShiftedImages:
    """Return the images of a file for the networks of a data set; the file may have changed since it was planned."""
    headers = _headers(name, path)
    images = read_npz(path, _IMAGES) if path.suffix == ".npz" else map_npy(path)
    pixels = _pixels(path, images, test)
    if _LABELS not in headers:
        return ShiftedImages(f"{test.name}/{name}", torch.from_numpy(pixels))
    labels = _classes(path, read_npz(path, _LABELS), len(pixels), test)
    return ShiftedImages(f"{test.name}/{name}", torch.from_numpy(pixels), torch.from_numpy(labels))


def _headers(name: str, path: Path) -> Mapping[str, Header]:
    """Return what the file says of its arrays: ``images``, and ``labels`` or not."""
    try:
        is_file = path.is_file()
    except OSError as error:
        raise DataError(
            f"{name}: {path} cannot be reached: {error.strerror}; this user needs the right to enter all folders on "
            "the way (x)"
        ) from error
    if not is_file:
        raise DataError(f"{name}: {path}: there is no such file; expected a .npy or .npz file of images")
    if path.suffix == ".npy":
        return {_IMAGES: header_of(map_npy(path))}
    if path.suffix != ".npz":
        raise DataError(
            f"{name}: {path}: expected a .npy or .npz file, got {path.suffix or 'no suffix'}; write the images with "
            "numpy.save, or images and labels with numpy.savez(FILE, images=..., labels=...)"
        )
    headers = npz_headers(path)
    if _IMAGES not in headers or not set(headers) <= {_IMAGES, _LABELS}:
        raise DataError(
            f"{path}: expected the array images and optionally labels, got {', '.join(headers) or 'none'}; "
            "write it with numpy.savez(FILE, images=..., labels=...)"
        )
    return headers


def _check_images(path: Path, header: Header) -> None:
    """Refuse what are not images, saying what it looks like and what to do."""
    if header.dtype == np.uint8 and len(header.shape) == 4 and header.shape[3] == 3:
        if 0 in header.shape:
            raise DataError(f"{path}: images: {_EXPECTED} and at least one, got {header}")
        return
    raise DataError(f"{path}: images: {_EXPECTED}, got {header}; {_advice(header)}")


def _advice(header: Header) -> str:
    shape, is_float = header.shape, header.dtype.kind == "f"
    if len(shape) <= 2:
        return (
            "these look like logits or probabilities: networks are shown images; "
            "for predictions of your own there is harness measure"
            if is_float
            else "give the pixels of whole images"
        )
    if is_float:
        return "turn values in 0..1 into bytes with numpy.rint(255 * images).astype('uint8')"
    if header.dtype != np.uint8:
        return "turn values in 0..255 into bytes with images.astype('uint8')"
    if len(shape) == 4 and shape[1] == 3:
        return "move the channels to the end with images.transpose(0, 2, 3, 1)"
    if len(shape) == 3 or shape[-1] == 1:
        return "give grey images three equal channels with numpy.repeat(images.reshape(n, h, w, 1), 3, axis=3)"
    return "give each pixel its three channels, red, green and blue, at the end"


def _check_labels(path: Path, header: Header, n_images: int) -> None:
    if header.dtype.kind not in "iu" or len(header.shape) != 1:
        raise DataError(
            f"{path}: labels: expected integers of shape (images,), got {header}; "
            "give the number of each image's class, or leave labels out if they show none"
        )
    if header.shape[0] != n_images:
        raise DataError(
            f"{path}: labels: expected one for each of the {n_images:,} images, got {header.shape[0]:,}; "
            "write both from the same list"
        )


def _pixels(path: Path, images: Shaped[np.ndarray, "..."], test: ImageSet) -> UInt8[np.ndarray, "n 3 height width"]:
    """Return the images with their channels first, if they have the size of the data set's."""
    _check_images(path, header_of(images))
    _, height, width, _ = images.shape
    expected_height, expected_width = test.images.shape[2:]
    if (height, width) != (expected_height, expected_width):
        raise DataError(
            f"{path}: images: expected {expected_height}x{expected_width} pixels as in {test.name}, "
            f"got {height}x{width}; resize them, or leave the condition out for this data set"
        )
    return np.array(images.transpose(0, 3, 1, 2), order="C")


def _classes(path: Path, labels: Shaped[np.ndarray, "..."], n_images: int, test: ImageSet) -> Int64[np.ndarray, " n"]:
    """Return the labels, if they are classes of the data set."""
    _check_labels(path, header_of(labels), n_images)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= test.n_classes:
        raise DataError(
            f"{path}: labels: expected classes of {test.name}, 0..{test.n_classes - 1}, got {low}..{high}; "
            "number them as the data set does, or leave labels out if the images show none of its classes"
        )
    return labels.astype(np.int64)
