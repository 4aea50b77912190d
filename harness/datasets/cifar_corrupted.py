"""``gaussian_noise`` to ``jpeg_compression``: the test images of CIFAR-10 and CIFAR-100, corrupted in 15 ways.

CIFAR-10-C and CIFAR-100-C hold a file for each corruption, with all test images at severity 1, then all at severity 2,
and so on to 5, and the labels of all of them. The labels must be those of the test images, in their order.

Reference:
    Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", 2019.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Shaped

from harness.datasets.array_files import header_of, map_npy
from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages
from harness.errors import DataError

SEVERITIES = (1, 2, 3, 4, 5)
_LABELS = "labels"


class Release(NamedTuple):
    """The corrupted images of one data set as they were released.

    Attributes:
        folder: Folder to which the release unpacks.
        source: Where a user gets it.
        md5: MD5 of the file of each corruption, and of the labels.
    """

    folder: str
    source: str
    md5: Mapping[str, str]


CIFAR10_C = Release(
    folder="CIFAR-10-C",
    source="unpack CIFAR-10-C.tar of https://zenodo.org/records/2535967 there",
    md5={
        "gaussian_noise": "ecaf8b9a2399ffeda7680934c33405fd",
        "shot_noise": "3a7239bb118894f013d9bf1984be7f11",
        "impulse_noise": "2090e01c83519ec51427e65116af6b1a",
        "defocus_blur": "7d1322666342a0702b1957e92f6254bc",
        "glass_blur": "7361fb4019269e02dbf6925f083e8629",
        "motion_blur": "fffa5f852ff7ad299cfe8a7643f090f4",
        "zoom_blur": "6ea8e63f1c5cdee1517533840641641b",
        "snow": "bb238de8555123da9c282dea23bd6e55",
        "frost": "31f6ab3bce1d9934abfb0cc13656f141",
        "fog": "7b397314b5670f825465fbcd1f6e9ccd",
        "brightness": "0a81ef75e0b523c3383219c330a85d48",
        "contrast": "3c8262171c51307f916c30a3308235a8",
        "elastic_transform": "9421657c6cd452429cf6ce96cc412b5f",
        "pixelate": "0f14f7e2db14288304e1de10df16832f",
        "jpeg_compression": "2b9cc4c864e0193bb64db8d7728f8187",
        "labels": "c439b113295ed5254878798ffe28fd54",
    },
)
CIFAR100_C = Release(
    folder="CIFAR-100-C",
    source="unpack CIFAR-100-C.tar of https://zenodo.org/records/3555552 there",
    md5={
        "gaussian_noise": "ecc4d366eac432bdf25c024086f5e97d",
        "shot_noise": "b0a1fa6e1e465a747c1b204b1914048a",
        "impulse_noise": "3b3c210ddfa0b5cb918ff4537a429fef",
        "defocus_blur": "d923e3d9c585a27f0956e2f2ad832564",
        "glass_blur": "0bf384f38e5ccbf8dd479d9059b913e1",
        "motion_blur": "732a7e2e54152ff97c742d4c388c5516",
        "zoom_blur": "0204613400c034a81c4830d5df81cb82",
        "snow": "0237be164583af146b7b144e73b43465",
        "frost": "3a39c6823bdfaa0bf8b12fe7004b8117",
        "fog": "4efc7ebd5e82b028bdbe13048e3ea564",
        "brightness": "f22d7195aecd6abb541e27fca230c171",
        "contrast": "322bb385f1d05154ee197ca16535f71e",
        "elastic_transform": "a0792bd6581f6810878be71acedfc65a",
        "pixelate": "96c00c60f144539e14cffb02ddbd0640",
        "jpeg_compression": "c851b7f1324e1d2ffddeb76920576d11",
        "labels": "bb4026e9ce52996b95f439544568cdb2",
    },
)
CORRUPTIONS = tuple(name for name in CIFAR10_C.md5 if name != _LABELS)

_RELEASES = {10: CIFAR10_C, 100: CIFAR100_C}

_MIN_COMPARED, _MAX_COMPARED = 100, 500
_LEAST_LIKENESS = 0.2
"""Of images compared with their corruptions, the least median correlation of pixels.

It is 0.64 and more where they are of the same image (fog of severity 5), 0.06 and less where they are not.
"""


def make(corruption: str, test: ImageSet, severity: int, folder: DataFolder) -> ShiftedImages:
    """Return the corrupted test images of one severity, with the labels of the test images.

    Args:
        corruption: Its name.
        test: The test images of CIFAR-10 or CIFAR-100; which one is seen by the number of classes.
        severity: 1 to 5.
        folder: The folder of the user's data; the files lie in its folder ``CIFAR-10-C`` or ``CIFAR-100-C``.

    Raises:
        ValueError: The test images are of another data set.
        DataError: Files are missing, damaged, in another order than the test images, or not the released ones.
    """
    if test.n_classes not in _RELEASES:
        raise ValueError(f"{corruption}: expected images of CIFAR-10 or CIFAR-100, got {test.name}")
    release = _RELEASES[test.n_classes]
    images_path, labels_path = (
        folder.find(corruption, (f"{release.folder}/{file}.npy",), release.source) for file in (corruption, _LABELS)
    )
    images = map_npy(images_path)
    _check_images(images, images_path, test)
    _check_labels(map_npy(labels_path), labels_path, test)
    _check_release(images_path, release.md5[corruption], folder)
    chosen = images[(severity - 1) * len(test) : severity * len(test)]
    if not folder.released_only:
        _check_order(chosen, images_path, test)
    pixels = torch.from_numpy(np.array(chosen.transpose(0, 3, 1, 2), order="C"))
    return ShiftedImages(f"{test.name}/{corruption} {severity}", pixels, test.labels)


def _check_images(images: Shaped[np.ndarray, "..."], path: Path, test: ImageSet) -> None:
    n_images, _, height, width = test.images.shape
    shape = (n_images * len(SEVERITIES), height, width, 3)
    if images.dtype != np.uint8 or images.shape != shape:
        raise DataError(
            f"{path}: expected uint8 of shape {shape}, {len(SEVERITIES)} severities of the {n_images:,} images of "
            f"{test.name}, got {header_of(images)}; unpack the release again"
        )


def _check_labels(labels: Shaped[np.ndarray, "..."], path: Path, test: ImageSet) -> None:
    expected = np.tile(test.labels.numpy(), len(SEVERITIES))
    if labels.shape != expected.shape or labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: expected {len(expected):,} integers, the labels of {test.name} once for each severity, "
            f"got {header_of(labels)}; unpack the release again"
        )
    n_other = int((labels != expected).sum())
    if n_other:
        raise DataError(
            f"{path}: expected the labels of {test.name} in their order, once for each severity; "
            f"{n_other:,} of {len(expected):,} are others, so the images are in another order or of another data set"
        )


def _check_order(chosen: Shaped[np.ndarray, "n height width 3"], path: Path, test: ImageSet) -> None:
    """Refuse images that do not look like the test images in their order; a few of them say nothing."""
    if len(test) < _MIN_COMPARED:
        return
    every = slice(None, None, -(-len(test) // _MAX_COMPARED))
    clean = test.images[every].permute(0, 2, 3, 1).numpy()
    likeness = float(np.median(_correlations(clean, chosen[every])))
    if likeness < _LEAST_LIKENESS:
        raise DataError(
            f"{path}: expected the images of {test.name} in their order, once for each severity; the median "
            f"correlation of their pixels with these is {likeness:.2f}, so they are others or in another order; "
            "sort them, or show images of another kind with image_files=[NAME:FILE]"
        )


def _correlations(
    a: Shaped[np.ndarray, "n height width 3"], b: Shaped[np.ndarray, "n height width 3"]
) -> Float64[np.ndarray, " n"]:
    """Return the correlation of the pixels of each image with those of its counterpart, 0 where one has no contrast."""
    a, b = (images.reshape(len(images), -1).astype(np.float64) for images in (a, b))
    a, b = (images - images.mean(axis=1, keepdims=True) for images in (a, b))
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return (a * b).sum(axis=1) / np.where(scale > 0, scale, 1)


def _check_release(path: Path, md5: str, folder: DataFolder) -> None:
    """Refuse a file that is not the released one; it is hashed only then, all severities at once."""
    if folder.released_only:
        with path.open("rb") as file:
            folder.check_release(path, md5, hashlib.file_digest(file, "md5").hexdigest(), "MD5")


CONDITIONS = tuple(
    Condition(
        name,
        partial(make, name),
        severities=SEVERITIES,
        datasets=("cifar10", "cifar10-valid", "cifar100"),
    )
    for name in CORRUPTIONS
)
"""A condition for each corruption."""
