"""``made_gaussian_noise`` to ``made_jpeg_compression``: test images of any data set, corrupted here.

The definitions and their constants for 32x32 pixels are those with which CIFAR-10-C was made; ``frost``, which needs
photographs, is left out. The images are not those of CIFAR-10-C: the random numbers are others, values are rounded to
the nearest byte and not down, and other libraries blur and resample. So their names, and their rows, are others too.
The same images, package versions and severity give the same bytes.

Reference:
    Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR
    2019; the constants are those of their ``make_cifar_c.py``.
"""

import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages
from harness.datasets.made import blur, digital, noise, weather
from harness.datasets.made.pixels import Images, Pixels, to_bytes

PREFIX = "made_"
SEVERITIES = (1, 2, 3, 4, 5)
_CHUNK = 500
"""Images that are corrupted together: some 12 MB of float64 at 32x32. The random numbers depend on it."""


class Corruption(NamedTuple):
    """A way to corrupt images.

    Attributes:
        function: Returns corrupted images; it takes images, random numbers and the constants of a severity.
        constants: Its constants, severity by severity.
    """

    function: Callable[..., Images]
    constants: tuple[tuple[Any, ...], ...]


CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian_noise": Corruption(noise.gaussian_noise, ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,))),
    "shot_noise": Corruption(noise.shot_noise, ((500.0,), (250.0,), (100.0,), (75.0,), (50.0,))),
    "impulse_noise": Corruption(noise.impulse_noise, ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,))),
    "defocus_blur": Corruption(blur.defocus_blur, ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))),
    "glass_blur": Corruption(blur.glass_blur, ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))),
    "motion_blur": Corruption(blur.motion_blur, ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))),
    "zoom_blur": Corruption(blur.zoom_blur, ((1.06,), (1.11,), (1.16,), (1.21,), (1.26,))),
    "snow": Corruption(
        weather.snow,
        (
            (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
            (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
        ),
    ),
    "fog": Corruption(weather.fog, ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))),
    "brightness": Corruption(digital.brightness, ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,))),
    "contrast": Corruption(digital.contrast, ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,))),
    "elastic_transform": Corruption(
        digital.elastic_transform,
        ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    ),
    "pixelate": Corruption(digital.pixelate, ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,))),
    "jpeg_compression": Corruption(digital.jpeg_compression, ((80,), (65,), (58,), (50,), (40,))),
}
"""Every corruption by its name in CIFAR-10-C."""


def make(corruption: str, test: ImageSet, severity: int, _folder: DataFolder) -> ShiftedImages:
    """Return the test images of a data set, corrupted, with their labels.

    Args:
        corruption: One of :data:`CORRUPTIONS`.
        test: The test images.
        severity: 1 to 5.
        _folder: Not needed.
    """
    pixels = corrupted(corruption, test.images.permute(0, 2, 3, 1).numpy(), severity)
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return ShiftedImages(f"{test.name}/{PREFIX}{corruption} {severity}", images, test.labels)


def corrupted(corruption: str, pixels: Pixels, severity: int) -> Pixels:
    """Return corrupted images.

    The random numbers are those of ``numpy.random.RandomState([crc32(name), severity])``.

    Args:
        corruption: One of :data:`CORRUPTIONS`.
        pixels: The images.
        severity: 1 to 5.
    """
    function, constants = CORRUPTIONS[corruption]
    rng = np.random.RandomState([zlib.crc32(corruption.encode()), severity])
    chunks = (pixels[start : start + _CHUNK] / 255 for start in range(0, len(pixels), _CHUNK))
    parts = [to_bytes(function(chunk, rng, *constants[severity - 1])) for chunk in chunks]
    return np.concatenate(parts)


CONDITIONS = tuple(Condition(PREFIX + name, partial(make, name), severities=SEVERITIES) for name in CORRUPTIONS)
"""A condition for each corruption."""
