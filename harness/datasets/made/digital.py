"""What software does to images: ``brightness``, ``contrast``, ``elastic_transform``, ``pixelate`` and JPEG.

As Hendrycks and Dietterich define them. Images are float64 (n, size, size, 3) in [0, 1].
"""

import io

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from PIL import Image
from scipy import ndimage

from harness.datasets.made.pixels import Images, to_bytes

_CUT = 3  # standard deviations at which the Gaussian of the elastic transform ends


def brightness(images: Images, _rng: np.random.RandomState, added: float) -> Images:
    """Return the images with their value (of hue, saturation, value) raised, to 1 at most."""
    value = images.max(axis=-1, keepdims=True)
    raised = np.clip(value + added, 0, 1)
    return np.where(value > 0, images / np.where(value > 0, value, 1) * raised, raised)


def contrast(images: Images, _rng: np.random.RandomState, kept: float) -> Images:
    """Return the images with a share of their distance from the mean colour of each."""
    means = images.mean(axis=(1, 2), keepdims=True)
    return (images - means) * kept + means


def pixelate(images: Images, _rng: np.random.RandomState, scale: float) -> Images:
    """Return the images made smaller by a scale, and large again, each pixel the mean of an area."""

    def resized(image: Image.Image) -> Image.Image:
        small = (int(image.width * scale), int(image.height * scale))
        return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)

    return np.stack([np.asarray(resized(Image.fromarray(image))) for image in to_bytes(images)]) / 255


def jpeg_compression(images: Images, _rng: np.random.RandomState, quality: int) -> Images:
    """Return the images as JPEG gives them back."""

    def compressed(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return np.stack([compressed(image) for image in to_bytes(images)]) / 255


def elastic_transform(
    images: Images, rng: np.random.RandomState, stretch: float, smoothness: float, shear: float
) -> Images:
    """Return the images moved by a random affine map, then by a random smooth one.

    Args:
        images: The images.
        rng: Draws both maps.
        stretch: Size of the smooth map, as a share of the image's.
        smoothness: Standard deviation of the Gaussian that smooths it, as a share of the image's size.
        shear: Largest move of three points by the affine map, as a share of the image's size.
    """
    n, height, width, _ = images.shape
    size = min(height, width)
    images = _affine(images, rng.uniform(-shear * size, shear * size, size=(n, 3, 2)))
    std = (0, smoothness * size, smoothness * size)
    across, down = (
        ndimage.gaussian_filter(rng.uniform(-1, 1, size=(n, height, width)), std, mode="reflect", truncate=_CUT)
        for _ in range(2)
    )
    rows, columns = np.arange(height)[:, None] + down * stretch * size, np.arange(width) + across * stretch * size
    return _sampled(images, rows, columns, repeats_edge=True)


def _affine(images: Images, moves: Float64[np.ndarray, "n 3 2"]) -> Images:
    """Return the images under the affine maps that move three points near the middle, as (x, y), by so many pixels."""
    n, height, width, _ = images.shape
    middle, arm = np.array([height, width]) // 2, min(height, width) // 3
    points = middle + arm * np.array([[1, 1], [1, -1], [-1, -1]])
    # Where each point of the result lies in the image: the solution of moved @ map = points.
    moved = np.concatenate([points + moves, np.ones((n, 3, 1))], axis=2)
    maps = np.linalg.solve(moved, np.broadcast_to(points.astype(np.float64), (n, 3, 2)))
    y, x = np.mgrid[:height, :width]
    columns, rows = np.moveaxis(np.stack([x, y, np.ones_like(x)], axis=-1) @ maps[:, None], -1, 0)
    return _sampled(images, rows, columns, repeats_edge=False)


def _sampled(
    images: Images,
    rows: Float64[np.ndarray, "n height width"],
    columns: Float64[np.ndarray, "n height width"],
    *,
    repeats_edge: bool,
) -> Images:
    """Return the images at these places, linearly interpolated, and mirrored beyond their edges."""
    n, height, width, _ = images.shape
    every = np.arange(n)[:, None, None]
    top, left = np.floor(rows), np.floor(columns)
    total = np.zeros_like(images)
    for down in (0, 1):
        row = _folded(top.astype(np.int64) + down, height, repeats_edge=repeats_edge)
        for right in (0, 1):
            column = _folded(left.astype(np.int64) + right, width, repeats_edge=repeats_edge)
            weight = (1 - np.abs(rows - top - down)) * (1 - np.abs(columns - left - right))
            total += weight[..., None] * images[every, row, column]
    return total


def _folded(
    places: Int64[np.ndarray, "n height width"], size: int, *, repeats_edge: bool
) -> Int64[np.ndarray, "n height width"]:
    """Return places in 0 ... size - 1; beyond the edge comes the edge once more, or what lies before it."""
    period = 2 * size if repeats_edge else 2 * size - 2
    places = places % period
    return np.minimum(places, (period - 1 if repeats_edge else period) - places)
