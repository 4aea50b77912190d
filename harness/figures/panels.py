"""Several populations side by side: a grid of panels and their titles."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.pyplot import subplots

from harness.figures.style import SPACE_LABELS, networks
from harness.statistics.population import Population


def panel_grid(n: int, size: tuple[float, float], across: int = 3, **options: Any) -> tuple[Figure, list[Axes]]:  # noqa: ANN401 - those of matplotlib
    """Return a figure with n panels of a size in inches, at most so many side by side; four make a square."""
    n_across = 2 if n == 4 else min(across, n)
    n_down = -(-n // n_across)
    width, height = max(size[0] * n_across, 6.4), size[1] * n_down + 0.6
    figure, axes = subplots(n_down, n_across, figsize=(width, height), squeeze=False, **options)
    for left_over in axes.flat[n:]:
        left_over.remove()
    return figure, list(axes.flat[:n])


def population_title(population: Population) -> str:
    """Return search space, data set, number of networks and training budget, on two lines."""
    budget = f", budget {population.setting['hp']}" if "hp" in population.setting else ""
    return f"{SPACE_LABELS[population.space]}\n{population.dataset}, {networks(len(population))}{budget}"
