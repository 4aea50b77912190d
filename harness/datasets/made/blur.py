"""Blurred images: ``defocus_blur``, ``glass_blur``, ``motion_blur`` and ``zoom_blur``.

As Hendrycks and Dietterich define them. Images are float64 (n, height, width, 3) in [0, 1]. Lengths are in pixels.
"""

import math

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

from harness.datasets.made.pixels import Images

_ANGLES = (-45.0, 45.0)  # degrees, of the motion


def defocus_blur(images: Images, _rng: np.random.RandomState, radius: float, smoothing: float) -> Images:
    """Return the images seen through a disc of some radius, its edge smoothed by a Gaussian of 3x3 pixels."""
    return ndimage.correlate(images, _disc(radius, smoothing)[None, :, :, None], mode="mirror")


def glass_blur(images: Images, rng: np.random.RandomState, std: float, reach: int, rounds: int) -> Images:
    """Return the images with each pixel replaced by a neighbour, between two Gaussian blurs.

    A round goes from the lower right to the upper left, and takes neighbours of up to ``reach`` pixels above and to the
    left, ``reach - 1`` below and to the right. The published code means to exchange the two pixels, but copies one.
    """
    blurred = np.floor(_gaussian(images, std) * 255) / 255
    n, height, width, _ = images.shape
    every = np.arange(n)
    for _ in range(rounds):
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                across, down = rng.randint(-reach, reach, size=(2, n))
                blurred[:, row, column] = blurred[every, row + down, column + across]
    return _gaussian(blurred, std)


def motion_blur(images: Images, rng: np.random.RandomState, radius: int, std: float) -> Images:
    """Return the images, each moved along a line within 45 degrees of the horizontal."""
    return streaked(images, rng.uniform(*_ANGLES, size=len(images)), radius, std)


def streaked(
    images: Float64[np.ndarray, "n height width channels"],
    angles: Float64[np.ndarray, " n"],
    radius: int,
    std: float,
) -> Float64[np.ndarray, "n height width channels"]:
    """Return images smeared along a line, as ImageMagick's motion blur does it.

    A pixel is the mean of ``2 radius + 1`` pixels from itself onwards, weighted by half a Gaussian. Beyond the edge lie
    copies of the edge.

    Args:
        images: The images.
        angles: Direction of each, in degrees, from the right downwards.
        radius: Half the length of the line.
        std: Standard deviation of the Gaussian.
    """
    n, height, width, _ = images.shape
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * std**2))
    total = np.zeros_like(images)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        down, right = (
            np.ceil(step * part - 0.5).astype(int) for part in (np.sin(np.radians(angles)), np.cos(np.radians(angles)))
        )
        rows = np.clip(np.arange(height) + down[:, None], 0, height - 1)
        columns = np.clip(np.arange(width) + right[:, None], 0, width - 1)
        total += weight * images[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return total


def zoom_blur(images: Images, _rng: np.random.RandomState, end: float) -> Images:
    """Return the mean of square images and of their middles enlarged by 1, 1.01, 1.02, ... up to some factor."""
    n, size, _, _ = images.shape
    # As the published code writes it: by rounding the end is in some, and 1.25 is a little more than 1.25.
    zooms = [_zoom(size, float(factor)) for factor in np.arange(1, end, 0.01)]
    weights = sum(np.kron(zoom, zoom) for zoom in zooms)  # what each pixel takes of each: all enlargements in one
    total = np.tensordot(images.reshape(n, size * size, 3), weights, axes=(1, 1))
    return (images + total.transpose(0, 2, 1).reshape(images.shape)) / (len(zooms) + 1)


def enlarged(
    images: Float64[np.ndarray, "n height width channels"], factor: float
) -> Float64[np.ndarray, "n height width channels"]:
    """Return the middles of square images, enlarged by a factor to the size of the whole, linearly interpolated."""
    weights = _zoom(images.shape[1], factor)
    return np.einsum("ri,nijc,sj->nrsc", weights, images, weights, optimize=True)


def _zoom(size: int, factor: float) -> Float64[np.ndarray, "size size"]:
    """Return what each place of an enlarged line takes of each place of the whole one."""
    n_middle = math.ceil(size / factor)
    n_enlarged = round(n_middle * factor)
    seen = (n_enlarged - size) // 2 + np.arange(size)
    # The ends of the middle become the ends of the enlarged line, which is then cut on both sides.
    places = (size - n_middle) // 2 + seen * (n_middle - 1) / (n_enlarged - 1)
    return np.maximum(0.0, 1 - np.abs(places[:, None] - np.arange(size)))


def _gaussian(images: Images, std: float) -> Images:
    return ndimage.gaussian_filter(images, (0, std, std, 0), mode="nearest")


def _disc(radius: float, smoothing: float) -> Float64[np.ndarray, "side side"]:
    reach = math.ceil(radius) + 1
    across = np.arange(-reach, reach + 1)
    inside = (across[:, None] ** 2 + across**2 <= radius**2).astype(np.float64)
    weights = np.exp(-(np.arange(-1, 2) ** 2) / (2 * smoothing**2))
    weights /= weights.sum()
    return ndimage.correlate(inside / inside.sum(), np.outer(weights, weights), mode="constant")
