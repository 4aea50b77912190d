"""``ood_constant``: images of one colour each, its three values drawn uniformly from 0 ... 255."""

import numpy as np
import torch

from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages

_SEED = 3


def make(test: ImageSet, _severity: int, _folder: DataFolder) -> ShiftedImages:
    """Return as many one-coloured images as there are test images, of their size."""
    colours = np.random.RandomState(_SEED).randint(0, 256, size=(len(test), 3, 1, 1), dtype=np.uint8)
    images = torch.from_numpy(colours).expand(test.images.shape).contiguous()
    return ShiftedImages(f"{test.name}/ood_constant", images)


CONDITION = Condition("ood_constant", make)
