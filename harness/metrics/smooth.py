"""Family ``smooth``: the calibration error of a reliability diagram that is smoothed instead of binned."""

import numpy as np
from jaxtyping import Float64, Integer
from scipy.fft import dct, idct
from scipy.optimize import root_scalar

from harness.metrics.measurement import Family, Measurement
from harness.metrics.predictions import Ranked, rank_top_label

GRID_SIZE = 2**14
"""Cells of [0, 1]. Many more would change an error of .001 by less than one part in 3,000, larger ones by less."""


def smooth(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> dict[str, float]:
    """Return the calibration error smoothed by the kernel whose width equals it.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    return {"smECE": smooth_calibration_error(rank_top_label(probs, labels))}


def smooth_calibration_error(top: Ranked) -> float:
    """Return smooth ECE, in [0, 1], lower is better.

    The bandwidth s that equals the error it gives: ``s = integral_0^1 |1 / N sum_i K_s(t, c_i) (c_i - r_i)| dt`` with
    K_s the Gaussian density of deviation s about c_i, reflected at 0 and 1. A wider kernel lets more errors of opposite
    sign cancel, so the integral never rises with s and there is one such s. It is at least ``|mean c - mean r|``, and
    equal to it where the smoothed gap keeps one sign.

    The gaps c - r are placed on a grid once; each bandwidth tried then takes one cosine transform.

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> round(smooth_calibration_error(rank(np.array([0.5, 0.9]), np.array([True, False]))), 4)
        0.3245

    Reference:
        Blasiok, Nakkiran, "Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing", ICLR 2024. The
        authors' package ``relplot`` takes s in steps of 2^-10 and counts samples at the ends of [0, 1] by half.
    """
    spectrum, decay = np.asarray(dct(_gaps_on_grid(top), norm="ortho")), _decay()

    def excess_bandwidth(bandwidth: float) -> float:
        smoothed = np.asarray(idct(spectrum * np.exp(-(bandwidth**2) * decay), norm="ortho"))
        return bandwidth - float(np.abs(smoothed).sum())

    # no error is above 1, so the bandwidth 2 is too wide even when rounding makes an error of 1 a little more
    return min(float(root_scalar(excess_bandwidth, method="brentq", bracket=(0.0, 2.0)).root), 1.0)


def _gaps_on_grid(top: Ranked) -> Float64[np.ndarray, " grid"]:
    """Return the gap (c - r) / N of each sample, split between the centres of the two nearest cells by distance."""
    position = top.probability * GRID_SIZE - 0.5
    left = np.floor(position).astype(np.int64)
    to_right = position - left
    gap = (top.probability - top.outcome) / top.probability.size
    # beyond the outer centres both shares fall to the outer cell, as if reflected
    grid = np.bincount(np.maximum(left, 0), weights=gap * (1 - to_right), minlength=GRID_SIZE)
    grid += np.bincount(np.minimum(left + 1, GRID_SIZE - 1), weights=gap * to_right, minlength=GRID_SIZE)
    return grid


def _decay() -> Float64[np.ndarray, " grid"]:
    """Return for the k-th cosine the d of its factor exp(-d s^2) under the kernel of bandwidth s.

    The reflected Gaussian is the heat kernel of [0, 1], with ``d = (pi k)^2 / 2``. Of G cells it is
    ``2 G^2 sin^2(pi k / 2G)``, whose kernel has no negative value at any bandwidth, however small.
    """
    frequency = np.arange(GRID_SIZE) * (np.pi / (2 * GRID_SIZE))
    return 2 * (GRID_SIZE * np.sin(frequency)) ** 2


SMOOTH = Family(
    "smooth",
    version=1,
    measurements=(
        Measurement(
            name="smECE",
            definition="gap between confidence and accuracy, smoothed by a Gaussian kernel whose deviation equals it",
            formula="the s with s = int_0^1 |1/N sum_i K_s(t, c_i) (c_i - r_i)| dt, K_s Gaussian of deviation s, "
            "reflected at 0 and 1",
            source="Blasiok, Nakkiran, Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing, ICLR 2024",
            function=smooth_calibration_error,
        ),
    ),
    function=smooth,
)
