"""Images as corruptions take them: float64 (n, height, width, 3) in [0, 1]; what they return is clipped as bytes."""

import numpy as np
from jaxtyping import Float64, UInt8

Images = Float64[np.ndarray, "n height width 3"]
Pixels = UInt8[np.ndarray, "n height width 3"]


def to_bytes(images: Images) -> Pixels:
    """Return images clipped to [0, 1] as bytes, the nearest to 255 times each value."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
