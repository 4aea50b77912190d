"""Rank correlations against the number of networks: curves with bands."""

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, Locator, LogLocator, NullFormatter, StrMethodFormatter

from harness.figures.style import GREY

_FEWEST = 10
_POINTS = 24
_WIDE = 200
_DECADES = 6


def sizes_up_to(n: int) -> list[int]:
    """Return about two dozen numbers of networks from 10, or fewer, up to all, evenly spaced on a logarithmic axis.

    Example:
        >>> sizes_up_to(8), sizes_up_to(0), len(sizes_up_to(6466)), sizes_up_to(6466)[-1]
        ([8], [], 24, 6466)
    """
    if n <= _FEWEST:
        return [n] if n else []
    return sorted({round(size) for size in np.geomspace(_FEWEST, n, _POINTS)})


def draw_curve(axes: Axes, sizes: list[int], values: Float64[np.ndarray, "sizes 3"], label: str, colour: str) -> None:
    """Draw a value and the ends of its interval at each number of networks, on a logarithmic axis."""
    value, low, high = values.T
    axes.plot(sizes, value, color=colour, label=label, marker="o" if len(sizes) == 1 else None, linewidth=1.6)
    axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xscale="log", xlim=(0.9 * sizes[0], 1.1 * sizes[-1]))
    axes.xaxis.set_major_locator(_locator(sizes))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(-1.05, 1.05)


def _locator(sizes: list[int]) -> Locator:
    """Return where the ticks are: at round numbers, or at the ends of a range that has fewer than two of these."""
    subs = (1.0,) if sizes[-1] > _WIDE * sizes[0] else (1.0, 2.0, 5.0)
    n_round = sum(sizes[0] <= sub * 10**power <= sizes[-1] for sub in subs for power in range(_DECADES))
    return LogLocator(subs=subs) if n_round > 1 else FixedLocator(sorted({sizes[0], sizes[-1]}))
