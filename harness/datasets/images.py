"""What every data set is to the rest of the harness: an :class:`ImageSet` of uint8 images and integer labels."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from jaxtyping import Int64, UInt8
from torch import Tensor

from harness.errors import DataError


class Normalisation(NamedTuple):
    """Per-channel constants for pixels in [0, 1]: a network sees ``(pixel - mean) / std``."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def content_hash(tensor: Tensor) -> str:
    """Return the SHA-256 of a tensor's type, shape and values, as 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class ImageSet:
    """Images of one part of a data set, with their labels.

    Attributes:
        name: Data set and part, such as ``digits/test``; used in messages.
        images: uint8 pixels, (images, 3, height, width); 255 is a pixel value of 1.
        labels: Class of each image, 0 ... n_classes - 1.
        n_classes: Number of classes, including any that does not occur.
        normalisation: The constants with which networks of this data set were trained.

    Raises:
        DataError: The tensors do not fit each other or a label is out of range.
    """

    name: str
    images: UInt8[Tensor, "n 3 height width"]
    labels: Int64[Tensor, " n_labels"]
    n_classes: int
    normalisation: Normalisation

    def __post_init__(self) -> None:
        if len(self.images) == 0 or len(self.images) != len(self.labels):
            raise DataError(
                f"{self.name}: expected as many labels as images and at least one, "
                f"got {len(self.images)} images and {len(self.labels)} labels"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= self.n_classes:
            raise DataError(f"{self.name}: expected labels in 0..{self.n_classes - 1}, got {low}..{high}")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def images_hash(self) -> str:
        """SHA-256 of the images, in their order."""
        return content_hash(self.images)

    @cached_property
    def labels_hash(self) -> str:
        """SHA-256 of the labels, in their order."""
        return content_hash(self.labels)

    def subset(self, indices: Int64[Tensor, " m"]) -> "ImageSet":
        """Return the images at these indices, in that order."""
        return ImageSet(self.name, self.images[indices], self.labels[indices], self.n_classes, self.normalisation)
