"""What every data set is to the rest of the harness: images and labels as tensors, with their constants and hashes."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

from jaxtyping import Int64, UInt8
from torch import Tensor

from harness.errors import DataError


class Normalisation(NamedTuple):
    """Per-channel constants for pixels in [0, 1]: a network sees ``(pixel - mean) / std``."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class PublishedNormalisation(NamedTuple):
    """The constants that the published study used instead: before calibration, and after it."""

    pre: Normalisation
    post: Normalisation


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
        published: The constants of the published study where they are others, else None.

    Raises:
        DataError: The tensors do not fit each other or a label is out of range.
    """

    name: str
    images: UInt8[Tensor, "n 3 height width"]
    labels: Int64[Tensor, " n_labels"]
    n_classes: int
    normalisation: Normalisation
    published: PublishedNormalisation | None = None

    def __post_init__(self) -> None:
        _check_labels(self.name, self.images, self.labels, self.n_classes)

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

    @cached_property
    def identity(self) -> str:
        """A hash of images, labels and constants, 16 hexadecimal digits: what an accuracy on all of them depends on."""
        inputs = f"{self.images_hash} {self.labels_hash} {self.normalisation}"
        return hashlib.sha256(inputs.encode()).hexdigest()[:16]

    def subset(self, indices: Int64[Tensor, " m"]) -> "ImageSet":
        """Return the images at these indices, in that order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])


@dataclass(frozen=True)
class ShiftedImages:
    """What networks are shown under a condition, normalised as the images they were trained on.

    Attributes:
        name: Data set, condition and severity; used in messages.
        images: uint8 pixels, (images, 3, height, width).
        labels: Class of each image; None where they show none of the classes.

    Raises:
        DataError: There are no images.
    """

    name: str
    images: UInt8[Tensor, "n 3 height width"]
    labels: Int64[Tensor, " n_labels"] | None = None

    def __post_init__(self) -> None:
        if len(self.images) == 0:
            raise DataError(f"{self.name}: expected at least one image, got none")

    @cached_property
    def images_hash(self) -> str:
        """SHA-256 of the images, in their order."""
        return content_hash(self.images)

    @cached_property
    def labels_hash(self) -> str | None:
        """SHA-256 of the labels, in their order; None where there are none."""
        return None if self.labels is None else content_hash(self.labels)


@dataclass(frozen=True)
class BareTestSet:
    """A test set without its pixels, which only an inference needs; the attributes are those of :class:`ImageSet`."""

    name: str
    labels: Int64[Tensor, " n_labels"]
    n_classes: int
    normalisation: Normalisation
    published: PublishedNormalisation | None
    images_hash: str
    labels_hash: str
    identity: str


@dataclass(frozen=True)
class BareImages:
    """Images of a condition without their pixels; the attributes are those of :class:`ShiftedImages`."""

    name: str
    labels: Int64[Tensor, " n_labels"] | None
    images_hash: str
    labels_hash: str | None


AnyTestSet: TypeAlias = ImageSet | BareTestSet
"""Test images, with or without their pixels."""
AnyImages: TypeAlias = ImageSet | BareTestSet | ShiftedImages | BareImages
"""Images that networks are or were shown, with or without their pixels."""


def _check_labels(name: str, images: Tensor, labels: Tensor, n_classes: int) -> None:
    if len(images) == 0 or len(images) != len(labels):
        raise DataError(
            f"{name}: expected as many labels as images and at least one, "
            f"got {len(images)} images and {len(labels)} labels"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= n_classes:
        raise DataError(f"{name}: expected labels in 0..{n_classes - 1}, got {low}..{high}")
