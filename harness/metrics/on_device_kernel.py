"""KDECE and MMCE of many models at once on a device: the same numbers as :mod:`harness.metrics.kernel`.

Every function takes the confidences of each model, ascending, and whether each prediction is right. No step depends on
what another model holds, and none adds to shared places in an order that the device chooses, so the numbers are those
of every run.
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float64

from harness.metrics.kernel import (
    KDE_DENSITY_FLOOR,
    KDE_GRID_SIZE,
    KDE_GRID_START,
    KDE_GRID_STOP,
    KDE_STEP,
    MMCE_WIDTH,
)
from harness.metrics.on_device_binning import running_sums

KDE_PERIOD = 20480
"""Points of the circular convolution, 2.75 long: mirrored confidences lie in [-0.5, 1.5] and the widest kernel reaches
1.14 (two right predictions at 0 and 1), so what is carried around the ends stays outside [0, 1]; a length with a fast
Fourier transform."""


class _Grid(NamedTuple):
    """What all density estimates have in common.

    Attributes:
        cells: Index of each grid point, and of one behind the last.
        distance: Distance of each point of the period from the first, the shorter way around.
        unit: Where the points within [0, 1] are; the grid has none at 0 or 1.
        x: Their values.
    """

    cells: Float64[torch.Tensor, " cells"]
    distance: Float64[torch.Tensor, " period"]
    unit: slice
    x: Float64[torch.Tensor, " points"]


def kernel_density_calibration_errors(
    confidence: Float64[torch.Tensor, "models n"], right: Bool[torch.Tensor, "models n"]
) -> Float64[torch.Tensor, " models"]:
    """Return KDECE of each model, at least 0, lower is better; without a meaning where a model has no bandwidth.

    Args:
        confidence: Confidences, ascending, shape (models, n).
        right: Whether each prediction is right, shape (models, n).

    Example:
        >>> confidence = torch.tensor([[0.6, 0.7, 0.8, 0.9]], dtype=torch.float64)
        >>> error = kernel_density_calibration_errors(confidence, torch.tensor([[False, True, True, False]]))
        >>> round(error.item(), 6)
        0.448261

    Reference:
        `harness.metrics.kernel.kernel_density_calibration_error`, where the definition is.
    """
    grid, accuracy = _grid(confidence.device), right.double().mean(dim=-1, keepdim=True)
    density_right, density_all = _densities(confidence, right, grid).unbind(dim=1)
    # |x - acc(x)| f(x), multiplied out so that nothing is divided by a vanishing density
    integrand = (grid.x * density_all - torch.minimum(accuracy * density_right, density_all)).abs()
    integrand = _keep_previous(integrand, torch.maximum(density_right, density_all) > KDE_DENSITY_FLOOR)
    return torch.trapezoid(integrand, grid.x) / torch.trapezoid(density_all, grid.x)


def max_mean_calibration_errors(
    confidence: Float64[torch.Tensor, "models n"], right: Bool[torch.Tensor, "models n"]
) -> Float64[torch.Tensor, " models"]:
    """Return MMCE of each model, in [0, 1], lower is better.

    Args:
        confidence: Confidences, ascending, shape (models, n).
        right: Whether each prediction is right, shape (models, n).

    Example:
        >>> error = max_mean_calibration_errors(torch.tensor([[0.5, 0.9]]).double(), torch.tensor([[False, True]]))
        >>> round(error.item(), 6)
        0.236227

    Reference:
        `harness.metrics.kernel.max_mean_calibration_error`, where the definition and its recursion are.
    """
    gap = right.double() - confidence
    growth = torch.exp(confidence / MMCE_WIDTH)
    lower_sum = running_sums(gap * growth)[..., :-1]  # of all j < i
    pairs = gap.square().sum(dim=-1) + 2 * (gap / growth * lower_sum).sum(dim=-1)
    return pairs.clamp(min=0).sqrt() / confidence.shape[-1]


@functools.lru_cache(maxsize=8)
def _grid(device: torch.device) -> _Grid:
    """Return the grid as tensors of a device."""
    x = np.linspace(KDE_GRID_START, KDE_GRID_STOP, KDE_GRID_SIZE)
    unit = slice(*np.searchsorted(x, [0, 1]).tolist())
    step = torch.arange(KDE_PERIOD, dtype=torch.float64, device=device)
    return _Grid(
        cells=torch.arange(KDE_GRID_SIZE + 1, dtype=torch.float64, device=device),
        distance=torch.minimum(step, KDE_PERIOD - step) * KDE_STEP,
        unit=unit,
        x=torch.from_numpy(x[unit]).to(device),
    )


def _densities(
    confidence: Float64[torch.Tensor, "models n"], right: Bool[torch.Tensor, "models n"], grid: _Grid
) -> Float64[torch.Tensor, "models 2 points"]:
    """Return the densities of the right and of all confidences within [0, 1], mirrored at both ends and doubled."""
    kernel = _triweight_kernels(_bandwidths(confidence, right), grid)
    spectrum = torch.fft.rfft(_shares(confidence, right, grid), n=KDE_PERIOD) * torch.fft.rfft(kernel)[:, None]
    return 2 * torch.fft.irfft(spectrum, n=KDE_PERIOD)[..., grid.unit]


def _bandwidths(
    confidence: Float64[torch.Tensor, "models n"], right: Bool[torch.Tensor, "models n"]
) -> Float64[torch.Tensor, "models 1"]:
    """Return ``std(c of right) (2N)^(-1/5)``."""
    n_right = right.sum(dim=-1, keepdim=True)
    mean = (confidence * right).sum(dim=-1, keepdim=True) / n_right
    variance = ((confidence - mean).square() * right).sum(dim=-1, keepdim=True) / n_right
    return variance.sqrt() * (2 * confidence.shape[-1]) ** -0.2


def _triweight_kernels(
    bandwidth: Float64[torch.Tensor, "models 1"], grid: _Grid
) -> Float64[torch.Tensor, "models period"]:
    """Return ``35 / 32 (1 - u^2)^3 / w``, u = x / w, about the first point, with w = 3 bandwidth."""
    half_width = 3 * bandwidth
    u = grid.distance / half_width
    return 35 / 32 * (1 - u.square()).clamp(min=0) ** 3 / half_width


def _shares(
    confidence: Float64[torch.Tensor, "models n"], right: Bool[torch.Tensor, "models n"], grid: _Grid
) -> Float64[torch.Tensor, "models 2 grid"]:
    """Return the share of the right and of all mirrored values at each grid point, split between two by distance.

    Ascending values of a cell stand side by side: differences of running sums count and weigh them.
    """
    mirrored = torch.where(confidence < 0.5, -confidence, 2 - confidence)
    values, order = torch.cat((confidence, mirrored), dim=-1).sort(dim=-1, stable=True)
    position = (values - KDE_GRID_START) / KDE_STEP
    left = position.floor()
    counted = torch.stack((right.repeat(1, 2).gather(-1, order).double(), torch.ones_like(left)), dim=1)
    cuts = torch.searchsorted(left, grid.cells.repeat(len(left), 1))[:, None].expand(-1, 2, -1)
    count = running_sums(counted).gather(-1, cuts).diff(dim=-1)  # (models, 2, grid)
    to_right = running_sums(counted * (position - left)[:, None]).gather(-1, cuts).diff(dim=-1)
    return (count - to_right + F.pad(to_right[..., :-1], (1, 0))) / count.sum(dim=-1, keepdim=True)


def _keep_previous(
    values: Float64[torch.Tensor, "models points"], known: Bool[torch.Tensor, "models points"]
) -> Float64[torch.Tensor, "models points"]:
    """Return the values, an unknown one replaced by the last known one before it (by 0 if there is none)."""
    behind = torch.arange(1, values.shape[-1] + 1, device=values.device)
    last_known = torch.where(known, behind, 0).cummax(dim=-1).values
    return F.pad(values, (1, 0)).gather(-1, last_known)
