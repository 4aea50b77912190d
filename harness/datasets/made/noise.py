"""Noise on images: ``gaussian_noise``, ``shot_noise`` and ``impulse_noise``, as Hendrycks and Dietterich define them.

Images are float64 (n, height, width, 3) in [0, 1], here and in what is returned before it is clipped.
"""

import numpy as np

from harness.datasets.made.pixels import Images


def gaussian_noise(images: Images, rng: np.random.RandomState, std: float) -> Images:
    """Return the images with a normal deviate of some standard deviation added to each value."""
    return images + rng.normal(scale=std, size=images.shape)


def shot_noise(images: Images, rng: np.random.RandomState, photons: float) -> Images:
    """Return the images as counts of photons, Poisson distributed; a value of 1 stands for so many."""
    return rng.poisson(images * photons) / photons


def impulse_noise(images: Images, rng: np.random.RandomState, share: float) -> Images:
    """Return the images with a share of the values, expected, made 0 or 1, either half of them."""
    drawn = rng.uniform(size=images.shape)
    return np.where(drawn < share / 2, 0.0, np.where(drawn < share, 1.0, images))
