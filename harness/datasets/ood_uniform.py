"""``ood_uniform``: images of noise, each value drawn uniformly from 0 ... 255."""

import numpy as np
import torch

from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages

_SEED = 1


def make(test: ImageSet, _severity: int, _folder: DataFolder) -> ShiftedImages:
    """Return as many images of uniform noise as there are test images, of their size."""
    noise = np.random.RandomState(_SEED).randint(0, 256, size=tuple(test.images.shape), dtype=np.uint8)
    return ShiftedImages(f"{test.name}/ood_uniform", torch.from_numpy(noise))


CONDITION = Condition("ood_uniform", make)
