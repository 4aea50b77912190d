"""``cifar10-valid``: CIFAR-10 as NATS-Bench parted it for architecture search.

Its networks were trained on 25,000 of the training images; the other 25,000 are its part ``valid``. Its test images
are those of CIFAR-10.
"""

from dataclasses import replace

import torch

from harness.datasets import cifar10
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet
from harness.datasets.nats_splits import TRAINING_HALVES, read_halves

NAME = "cifar10-valid"
PARTS = ("train", "valid", "test")


def load(part: str, folder: DataFolder) -> ImageSet:
    """Return the 25,000 training, the other 25,000 of CIFAR-10's training, or the 10,000 test images.

    Args:
        part: ``train``, ``valid`` or ``test``; the first two in CIFAR-10's order.
        folder: The folder of the user's data; besides CIFAR-10 it holds ``cifar-split.txt``, where ``test`` is not all.

    Raises:
        ValueError: Another part.
        DataError: Files are missing, damaged, in another order, or not the released ones.
    """
    if part not in PARTS:
        raise ValueError(f"expected a part of {NAME} among {', '.join(PARTS)}, got {part!r}")
    whole = cifar10.load("test" if part == "test" else "train", folder)
    if part != "test":
        halves = read_halves(TRAINING_HALVES, len(whole), "training images of cifar10", folder)
        whole = whole.subset(torch.from_numpy(halves.first if part == "train" else halves.second))
    return replace(whole, name=f"{NAME}/{part}")
