"""What CIFAR-10 and CIFAR-100 share: both were released in a binary form and as pickles for Python.

Either form gives the same tensors. A file must be the released one, by its MD5; and what was read from it must be the
released labels and pixels, by content hashes that were computed from the images themselves, apart from any file.
What is particular to one of the two is left to :mod:`harness.datasets.cifar10` and :mod:`harness.datasets.cifar100`.

Reference:
    Krizhevsky, "Learning multiple layers of features from tiny images", technical report, 2009.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.datasets.batches import Batch, check_labels, read_batch
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, Normalisation, PublishedNormalisation, content_hash
from harness.errors import DataError

PUBLISHED = Normalisation(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010))
"""The constants that the published study used for CIFAR-10, and for CIFAR-100 after calibration."""

_SHAPE = (3, 32, 32)
_N_VALUES = 3 * 32 * 32


class Part(NamedTuple):
    """One part of a release: its files in both forms, and what they contain.

    Attributes:
        binary: MD5 of each file of the binary form, in order.
        python: MD5 of each file of the form for Python, in the same order.
        kind: ``training`` or ``testing``, as the batches for Python call themselves.
        n_images: Number of images in each file.
        labels: Content hash of all labels, in order; None where it is not known.
        n_first: Number of images that are hashed.
        first_images: Content hash of that many first images; None where it is not known.
    """

    binary: Mapping[str, str]
    python: Mapping[str, str]
    kind: str
    n_images: int
    labels: str | None = None
    n_first: int = 0
    first_images: str | None = None


class Release(NamedTuple):
    """A data set as it was released.

    Attributes:
        name: Name of the data set.
        binary_folder: Folder to which the binary form unpacks.
        python_folder: Folder to which the form for Python unpacks.
        label_classes: Number of classes of each label byte of the binary form; the last is the label.
        label_key: Key of the label in the form for Python.
        normalisation: The constants with which networks were trained.
        published: The constants of the published study.
        source: Where a user gets it.
        parts: ``train`` and ``test``.
    """

    name: str
    binary_folder: str
    python_folder: str
    label_classes: tuple[int, ...]
    label_key: str
    normalisation: Normalisation
    published: PublishedNormalisation
    source: str
    parts: Mapping[str, Part]


def read(release: Release, part: str, folder: DataFolder) -> ImageSet:
    """Return one part of a release, from whichever form is there, the binary one first.

    Args:
        release: The data set.
        part: ``train`` or ``test``.
        folder: The folder of the user's data; the files lie in the folder that the release unpacks to, or directly.

    Raises:
        ValueError: Another part.
        DataError: Files are missing, damaged, in another order, or not the released ones.
    """
    if part not in release.parts:
        raise ValueError(f"expected a part of {release.name} among {', '.join(release.parts)}, got {part!r}")
    expected = release.parts[part]
    first = folder.find(release.name, _candidates(release, expected, folder), release.source)
    files = expected.binary if first.suffix == ".bin" else expected.python
    batches = [
        _read_file(release, expected, first.with_name(name), number, folder) for number, name in enumerate(files, 1)
    ]
    pixels = np.concatenate([batch.pixels for batch in batches])
    images = torch.from_numpy(pixels.reshape(-1, *_SHAPE))
    labels = torch.from_numpy(np.concatenate([batch.labels for batch in batches]))
    _check_content(expected, images, labels, first.parent, folder)
    return ImageSet(
        f"{release.name}/{part}", images, labels, release.label_classes[-1], release.normalisation, release.published
    )


def _candidates(release: Release, part: Part, folder: DataFolder) -> tuple[str, ...]:
    """Return where the first file may lie; a folder that has its name, such as ``test``, is another's."""
    binary, python = next(iter(part.binary)), next(iter(part.python))
    # os.path.isdir says no where it may not look; that is left to the folder, which explains it.
    direct = [name for name in (binary, python) if folder.root is None or not os.path.isdir(folder.root / name)]
    return (f"{release.binary_folder}/{binary}", f"{release.python_folder}/{python}", *direct)


def _read_file(release: Release, part: Part, path: Path, number: int, folder: DataFolder) -> Batch:
    """Return the images and labels of one file, the given number in its part."""
    if path.suffix == ".bin":
        row = len(release.label_classes) + _N_VALUES
        size = part.n_images * row if folder.released_only else None
        content = folder.read(path, part.binary[path.name], size)
        if not content:
            raise DataError(
                f"{path}: it is empty; expected {part.n_images * row:,} bytes as released; fetch the file again"
            )
        return _binary_batch(content, path, release.label_classes)
    content = folder.read(path, part.python[path.name])
    batch = read_batch(content, path, release.label_key, _N_VALUES)
    check_labels(batch.labels, range(release.label_classes[-1]), f"{path}, key {release.label_key!r}")
    _check_title(batch.title, f"{part.kind} batch {number} of {len(part.python)}", path)
    return batch


def _binary_batch(content: bytes, path: Path, label_classes: tuple[int, ...]) -> Batch:
    """Return the images and labels in rows of label bytes and pixels."""
    n_labels = len(label_classes)
    n_images, n_left = divmod(len(content), n_labels + _N_VALUES)
    if n_left:
        raise DataError(
            f"{path}: expected rows of {n_labels + _N_VALUES:,} bytes, {n_labels} of them labels, "
            f"got {len(content):,} bytes, {n_left:,} more than {n_images:,} rows; fetch the file again"
        )
    rows = np.frombuffer(content, np.uint8).reshape(n_images, -1)
    for position, n_classes in enumerate(label_classes):
        check_labels(rows[:, position].astype(np.int64), range(n_classes), f"{path}, byte {position + 1} of each row")
    return Batch(rows[:, n_labels:], rows[:, n_labels - 1].astype(np.int64))


def _check_title(title: str, expected: str, path: Path) -> None:
    """Refuse a file that says that it is another batch; one that says nothing may be anything."""
    if re.fullmatch(r"(training|testing) batch \d+ of \d+", title) and title != expected:
        raise DataError(f"{path}: expected the {expected}, it says that it is the {title}; was it renamed?")


def _check_content(part: Part, images: Tensor, labels: Tensor, path: Path, folder: DataFolder) -> None:
    """Refuse what is not the released content, by the labels and the first images."""
    if part.labels is not None:
        what = f"the SHA-256 of the {part.kind} labels in order"
        folder.check_release(path, part.labels, content_hash(labels), what)
    if part.first_images is not None:
        what = f"the SHA-256 of the first {part.n_first:,} {part.kind} images"
        folder.check_release(path, part.first_images, content_hash(images[: part.n_first]), what)
