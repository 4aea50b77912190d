"""The halves into which NATS-Bench parted images, as its authors listed them in files.

Two files part test images into ``xvalid`` and ``xtest``: the split ``nats`` fits calibrators on the first and scores on
the second, as the archives' own ``x-valid`` and ``x-test`` do. The third parts the training images of CIFAR-10 into
``train`` and ``valid``, which makes the data set ``cifar10-valid``.

Reference:
    Dong and Yang, "NAS-Bench-201", ICLR 2020, section 2.2.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from harness.datasets.folder import DataFolder
from harness.datasets.json_file import read_json
from harness.datasets.splits import Split
from harness.errors import DataError

_SOURCE = "it is in configs/nas-benchmark of https://github.com/D-X-Y/AutoDL-Projects"


class HalvesFile(NamedTuple):
    """A file that parts images in two.

    Attributes:
        name: Name of the file.
        md5: Its MD5.
        first: Name of the first half.
        second: Name of the second half.
    """

    name: str
    md5: str
    first: str
    second: str


TEST_HALVES: Mapping[str, HalvesFile] = {
    "cifar100": HalvesFile("cifar100-test-split.txt", "16f51963f0ccd95cb6c08c33ca4c1665", "xvalid", "xtest"),
    "ImageNet16-120": HalvesFile(
        "imagenet-16-120-test-split.txt", "670c7749b090d2e937e20d10e811be22", "xvalid", "xtest"
    ),
}
"""The file that parts the test images, of each data set that has one."""

TRAINING_HALVES = HalvesFile("cifar-split.txt", "2da7627956f17981dc0b841ab8385f37", "train", "valid")
"""The file that parts the 50,000 training images of CIFAR-10."""


class Halves(NamedTuple):
    """Ascending indices of images, each of which is in one of the halves."""

    first: Int64[np.ndarray, " n_first"]
    second: Int64[np.ndarray, " n_second"]


def nats_split(dataset: str, n: int, folder: DataFolder) -> Split:
    """Return the split of test images that NATS-Bench lists.

    Args:
        dataset: One of :data:`TEST_HALVES`.
        n: Number of its test images.
        folder: The folder of the user's data.

    Raises:
        DataError: The file is missing, damaged, not the released one, or parts other images.
    """
    return Split(*read_halves(TEST_HALVES[dataset], n, f"test images of {dataset}", folder))


def read_halves(halves: HalvesFile, n: int, what: str, folder: DataFolder) -> Halves:
    """Return the indices of both halves.

    Args:
        halves: The file.
        n: Number of images that it parts.
        what: What these are, for messages.
        folder: The folder of the user's data; the file lies in its folder ``splits`` or ``nas-benchmark``, or directly.

    Raises:
        DataError: The file is missing, damaged, not the released one, or does not part n images in two.
    """
    candidates = (f"splits/{halves.name}", f"nas-benchmark/{halves.name}", halves.name)
    folder = folder.of_labels()
    path = folder.find(f"the halves of the {what}", candidates, _SOURCE)
    content = read_json(folder.read(path, halves.md5), path)
    found = Halves(*(_indices(content, name, n, what, path) for name in (halves.first, halves.second)))
    n_listed = np.bincount(np.concatenate(found), minlength=n)
    wrong = np.flatnonzero(n_listed != 1)
    if len(wrong):
        raise DataError(
            f"{path}: expected each of the {n:,} {what} once in {halves.first} or {halves.second}, {len(wrong):,} are "
            f"not: image {wrong[0]} is listed {n_listed[wrong[0]]} times; fetch the file again"
        )
    return found


def _indices(content: object, name: str, n: int, what: str, path: Path) -> Int64[np.ndarray, " n_half"]:
    """Return the indices under a name, which the file has as ``["int", ["0", "5", ...]]``, ascending."""
    entry = content.get(name) if isinstance(content, dict) else None
    listed = entry[1] if isinstance(entry, list) and len(entry) == 2 and entry[0] == "int" else None
    if not isinstance(listed, list) or not listed:
        raise DataError(f'{path}: expected an object with {name!r}: ["int", [indices]]; is it a split of NATS-Bench?')
    known = set(map(str, range(n)))  # as written: another spelling, such as 0123, is no index that NATS-Bench wrote
    for text in listed:
        if not isinstance(text, str) or text not in known:
            raise DataError(
                f"{path}: {name}: expected indices of the {what}, '0'..'{n - 1}', got {str(text)[:20]!r}; "
                "fetch the file again"
            )
    return np.sort(np.array([int(text) for text in listed], dtype=np.int64))
