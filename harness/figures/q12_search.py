"""Question 12, which search finds good networks: a population as a tabular benchmark, searched many times.

Not among the published questions. Regret of a single objective, hypervolume of the front of two, against the number of
evaluations; each search against random search.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.quantity import quantity
from harness.figures.style import GREY, LINE_COLOURS, house_style, networks
from harness.figures.wording import described, finding
from harness.search import (
    ACCURACY,
    ALGORITHMS,
    FRONT,
    HCS,
    N_EVALUATIONS,
    N_RUNS,
    RANDOM,
    Benchmark,
    Comparison,
    Mean,
    Objective,
    SearcherFactory,
    compare,
)
from harness.statistics.population import Population

OBJECTIVES = (ACCURACY, HCS, FRONT)

_SHOWN = (10, 25, 50, 100, 200, 500, 1000)
_N_BEST = 10
_FEW = 100
_DECADES = 1e4


class _Panel(NamedTuple):
    """A comparison, the networks that it was made on, and how far images alone move the best of them."""

    population: Population
    comparison: Comparison
    noise: float

    @property
    def objective(self) -> Objective:
        return self.comparison.benchmark.objective

    @property
    def scale(self) -> float:
        """What scores are multiplied with: shares are shown in percent or points."""
        return 100.0 if self.objective.measure == "hypervolume" else quantity(self.objective.columns[0]).scale

    @property
    def unit(self) -> str:
        """Unit of the scores on that scale."""
        if self.objective.measure == "hypervolume":
            return "%"
        return "points" if self.scale == 100 else quantity(self.objective.columns[0]).unit

    @property
    def label(self) -> str:
        """What the scores are, with their unit."""
        return f"{self.objective.measure} ({self.unit})".removesuffix(" ()")

    @property
    def told(self) -> int:
        """After how many evaluations the text tells the scores: where half of the table is left, or at the end."""
        return min(self.comparison.n_evaluations, max(1, len(self.comparison.benchmark) // 2))


def search_comparison(
    populations: Sequence[Population],
    objectives: Sequence[Objective] = OBJECTIVES,
    *,
    algorithms: Mapping[str, SearcherFactory] = ALGORITHMS,
    n_evaluations: int = N_EVALUATIONS,
    n_runs: int = N_RUNS,
    seed: int = 0,
) -> Answer:
    """Return how searches come along on each population, against random search.

    Args:
        populations: The networks, with resamples of the objectives where these were measured.
        objectives: What is to be maximised, a column of panels each.
        algorithms: What starts a search, by name.
        n_evaluations: Networks that a run may ask for; all of a population where it has fewer.
        n_runs: Runs of each algorithm.
        seed: Seed of the runs.

    Raises:
        ValueError: As :func:`harness.search.compare`.
    """
    panels = [
        _Panel(
            population,
            compare(
                population, objective, algorithms=algorithms, n_evaluations=n_evaluations, n_runs=n_runs, seed=seed
            ),
            _image_noise(population, objective),
        )
        for population in populations
        for objective in objectives
        if _can_be_searched(population, objective)
    ]
    if not panels:
        wanted = "; ".join(objective.name for objective in objectives)
        return missing(
            f"No networks of which some are better than others by one of {wanted}: `harness run` makes their rows, "
            "`harness run study.archs=all` those of all networks that an archive holds."
        )
    table = pd.concat([_lines(panel) for panel in panels], ignore_index=True)
    return Answer(_figure(panels, objectives), _finding(panels), table)


def _can_be_searched(population: Population, objective: Objective) -> bool:
    if not all(population.has(column, objective.calibrator) for column in objective.columns):
        return False
    values = objective.values(population)
    return not np.isnan(values).any(axis=1).all() and not Benchmark.of(population, objective).is_flat


def _image_noise(population: Population, objective: Objective) -> float:
    """Return how far resamples of the images move the ten next best networks from the best.

    It is the median standard deviation of their distance; NaN of a front, or where there are no resamples.
    """
    columns = [(objective.calibrator, column) for column in objective.columns]
    resamples, values = population.resample_tensor(columns)[:, 0], objective.values(population)[:, 0]
    best = np.argsort(-values, kind="stable")[: 1 + _N_BEST]  # unknown values come last
    if len(columns) > 1 or len(best) < 2 or resamples.shape[1] < 2:
        return np.nan
    spread = (resamples[best[1:]] - resamples[best[0]]).std(axis=1, ddof=1)
    return float(np.median(spread[~np.isnan(spread)])) if not np.isnan(spread).all() else np.nan


def _lines(panel: _Panel) -> pd.DataFrame:
    """Return the lines of the table: some numbers of evaluations of each algorithm, in the unit of the figure."""
    curves, n = panel.comparison.curves, panel.comparison.n_evaluations
    lines = curves.loc[curves["evaluations"].isin([*_SHOWN, panel.told, n]), :].assign(**{"image noise": panel.noise})
    scores = lines.columns[lines.columns.get_loc("mean") :]
    return lines.assign(**(panel.scale * lines[scores]), measure=panel.label)


def _figure(panels: Sequence[_Panel], objectives: Sequence[Objective]) -> Figure:
    rows = list(dict.fromkeys(panel.population for panel in panels))
    columns = [each for each in objectives if any(panel.objective == each for panel in panels)]
    size = max(4.2 * len(columns), 6.4), 3.7 * len(rows) + 0.6
    with house_style():
        figure, axes = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False)
        left_over = set(axes.flat)
        for panel in panels:
            place = axes[rows.index(panel.population), columns.index(panel.objective)]
            _draw(place, panel)
            left_over.discard(place)
        for place in left_over:
            place.remove()
        figure.legend(handles=_keys(panels), loc="outside lower center", ncols=3)
    plt.close(figure)
    return figure


def _colours(comparison: Comparison) -> dict[str, str]:
    return dict(zip(comparison.scores, cycle(LINE_COLOURS), strict=False))


def _keys(panels: Sequence[_Panel]) -> list[Line2D]:
    """Return the lines of the legend: the algorithms, and the noise where a panel shows it."""
    colours = _colours(panels[0].comparison)
    keys = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    if any(panel.noise > 0 for panel in panels):
        keys.append(Line2D([], [], color=GREY, linestyle=":", label="noise of the images"))
    return keys


def _draw(axes: Axes, panel: _Panel) -> None:
    """Draw the mean of each algorithm and its interval against the number of evaluations."""
    evaluations = np.arange(1, panel.comparison.n_evaluations + 1)
    for name, colour in _colours(panel.comparison).items():
        mean, low, high = (panel.scale * part for part in panel.comparison.mean(name))
        axes.plot(evaluations, mean, color=colour, linewidth=1.5)
        axes.fill_between(evaluations, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="evaluations", ylabel=panel.label)
    axes.set_title(f"{population_title(panel.population)}\nsearched for {panel.objective.name}")
    if panel.noise > 0:
        axes.axhline(panel.scale * panel.noise, color=GREY, linestyle=":", linewidth=1.2)
    if panel.objective.measure == "regret":
        _scale_regret(axes, panel)


def _scale_regret(axes: Axes, panel: _Panel) -> None:
    """Show regret on a logarithmic axis, which leaves out where it is 0."""
    means = panel.scale * np.concatenate([panel.comparison.mean(name).mean for name in panel.comparison.scores])
    most = means.max()
    if most > 0:
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(0.7 * max(means[means > 0].min(), most / _DECADES), 1.4 * most)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _finding(panels: Sequence[_Panel]) -> Note:
    populations = list(dict.fromkeys(panel.population for panel in panels))
    lines = []
    for population in populations:
        lines.append(described(population))
        lines += [_said(panel) for panel in panels if panel.population is population]
    n_runs = panels[0].comparison.n_runs
    follows = [
        "An algorithm finds better networks than random search with as many evaluations where its difference of regret "
        f"is below 0, or of hypervolume above 0; where the interval holds 0, {n_runs:,} runs do not tell them apart. "
        "Hypervolume is the area that the networks found dominate, as a share of what all of them dominate."
    ]
    does_not = [
        "A regret below the noise of the images says nothing: on other test images another network would be the best. "
        "Trained again each network moves as well, which `store.seed_spread(...)` tells.",
        "Intervals are over runs on this one table; another data set may rank the algorithms otherwise. The best of a "
        "table was chosen on the images it is judged by, so its value is too high.",
        *_few(populations),
    ]
    return finding(lines, follows, does_not)


def _said(panel: _Panel) -> str:
    """Say what each algorithm came to, and how that differs from random search."""
    comparison, benchmark = panel.comparison, panel.comparison.benchmark
    told = [_of_algorithm(panel, name) for name in comparison.scores]
    left_out = f", {networks(benchmark.n_left_out)} without a value left out" if benchmark.n_left_out else ""
    text = (
        f"{benchmark.name}, {panel.objective.name}, {panel.objective.measure} after {panel.told:,} of "
        f"{len(benchmark):,} networks{left_out}: {'; '.join(told)}"
    )
    if panel.noise > 0:
        text += f". Noise of the images: {panel.scale * panel.noise:.3g} {panel.unit}".rstrip()
    return text


def _of_algorithm(panel: _Panel, name: str) -> str:
    text = f"{name} {_mean_text(panel, panel.comparison.mean(name))} {panel.unit}".rstrip()
    if name == RANDOM:
        return text
    return f"{text}, against random search {_mean_text(panel, panel.comparison.difference(name), '+')}"


def _mean_text(panel: _Panel, mean: Mean, sign: str = "") -> str:
    """Return a mean with its interval, where it has one."""
    value, low, high = (float(panel.scale * part[panel.told - 1]) for part in mean)
    text = format(value, f"{sign}.2f")
    return text if np.isnan(low) else f"{text} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _few(populations: Sequence[Population]) -> list[str]:
    """Return what must be said of tables too small to be searched in earnest."""
    small = [f"{networks(len(each))} of {each.name}" for each in populations if len(each) < _FEW]
    if not small:
        return []
    return [
        f"{' and '.join(small)} are too few for a search: hardly any is a neighbour of another, and random search soon "
        "has them all."
    ]
