"""``digits``: the real handwritten digits that scikit-learn carries, the data set of the embedded default.

1,797 images of 8x8 pixels in 17 grey levels, ten classes (UCI "Optical Recognition of Handwritten Digits", test part;
Alpaydin and Kaynak 1998). Here: three equal channels, grey level g stored as the nearest byte to 255 g / 16 (all 17
levels stay distinct), and a fixed shuffle parted into 897 training and 900 test images.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64

from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, Normalisation
from harness.errors import DataError

PARTS = ("train", "test")
N_CLASSES = 10
NORMALISATION = Normalisation(mean=(0.3053, 0.3053, 0.3053), std=(0.3760, 0.3760, 0.3760))
_N_TRAIN = 897
_SHUFFLE_SEED = 1998


def load(part: str, _folder: DataFolder | None = None) -> ImageSet:
    """Return the 897 training or the 900 test images.

    Args:
        part: ``train`` or ``test``.
        _folder: Not needed, the images come with scikit-learn.

    Raises:
        ValueError: Another part.
        DataError: scikit-learn does not carry them where it always did.
    """
    if part not in PARTS:
        raise ValueError(f"expected a part of digits among {', '.join(PARTS)}, got {part!r}")
    table = _table()
    pixels, classes = table[:, :-1], table[:, -1]
    order = np.random.RandomState(_SHUFFLE_SEED).permutation(len(classes))
    chosen = order[:_N_TRAIN] if part == "train" else order[_N_TRAIN:]
    grey = np.rint(pixels[chosen].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey[:, None, :, :], 3, axis=1)
    labels = classes[chosen].astype(np.int64)
    return ImageSet(f"digits/{part}", torch.from_numpy(images), torch.from_numpy(labels), N_CLASSES, NORMALISATION)


def _table() -> Float64[np.ndarray, "1797 65"]:
    """Return grey levels and class of each image, what ``sklearn.datasets.load_digits`` returns.

    It is read here, for to import scikit-learn takes a second, and every worker would wait for it.
    """
    package = importlib.util.find_spec("sklearn")
    file = Path(package.origin if package and package.origin else "sklearn").parent / "datasets/data/digits.csv.gz"
    try:
        return np.loadtxt(file, delimiter=",")
    except OSError as error:
        raise DataError(f"digits: expected scikit-learn's {file}: {error}; install scikit-learn anew") from error
