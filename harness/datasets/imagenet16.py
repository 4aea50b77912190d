"""``ImageNet16-120``: the first 120 classes of ImageNet at 16x16 pixels, 151,700 images for training, 6,000 to test.

Its files hold all 1,000 classes, numbered from 1; class k here is class k + 1 there, and the images keep their order.
The test images are ImageNet's validation images.

Reference:
    Chrabaszcz, Loshchilov, Hutter, "A downsampled variant of ImageNet as an alternative to the CIFAR datasets", 2017;
    the 120 classes: Dong and Yang, "NAS-Bench-201", ICLR 2020.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from harness.datasets.batches import Batch, check_labels, read_batch
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, Normalisation
from harness.errors import DataError

NAME = "ImageNet16-120"
N_CLASSES = 120
NORMALISATION = Normalisation(
    mean=(122.68 / 255, 116.66 / 255, 104.01 / 255), std=(63.22 / 255, 61.26 / 255, 65.09 / 255)
)
PARTS: Mapping[str, Mapping[str, str]] = {
    "train": {
        "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
        "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
        "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
        "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
        "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
        "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
        "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
        "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
        "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
        "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
    },
    "test": {"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"},
}
"""MD5 of each file of a part, in order."""

_FOLDER = "ImageNet16"
_SOURCE = (
    "it is among the data that https://github.com/D-X-Y/AutoDL-Projects links to in docs/NAS-Bench-201.md, "
    "under Preparation and Download"
)
_SHAPE = (3, 16, 16)
_N_VALUES = 3 * 16 * 16
_ALL_CLASSES = range(1, 1001)


def load(part: str, folder: DataFolder) -> ImageSet:
    """Return the 151,700 training or the 6,000 test images.

    Args:
        part: ``train`` or ``test``.
        folder: The folder of the user's data; the files lie in its folder ``ImageNet16``, or directly.

    Raises:
        ValueError: Another part.
        DataError: Files are missing, damaged, or not the released ones.
    """
    if part not in PARTS:
        raise ValueError(f"expected a part of {NAME} among {', '.join(PARTS)}, got {part!r}")
    files = PARTS[part]
    first = next(iter(files))
    found = folder.find(NAME, (f"{_FOLDER}/{first}", first), _SOURCE)
    batches = [_read_file(found.with_name(name), md5, folder) for name, md5 in files.items()]
    pixels = np.concatenate([batch.pixels for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    if len(labels) == 0:
        raise DataError(f"{found.parent}: expected images of the classes 1..{N_CLASSES}, there is none")
    images = torch.from_numpy(pixels.reshape(-1, *_SHAPE))
    return ImageSet(f"{NAME}/{part}", images, torch.from_numpy(labels), N_CLASSES, NORMALISATION)


def _read_file(path: Path, md5: str, folder: DataFolder) -> Batch:
    """Return the images of the first 120 classes in a file, and their labels from 0."""
    batch = read_batch(folder.read(path, md5), path, "labels", _N_VALUES)
    check_labels(batch.labels, _ALL_CLASSES, f"{path}, key 'labels'")
    chosen = batch.labels <= N_CLASSES
    return Batch(batch.pixels[chosen], batch.labels[chosen] - 1)
