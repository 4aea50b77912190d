"""``svhn``: the 26,032 test images of Street View House Numbers, which networks of CIFAR have never seen the like of.

The digits that they show are no classes of CIFAR, so their labels are not read.

Reference:
    Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading digits in natural images with unsupervised feature learning", 2011.
"""

import numpy as np
import torch

from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages
from harness.datasets.mat_file import read_bytes_array
from harness.errors import DataError

FILE = "test_32x32.mat"
MD5 = "eb5a983be6a315427106f1b164d9cef3"
_SOURCE = "get it from http://ufldl.stanford.edu/housenumbers/test_32x32.mat"
_KEY = "X"
_IMAGE_SHAPE = (32, 32, 3)


def make(test: ImageSet, _severity: int, folder: DataFolder) -> ShiftedImages:
    """Return the house numbers.

    Args:
        test: The test images of the data set that networks were trained on.
        _severity: There is only one.
        folder: The folder of the user's data; the file lies in its folder ``svhn`` or ``SVHN``, or directly.

    Raises:
        DataError: The file is missing, damaged, or not the released one.
    """
    path = folder.find("svhn", (f"svhn/{FILE}", f"SVHN/{FILE}", FILE), _SOURCE)
    content = folder.read(path, MD5)
    try:
        images = read_bytes_array(content, _KEY)
    except ValueError as error:
        raise DataError(f"{path}: {error}; fetch the file again") from error
    if images.ndim != 4 or images.shape[:3] != _IMAGE_SHAPE or images.shape[3] == 0:
        raise DataError(
            f"{path}: {_KEY}: expected the shape (32, 32, 3, images), got {images.shape}; is it the file of SVHN?"
        )
    pixels = np.array(images.transpose(3, 2, 0, 1), order="C")
    return ShiftedImages(f"{test.name}/svhn", torch.from_numpy(pixels))


CONDITION = Condition("svhn", make, datasets=("cifar10", "cifar10-valid", "cifar100"))
