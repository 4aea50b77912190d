"""Question 1, does calibration generalise across data sets: are networks ranked alike by their errors on two of them?

Published: no, from tau-b over the union of the 100 most accurate networks of each of three data sets. The answer
depends on which networks are taken, so all of them, and every number of them, are shown beside.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.curves import draw_curve, sizes_up_to
from harness.figures.matrices import draw_bar, draw_matrix
from harness.figures.note import Note
from harness.figures.style import LINE_COLOURS, SPACE_LABELS, house_style, networks
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, few_networks, finding
from harness.statistics import Agreement, rank_agreement
from harness.statistics.population import PRE, Population

TOP = 100
"""Networks of each data set whose union was published."""


def generalisation(populations: Sequence[Population], column: str = "ECE_15", calibrator: str = PRE) -> Answer:
    """Return how far the rankings of networks by a measurement agree between data sets.

    Args:
        populations: The networks of at least two data sets of one search space.
        column: The measurement.
        calibrator: Calibrator of the predictions.
    """
    by_space = [found for found in _by_space(populations, column, calibrator) if len(found) > 1]
    each = [shared for found in by_space if (shared := _Shared(found, column, calibrator)).n > 1]
    if not each:
        return missing(
            f"No two networks of one search space that have {column} (calibrator {calibrator}) on two data sets: "
            "with archives that have both, `harness run study.datasets=[cifar10,cifar100]` measures them; other "
            "archives cannot answer this question."
        )
    table = table_of(line for shared in each for line in shared.lines())
    return Answer(_figure(each), _finding(each, table), table)


def _by_space(populations: Sequence[Population], column: str, calibrator: str) -> Iterator[list[Population]]:
    usable = [population for population in populations if population.has(column, calibrator)]
    for space in dict.fromkeys(population.space for population in usable):
        yield [population for population in usable if population.space == space]


class _Shared:
    """The networks of a search space that were measured on every data set, and how far these rank them alike.

    Args:
        populations: The networks of each data set.
        column: The measurement.
        calibrator: Calibrator of the predictions.
    """

    def __init__(self, populations: Sequence[Population], column: str, calibrator: str) -> None:
        shared = sorted(set.intersection(*(set(population.networks.index) for population in populations)))
        self.column, self.calibrator = column, calibrator
        self.populations = [
            population.chosen(population.networks.index.get_indexer(shared)) for population in populations
        ]
        self.datasets = [population.dataset for population in populations]
        self.n = len(shared)

    def agreement(self, chosen: Int64[np.ndarray, " n_chosen"]) -> Agreement:
        """Return how far the data sets rank some of the networks alike."""
        cut = [each.chosen(chosen) for each in self.populations]
        values = np.stack([each.values(self.column, self.calibrator) for each in cut], axis=1)
        resamples = [each.of_resamples(self.column, self.calibrator) for each in cut]
        n_resamples = min(found.shape[1] for found in resamples)
        held = np.stack([found[:, :n_resamples] for found in resamples], axis=1)
        return rank_agreement(values, held, is_sample=any(each.is_sample for each in self.populations))

    def top(self, n: int) -> Int64[np.ndarray, " n_chosen"]:
        """Return the places of the union of the n most accurate networks of each data set."""
        return np.unique(np.concatenate([each.by_accuracy()[:n] for each in self.populations]))

    def lines(self) -> Iterator[dict[str, object]]:
        """Yield a line of the table for each subset and pair of data sets."""
        for name, (chosen, found) in self.subsets.items():
            for i, j in combinations(range(len(self.datasets)), 2):
                line: dict[str, object] = {"space": self.populations[0].space, "networks": name, "n": len(chosen)}
                line |= {"first": self.datasets[i], "second": self.datasets[j], **with_ends("tau", found.tau, (i, j))}
                yield line | {"ceiling of first": found.ceiling[i], "ceiling of second": found.ceiling[j]}

    @functools.cached_property
    def subsets(self) -> Mapping[str, tuple[Int64[np.ndarray, " n_chosen"], Agreement]]:
        """The published choice of networks and all of them, by name: their places and how far they are ranked alike."""
        chosen = {f"union of the {TOP} most accurate": self.top(TOP), "all": np.arange(self.n)}
        return {name: (places, self.agreement(places)) for name, places in chosen.items()}


def _figure(each: Sequence[_Shared]) -> Figure:
    with house_style():
        figure, axes = plt.subplots(len(each), 3, figsize=(13.5, 4.4 * len(each)), squeeze=False)
        for row, shared in zip(axes, each, strict=True):
            for panel, (name, (chosen, agreement)) in zip(row, shared.subsets.items(), strict=False):
                draw_matrix(panel, agreement, shared.datasets)
                panel.set_title(f"{SPACE_LABELS[shared.populations[0].space]}\n{name}: {networks(len(chosen))}")
            _draw_curves(row[2], shared)
        draw_bar(figure, axes[:, 1])
        figure.suptitle(f"Ranks by {each[0].column} on two data sets, calibrator {each[0].calibrator}")
    plt.close(figure)
    return figure


def _draw_curves(axes: Axes, shared: _Shared) -> None:
    """Draw tau of each pair of data sets against the number of most accurate networks of which the union is taken."""
    sizes = sizes_up_to(shared.n)
    found = [shared.agreement(shared.top(size)).tau for size in sizes]
    for colour, (i, j) in zip(LINE_COLOURS, combinations(range(len(shared.datasets)), 2), strict=False):
        of_pair = [(tau.value[i, j], tau.images.low[i, j], tau.images.high[i, j]) for tau in found]
        draw_curve(axes, sizes, np.array(of_pair), f"{shared.datasets[i]} and {shared.datasets[j]}", colour)
    axes.axvline(TOP, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="N: union of the N most accurate of each data set", ylabel="tau-b")
    axes.set_title(f"{SPACE_LABELS[shared.populations[0].space]}\nby number of networks (published: {TOP})")
    axes.legend(fontsize=8)


def _finding(each: Sequence[_Shared], table: pd.DataFrame) -> Note:
    lines = [described(population) for shared in each for population in shared.populations]
    for _, of_subset in table.groupby(["space", "networks"], sort=False):
        space, name, n = of_subset.iloc[0][["space", "networks", "n"]]
        pairs = [f"{line['first']} and {line['second']} {number_text(line)}" for line in of_subset.to_dict("records")]
        lines.append(f"{space}, {name} (n = {n:,}): {'; '.join(pairs)}")
    follows = [
        "Whether calibration carries over from one data set to another depends on the data sets and on the networks: "
        "compare the two matrices, and follow the curve from the left end, the best networks, to the right end, all."
    ]
    does_not = [
        "The published answer, no, is one of three points on these curves. A low tau among the most accurate networks "
        "may be noise: compare it with the noise ceilings on the diagonal, which no agreement between data sets can be "
        "expected to exceed.",
        *few_networks([shared.populations[0] for shared in each]),
    ]
    return finding(lines, follows, does_not)
