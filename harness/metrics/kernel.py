"""Top-label calibration without bins: by kernel density estimation, and in a reproducing kernel Hilbert space.

Every function takes the ranked confidences of `harness.metrics.predictions.rank_top_label`; c is the confidence, and
r = 1 where the prediction is right.
"""

import math

import numpy as np
from jaxtyping import Bool, Float64

from harness.metrics.predictions import Ranked
from harness.metrics.undefined import Undefined

KDE_GRID_START, KDE_GRID_STOP, KDE_GRID_SIZE = -0.6, 1.6, 2**14
"""Grid of the density estimates: wide enough for confidences mirrored about 0 and 1."""

KDE_STEP = (KDE_GRID_STOP - KDE_GRID_START) / (KDE_GRID_SIZE - 1)
"""Distance of its points."""

_GRID = np.linspace(KDE_GRID_START, KDE_GRID_STOP, KDE_GRID_SIZE)

_UNIT = slice(*np.searchsorted(_GRID, (0.0, 1.0)).tolist())

UNIT_GRID = _GRID[_UNIT]
"""Its points in [0, 1]; neither 0 nor 1 is one."""

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
    density_right, density_all = _densities(top, bandwidth)
    # |x - acc(x)| f(x), multiplied out so that nothing is divided by a vanishing density
    integrand = np.abs(UNIT_GRID * density_all - np.minimum(top.outcome.mean() * density_right, density_all))
    integrand = _keep_previous(integrand, known=np.maximum(density_right, density_all) > KDE_DENSITY_FLOOR)
    return float(np.trapezoid(integrand) / np.trapezoid(density_all))


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


def _densities(top: Ranked, bandwidth: float) -> Float64[np.ndarray, "2 unit"]:
    """Return the densities of the right and of all confidences at the grid points in (0, 1).

    The confidences are mirrored at 0 and 1, so the densities inside are doubled.
    """
    kernel = _triweight_kernel(bandwidth)
    margin = kernel.size // 2 + 2  # only what is within the kernel's reach of (0, 1) counts; 2 leave room for rounding
    size = 512 * math.ceil((UNIT_GRID.size + 2 * margin) / 512)  # few prime factors make a fast transform
    shares = _shares(top, margin, size)
    # The convolution goes around the end of the array, but no value that this changes is kept.
    first = margin + kernel.size // 2
    smoothed = np.fft.irfft(np.fft.rfft(shares) * np.fft.rfft(kernel, size), size)
    return 2 * smoothed[:, first : first + UNIT_GRID.size]


def _shares(top: Ranked, margin: int, size: int) -> Float64[np.ndarray, "2 size"]:
    """Return the share of the right and of all mirrored confidences at each grid point.

    Each confidence stands once for itself and once for its image on the other side of 0 or 1, whichever is nearer, and
    is split between the two grid points beside it by distance.

    Args:
        top: Ranked confidences.
        margin: Number of points before the first in (0, 1), and at least so many behind the last.
        size: Number of points.
    """
    start = UNIT_GRID[0] - margin * KDE_STEP
    reach = (margin - 1) * KDE_STEP  # images farther from 0 or 1 are left out
    confidence, outcome = top.probability, top.outcome
    low = slice(0, np.searchsorted(confidence, min(0.5, reach)))
    high = slice(np.searchsorted(confidence, max(0.5, 1 - reach)), None)
    shares = np.zeros((2, size))
    # One after the other: with all in one array this would be where `measure` takes most memory.
    for values, right in (
        (-confidence[low], outcome[low]),
        (confidence, outcome),
        (2 - confidence[high], outcome[high]),
    ):
        position = (values - start) / KDE_STEP
        left = position.astype(np.int64)
        position -= left
        for row, weight in enumerate((right, np.ones_like(right))):
            moved = np.bincount(left, weight * position, size)
            shares[row] += np.bincount(left, weight, size)
            shares[row] -= moved
            shares[row, 1:] += moved[:-1]
    return shares / [[2 * outcome.sum()], [2 * confidence.size]]


def _triweight_kernel(bandwidth: float) -> Float64[np.ndarray, " taps"]:
    """Return ``35 / 32 (1 - u^2)^3 / w``, u = x / w, at the grid's steps; w = 3 bandwidth makes that its deviation."""
    half_width = 3 * bandwidth
    n_steps = int(half_width / KDE_STEP)
    u = np.arange(-n_steps, n_steps + 1) * (KDE_STEP / half_width)
    return 35 / 32 * (1 - u**2) ** 3 / half_width


def _keep_previous(
    values: Float64[np.ndarray, " unit"], *, known: Bool[np.ndarray, " unit"]
) -> Float64[np.ndarray, " unit"]:
    """Return the values, an unknown one replaced by the last known one before it, by 0 if there is none."""
    if known.all():
        return values
    last_known = np.maximum.accumulate(np.where(known, np.arange(values.size), -1))
    return np.where(last_known < 0, 0.0, values[last_known])
