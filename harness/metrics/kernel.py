"""Top-label calibration without bins: by kernel density estimation, and in a reproducing kernel Hilbert space.

Every function takes the ranked confidences of `harness.metrics.predictions.rank_top_label`; c is the confidence, and
r = 1 where the prediction is right.
"""

import numpy as np
from jaxtyping import Complex128, Float64
from scipy.signal import fftconvolve

from harness.metrics.predictions import Ranked
from harness.metrics.undefined import Undefined

KDE_GRID_START, KDE_GRID_STOP, KDE_GRID_SIZE = -0.6, 1.6, 2**14
"""Grid of the density estimates: wide enough for confidences mirrored about 0 and 1."""

KDE_STEP = (KDE_GRID_STOP - KDE_GRID_START) / (KDE_GRID_SIZE - 1)
"""Distance of its points."""

KDE_GRID_MARGIN = 0.6
"""Distance of its ends from [0, 1]."""

KDE_DENSITY_FLOOR = 1e-6
"""Where both densities are at most this, the integrand of KDECE keeps its previous value."""

KDE_SMALLEST_SPREAD = 1e-6
"""At most this range of the right confidences gives no usable bandwidth."""

MMCE_WIDTH = 0.4
"""Length scale of MMCE's Laplacian kernel, as in its paper and in netcal (``exp(-2.5 d)``)."""


def kernel_density_calibration_error(top: Ranked) -> float | Undefined:
    """Return the Mix-n-Match estimate of the expected calibration error, at least 0, lower is better.

    ``integral_0^1 |x - acc(x)| f(x) dx / integral_0^1 f(x) dx`` with ``acc(x) = min(mean r * f1(x) / f(x), 1)``; f is
    the density of all confidences, f1 that of the right ones, both with the bandwidth ``std(c of right) (2N)^(-1/5)``.
    Where both are at most 1e-6 the integrand keeps its previous value. Undefined with fewer than two right predictions
    or when their confidences lie within 1e-6 of each other.

    Values are within [0, 1] as long as the bandwidth spans several steps of the grid (1.3e-4).

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> top = rank(np.array([0.6, 0.7, 0.8, 0.9]), np.array([False, True, True, False]))
        >>> round(kernel_density_calibration_error(top), 6)
        0.448261

    Reference:
        Zhang, Kailkhura, Han, "Mix-n-Match", ICML 2020, order 1; grid, mirroring and bandwidth as in the
        authors' code.
    """
    right = top.probability[top.outcome]
    if right.size < 2:
        return Undefined(f"the bandwidth takes two right predictions, there are {right.size}")
    if right[-1] - right[0] <= KDE_SMALLEST_SPREAD:
        return Undefined(f"all right confidences lie within {KDE_SMALLEST_SPREAD:g} of each other")
    bandwidth = float(right.std() * (2 * top.probability.size) ** -0.2)
    density_right, density_all = _densities_on_grid(right, top.probability, bandwidth)
    x = _grid()
    # |x - acc(x)| f(x), multiplied out so that nothing is divided by a vanishing density
    integrand = np.abs(x * density_all - np.minimum(top.outcome.mean() * density_right, density_all))
    integrand = _keep_previous(integrand, known=np.maximum(density_right, density_all) > KDE_DENSITY_FLOOR)
    unit = (x >= 0) & (x <= 1)
    return float(np.trapezoid(integrand[unit], x[unit]) / np.trapezoid(density_all[unit], x[unit]))


def max_mean_calibration_error(top: Ranked) -> float:
    """Return MMCE over all pairs, unweighted, in [0, 1], lower is better.

    ``sqrt(1 / N^2 sum_ij v_i v_j exp(-|c_i - c_j| / 0.4))`` with ``v = r - c``. For ascending c and j < i the kernel is
    ``exp(c_j / 0.4) / exp(c_i / 0.4)``, so one running sum over j gives every pair in O(N).

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> round(max_mean_calibration_error(rank(np.array([0.5, 0.9]), np.array([False, True]))), 6)
        0.236227

    Reference:
        Kumar, Sarawagi, Jain, "Trainable Calibration Measures For Neural Networks From Kernel Mean Embeddings", ICML
        2018; the kernel width of netcal's ``MMCE``.
    """
    gap = top.outcome - top.probability
    growth = np.exp(top.probability / MMCE_WIDTH)
    lower_sum = np.append(0.0, np.cumsum(gap * growth)[:-1])  # of all j < i
    pairs = np.sum(gap**2) + 2 * np.sum(gap / growth * lower_sum)
    # the kernel is positive definite: only rounding can make the sum negative
    return float(np.sqrt(max(pairs, 0.0)) / top.probability.size)


def _grid() -> Float64[np.ndarray, " grid"]:
    return np.linspace(KDE_GRID_START, KDE_GRID_STOP, KDE_GRID_SIZE)


def _densities_on_grid(
    right: Float64[np.ndarray, " m"], confidence: Float64[np.ndarray, " n"], bandwidth: float
) -> tuple[Float64[np.ndarray, " grid"], Float64[np.ndarray, " grid"]]:
    """Return the densities of the right and of all confidences on the grid: mirrored at 0 and 1, zero outside (0, 1).

    Inside they are doubled. As the kernel is real, one complex convolution gives both.
    """
    packed = _linear_binning(_mirrored(right)) + 1j * _linear_binning(_mirrored(confidence))
    density = 2 * _convolve(packed, _triweight_kernel(bandwidth))
    x = _grid()
    density[(x <= 0) | (x >= 1)] = 0
    return np.real(density), np.imag(density)


def _convolve(
    values: Complex128[np.ndarray, " grid"], kernel: Float64[np.ndarray, " taps"]
) -> Complex128[np.ndarray, " grid"]:
    """Return the convolution with a kernel about 0; what a narrow one carries around the ends stays outside [0, 1]."""
    half = kernel.size // 2
    if half * KDE_STEP > KDE_GRID_MARGIN:
        return fftconvolve(values, kernel, mode="same")
    around = np.zeros(values.size)
    around[: half + 1] = kernel[half:]
    around[values.size - half :] = kernel[:half]
    return np.fft.ifft(np.fft.fft(values) * np.fft.fft(around))


def _mirrored(confidence: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " mirrored"]:
    """Return the confidences, ascending, and each once more on the other side of 0 or 1, whichever is nearer."""
    n_low = int(np.searchsorted(confidence, 0.5))
    return np.concatenate((-confidence[:n_low], confidence, 2 - confidence[n_low:]))


def _linear_binning(values: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " grid"]:
    """Return the share of the values at each grid point, each value split between its two neighbours by distance."""
    position = (values - KDE_GRID_START) / KDE_STEP
    left = np.floor(position).astype(np.int64)
    to_right = position - left
    shares = np.bincount(left, weights=1 - to_right, minlength=KDE_GRID_SIZE)
    shares += np.bincount(left + 1, weights=to_right, minlength=KDE_GRID_SIZE)
    return shares / values.size


def _triweight_kernel(bandwidth: float) -> Float64[np.ndarray, " taps"]:
    """Return ``35 / 32 (1 - u^2)^3 / w``, u = x / w, at the grid's steps; w = 3 bandwidth makes that its deviation."""
    half_width = 3 * bandwidth
    n_steps = int(half_width / KDE_STEP)
    u = np.arange(-n_steps, n_steps + 1) * (KDE_STEP / half_width)
    return 35 / 32 * (1 - u**2) ** 3 / half_width


def _keep_previous(values: Float64[np.ndarray, " grid"], *, known: np.ndarray) -> Float64[np.ndarray, " grid"]:
    """Return the values, an unknown one replaced by the last known one before it (by the first value if none)."""
    last_known = np.maximum.accumulate(np.where(known, np.arange(values.size), 0))
    return values[last_known]
