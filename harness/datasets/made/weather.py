"""Weather on images: ``snow`` and ``fog``, as Hendrycks and Dietterich define them. ``frost`` needs their photographs.

Images are float64 (n, size, size, 3) in [0, 1].
"""

import numpy as np
from jaxtyping import Float64

from harness.datasets.made.blur import enlarged, streaked
from harness.datasets.made.pixels import Images

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
_FALL = (-135.0, -45.0)  # degrees, the direction of falling flakes
_ROUGHNESS = 100.0


def snow(
    images: Images,
    rng: np.random.RandomState,
    mean: float,
    std: float,
    size: float,
    threshold: float,
    radius: int,
    streak_std: float,
    kept: float,
) -> Images:
    """Return the images whitened, with streaks of flakes and the same streaks turned by 180 degrees.

    Args:
        images: The images.
        rng: Draws flakes and their direction.
        mean: Mean of the normal deviates that become flakes.
        std: Their standard deviation.
        size: By how much flakes are enlarged.
        threshold: Deviates below it are no flakes.
        radius: Half the length of a streak, in pixels.
        streak_std: Standard deviation of a streak, in pixels.
        kept: Share of the image that is not whitened.
    """
    flakes = enlarged(rng.normal(mean, std, size=(*images.shape[:3], 1)), size)
    flakes = np.floor(np.clip(np.where(flakes < threshold, 0.0, flakes), 0, 1) * 255) / 255
    streaks = streaked(flakes, rng.uniform(*_FALL, size=len(images)), radius, streak_std)
    grey = (images @ np.array(_GREY))[..., None]
    whitened = kept * images + (1 - kept) * np.maximum(images, grey * 1.5 + 0.5)
    return whitened + streaks + streaks[:, ::-1, ::-1]


def fog(images: Images, rng: np.random.RandomState, density: float, decay: float) -> Images:
    """Return the images with clouds added, darkened again so that each keeps its largest value.

    Args:
        images: The images.
        rng: Draws the clouds.
        density: Value of the thickest cloud.
        decay: By how much clouds are smoother at each half of a length.
    """
    n, height, width, _ = images.shape
    clouds = plasma(rng, n, 1 << (max(height, width) - 1).bit_length(), decay)
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    return (images + density * clouds[:, :height, :width, None]) * brightest / (brightest + density)


def plasma(rng: np.random.RandomState, n: int, size: int, decay: float) -> Float64[np.ndarray, "n size size"]:
    """Return clouds by the diamond-square algorithm: heights of a torus, each from 0 to 1.

    Args:
        rng: Draws them.
        n: How many.
        size: Pixels of a side, a power of two.
        decay: By how much the standard deviation of heights falls, as its root, at each half of a length.
    """
    clouds = np.zeros((n, size, size))
    step, roughness = size, _ROUGHNESS
    while step >= 2:
        half = step // 2
        corners = clouds[:, ::step, ::step]
        across = corners + np.roll(corners, -1, axis=1)
        middles = _wobbled(rng, across + np.roll(across, -1, axis=2), roughness)
        clouds[:, half::step, half::step] = middles
        sides = middles + np.roll(middles, 1, axis=1) + corners + np.roll(corners, -1, axis=2)
        clouds[:, ::step, half::step] = _wobbled(rng, sides, roughness)
        sides = middles + np.roll(middles, 1, axis=2) + corners + np.roll(corners, -1, axis=1)
        clouds[:, half::step, ::step] = _wobbled(rng, sides, roughness)
        step, roughness = half, roughness / decay
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    return clouds / clouds.max(axis=(1, 2), keepdims=True)


def _wobbled(
    rng: np.random.RandomState, sums: Float64[np.ndarray, "n rows columns"], roughness: float
) -> Float64[np.ndarray, "n rows columns"]:
    """Return the means of four heights, of which these are the sums, moved at random."""
    return sums / 4 + roughness * rng.uniform(-roughness, roughness, size=sums.shape)
