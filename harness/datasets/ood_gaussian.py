"""``ood_gaussian``: images of noise, each value drawn from N(127.5, 63.75), clipped to 0 ... 255 and rounded."""

import numpy as np
import torch

from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages

_SEED = 2
_MEAN, _STD = 127.5, 63.75  # half and a quarter of the range


def make(test: ImageSet, _severity: int, _folder: DataFolder) -> ShiftedImages:
    """Return as many images of Gaussian noise as there are test images, of their size."""
    noise = np.random.RandomState(_SEED).normal(_MEAN, _STD, size=tuple(test.images.shape))
    images = np.rint(noise.clip(0, 255)).astype(np.uint8)
    return ShiftedImages(f"{test.name}/ood_gaussian", torch.from_numpy(images))


CONDITION = Condition("ood_gaussian", make)
