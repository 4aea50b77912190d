"""Question 9, how much of a ranking is noise: of the images, of the training seed, of which isomorph was trained?

Each source has the same number: tau-b between two rankings of the same networks that differ in that source alone. What
two measurements, protocols or data sets disagree beyond it is something else than noise.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import panel_grid, population_title
from harness.figures.style import LINE_COLOURS, house_style
from harness.figures.wording import described, few_networks, finding
from harness.statistics import kendall_tau, noise_ceiling
from harness.statistics.population import PRE, Population

NOISE_COLUMNS = ("acc", "NLL", "ECE_15", "KSCE", "cwCE_15", "MMCE")
"""Measurements whose rankings are looked at."""

_FEWEST = 5
"""Of fewer networks a tau says nothing."""

_SOURCES = ("other images", "other isomorph", "other seed")


class _Repeated(NamedTuple):
    """How well a ranking repeats when one thing is another: tau-b, over how many networks."""

    source: str
    column: str
    tau: float
    n: int


def ranking_noise(by_seed: Sequence[Sequence[Population]], calibrator: str = PRE) -> Answer:
    """Return how well rankings repeat on other images, with another isomorph, and with another training seed.

    Args:
        by_seed: The networks trained with each seed, isomorphic ones among them, with :data:`NOISE_COLUMNS` and their
            resamples, as far as these were measured.
        calibrator: Calibrator of the predictions.
    """
    places = dict.fromkeys((each.space, each.dataset) for of_seed in by_seed for each in of_seed)
    groups = [
        [each for of_seed in by_seed for each in of_seed if (each.space, each.dataset) == place] for place in places
    ]
    looked = [(group[0], found) for group in groups if (found := list(_repeated(group, calibrator)))]
    if not looked:
        return missing(
            "No rankings that can be repeated: `harness run study.families=[study,replicates]` measures resamples of "
            "the images, `study.seeds=[777,888]` other trainings, `study.archs=all` isomorphic networks."
        )
    table = pd.DataFrame(
        {"networks": population.name, "source": each.source, "measurement": each.column, "tau": each.tau, "n": each.n}
        for population, found in looked
        for each in found
    )
    return Answer(_figure(looked, calibrator), _finding(looked), table)


def _repeated(group: Sequence[Population], calibrator: str) -> Iterator[_Repeated]:
    """Yield what is known of each source, of the networks of one search space and data set, one population per seed."""
    largest = max(group, key=len)
    for column in NOISE_COLUMNS:
        found = [_images(largest, column, calibrator), _isomorphs(largest, column, calibrator)]
        found.append(_seeds(group, column, calibrator))
        for source, (tau, n) in zip(_SOURCES, found, strict=True):
            if not np.isnan(tau) and n >= _FEWEST:
                yield _Repeated(source, column, tau, n)


def _images(population: Population, column: str, calibrator: str) -> tuple[float, int]:
    return noise_ceiling(population.of_resamples(column, calibrator)), len(population)


def _isomorphs(population: Population, column: str, calibrator: str) -> tuple[float, int]:
    """Return the tau of the first and the second network of each class of isomorphic ones, and how many classes."""
    known = population.networks.assign(value=population.values(column, calibrator)).dropna(subset=["value"])
    by_class = known.sort_index().groupby("representative")["value"].agg(list)
    pairs = np.array([values[:2] for values in by_class if len(values) > 1], dtype=np.float64).reshape(-1, 2)
    return kendall_tau(pairs[:, 0], pairs[:, 1]), len(pairs)


def _seeds(group: Sequence[Population], column: str, calibrator: str) -> tuple[float, int]:
    """Return the mean tau of two seeds over the networks of both, and the number of these that is smallest."""
    found = []
    for first, second in combinations(group, 2):
        shared = first.networks.index.intersection(second.networks.index)
        both = [
            each.chosen(each.networks.index.get_indexer(shared)).values(column, calibrator) for each in (first, second)
        ]
        tau = kendall_tau(*both)
        if not np.isnan(tau):
            found.append((tau, len(shared)))
    if not found:
        return np.nan, 0
    return float(np.mean([tau for tau, _ in found])), min(n for _, n in found)


def _figure(looked: Sequence[tuple[Population, list[_Repeated]]], calibrator: str) -> Figure:
    with house_style():
        figure, axes = panel_grid(len(looked), (5.6, 3.9), across=2)
        for panel, (population, found) in zip(axes, looked, strict=True):
            _draw(panel, found)
            panel.set_title(population_title(population))
        handles = [Patch(color=colour) for colour in LINE_COLOURS[: len(_SOURCES)]]
        figure.legend(handles, _SOURCES, loc="outside lower center", ncols=3)
        figure.suptitle(f"How well rankings repeat, calibrator {calibrator}")
    plt.close(figure)
    return figure


def _draw(axes: Axes, found: Sequence[_Repeated]) -> None:
    """Draw a bar for each measurement and source."""
    width = 0.8 / len(_SOURCES)
    for each in found:
        place = NOISE_COLUMNS.index(each.column) + (_SOURCES.index(each.source) - 1) * width
        axes.bar(place, each.tau, 0.9 * width, color=LINE_COLOURS[_SOURCES.index(each.source)])
    axes.set_xticks(range(len(NOISE_COLUMNS)), NOISE_COLUMNS)
    axes.set(ylabel="tau-b of two rankings", ylim=(min(0.0, *(each.tau for each in found)), 1.02))
    axes.grid(visible=False, axis="x")


def _finding(looked: Sequence[tuple[Population, list[_Repeated]]]) -> Note:
    lines = []
    for population, found in looked:
        lines.append(described(population))
        for source in _SOURCES:
            of_source = [each for each in found if each.source == source]
            if of_source:
                shown = ", ".join(f"{each.column} {each.tau:.2f}" for each in of_source)
                lines.append(f"{population.name}, {source} (n = {max(each.n for each in of_source):,}): {shown}")
    absent = sorted(
        {source for source in _SOURCES for _, found in looked if source not in {each.source for each in found}}
    )
    follows = [
        "Two rankings that disagree no more than these may be the same ranking. Another seed changes training and is "
        "the most that one network can tell; another isomorph is another training of the same function."
    ]
    does_not = [
        "A ranking that repeats on other images need not repeat with another seed: the first says nothing of it."
    ]
    if absent:
        does_not.append(
            f"Nothing is known of: {', '.join(absent)}. `study.families=[study,replicates]` measures other images, "
            "`study.seeds=[777,888]` other seeds, `study.archs=all` isomorphic networks."
        )
    return finding(lines, follows, [*does_not, *few_networks([population for population, _ in looked])])
