"""Question 9, how much of a ranking is noise: of the images, of the training seed, of which isomorph was trained?

Each source has the same number: tau-b between two rankings of the same networks that differ in that source alone. What
two measurements, protocols or data sets disagree beyond it is something else than noise.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import panel_grid, population_title
from harness.figures.style import LINE_COLOURS, house_style
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import FEWEST, described, few_networks, finding
from harness.statistics import Estimates, kendall_taus, noise_ceiling, with_intervals
from harness.statistics.population import PRE, Population

NOISE_COLUMNS = ("acc", "NLL", "ECE_15", "KSCE", "cwCE_15", "MMCE")
"""Measurements whose rankings are looked at."""

_ENDS = ("low (images)", "high (images)")
_SOURCES = ("other images", "other isomorph", "other seed")


class _Repeated(NamedTuple):
    """How well a ranking repeats when one thing is another: tau-b with intervals, over how many networks."""

    source: str
    column: str
    tau: Estimates
    n: int

    @property
    def line(self) -> dict[str, float]:
        """Tau and its intervals as cells of a table."""
        return with_ends("tau", self.tau, ())


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
    table = table_of(
        {"networks": population.name, "source": each.source, "measurement": each.column, "n": each.n, **each.line}
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
            if not np.isnan(tau.value) and n >= FEWEST:
                yield _Repeated(source, column, tau, n)


def _images(population: Population, column: str, calibrator: str) -> tuple[Estimates, int]:
    """Return the noise ceiling, which is a mean over draws of images and has no interval over them."""
    resamples = population.of_resamples(column, calibrator)
    none = np.empty((*resamples.shape, 0))
    ceiling = with_intervals(
        lambda some: np.array(noise_ceiling(some)), resamples, none, is_sample=population.is_sample
    )
    return ceiling, int(np.count_nonzero(~np.isnan(resamples).all(axis=1)))


def _isomorphs(population: Population, column: str, calibrator: str) -> tuple[Estimates, int]:
    """Return the tau of the first and the second network of each class of isomorphic ones, and how many classes."""
    values = population.values(column, calibrator)
    places = population.networks.assign(place=np.arange(len(population))).loc[~np.isnan(values)].sort_index()
    by_class = places.groupby("representative")["place"].agg(list)
    pairs = np.array([places[:2] for places in by_class if len(places) > 1], dtype=np.int64).reshape(-1, 2)
    resamples = population.of_resamples(column, calibrator)
    found = with_intervals(_mean_tau, values[pairs], resamples[pairs], is_sample=population.is_sample)
    return found, len(pairs)


def _seeds(group: Sequence[Population], column: str, calibrator: str) -> tuple[Estimates, int]:
    """Return the mean tau of two seeds over the networks of both, and the number of these that is smallest.

    Seeds that share too few networks are not compared.
    """
    index = functools.reduce(pd.Index.union, (each.networks.index for each in group))
    n_resamples = min(each.of_resamples(column, calibrator).shape[1] for each in group)
    values = np.full((len(index), len(group)), np.nan)
    resamples = np.full((*values.shape, n_resamples), np.nan)
    for i, each in enumerate(group):
        places = index.get_indexer(each.networks.index)
        values[places, i] = each.values(column, calibrator)
        resamples[places, i] = each.of_resamples(column, calibrator)[:, :n_resamples]
    is_sample = any(each.is_sample for each in group)
    known = ~np.isnan(values)
    shared = {pair: int(np.sum(known[:, pair].all(axis=1))) for pair in combinations(range(len(group)), 2)}
    pairs = [pair for pair, n in shared.items() if n >= FEWEST]
    of_several = known.sum(axis=1) > 1
    found = with_intervals(
        functools.partial(_mean_tau, pairs=pairs), values[of_several], resamples[of_several], is_sample=is_sample
    )
    return found, min((shared[pair] for pair in pairs), default=0)


def _mean_tau(
    values: Float64[np.ndarray, "networks columns"], pairs: Sequence[tuple[int, int]] = ((0, 1),)
) -> Float64[np.ndarray, ""]:
    """Return the mean tau-b of pairs of columns, over those of which it is defined."""
    taus = kendall_taus(values, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    return np.array(np.nan if np.isnan(taus).all() else np.nanmean(taus))


def _figure(looked: Sequence[tuple[Population, list[_Repeated]]], calibrator: str) -> Figure:
    with house_style():
        figure, axes = panel_grid(len(looked), (5.6, 3.9), across=2)
        known = {each.source for _, found in looked for each in found}
        colours = {name: colour for name, colour in zip(_SOURCES, LINE_COLOURS, strict=False) if name in known}
        for panel, (population, found) in zip(axes, looked, strict=True):
            _draw(panel, found, colours)
            panel.set_title(population_title(population))
        handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        figure.suptitle(f"How well rankings repeat, calibrator {calibrator}")
    plt.close(figure)
    return figure


def _draw(axes: Axes, found: Sequence[_Repeated], colours: Mapping[str, str]) -> None:
    """Draw a bar for each measurement and source of a colour, with its interval over images where it has one."""
    width, sources = 0.8 / len(colours), list(colours)
    for each in found:
        place = NOISE_COLUMNS.index(each.column) + (sources.index(each.source) - (len(sources) - 1) / 2) * width
        tau, low, high = (each.line[name] for name in ("tau", *_ENDS))
        axes.bar(place, tau, 0.9 * width, color=colours[each.source])
        if not np.isnan(low):
            axes.vlines(place, low, high, color="black", linewidth=1)
    drawn = [each.line[name] for each in found for name in ("tau", *_ENDS)]
    axes.set_xticks(range(len(NOISE_COLUMNS)), NOISE_COLUMNS)
    axes.set(
        ylabel="tau-b of two rankings", ylim=(1.05 * min(0.0, np.nanmin(drawn)), 1.02 * max(1.0, np.nanmax(drawn)))
    )
    axes.grid(visible=False, axis="x")


def _finding(looked: Sequence[tuple[Population, list[_Repeated]]]) -> Note:
    lines = []
    for population, found in looked:
        lines.append(described(population))
        for source in _SOURCES:
            of_source = [each for each in found if each.source == source]
            if of_source:
                shown = ", ".join(f"{each.column} {number_text(each.line)}" for each in of_source)
                lines.append(f"{population.name}, {source} (n = {max(each.n for each in of_source):,}): {shown}")
    absent = [
        f"{source} of {population.name}"
        for population, found in looked
        for source in _SOURCES
        if source not in {each.source for each in found}
    ]
    follows = [
        "Two rankings that disagree no more than these may be the same ranking. Another seed changes training and is "
        "the most that one network can tell; another isomorph is another training of nearly always the same function."
    ]
    does_not = [
        "A ranking that repeats on other images need not repeat with another seed: the first says nothing of it."
    ]
    if absent:
        does_not.append(
            f"Nothing is known of {', '.join(absent)}, for want of {FEWEST} networks with both. "
            "`study.families=[study,replicates]` measures other images, "
            "`study.seeds=[777,888]` other seeds, `study.archs=all` isomorphic networks."
        )
    return finding(lines, follows, [*does_not, *few_networks([population for population, _ in looked])])
