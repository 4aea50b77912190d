"""Question 6, what does the number of bins do to a calibration error? Its distribution over networks at each number.

Published: box plots of ECE at nine numbers of bins, before and after temperature scaling, of CIFAR-10; but the panel
after it is ImageNet16-120, whose networks have larger errors.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import panel_grid, population_title
from harness.figures.quantity import columns_at_bin_counts, quantity
from harness.figures.style import PHASE_COLOURS, PHASE_LABELS, house_style
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, finding
from harness.statistics import rank_agreement
from harness.statistics.population import POST, PRE, Population

_BOX = 0.36
_PHASES: tuple[str, ...] = (PRE, POST)
_USUAL = 15
_TAU = f"tau with {_USUAL} bins"
_SHIFTS: Mapping[str, float] = {PRE: -_BOX / 2 - 0.02, POST: _BOX / 2 + 0.02}


def error_and_bins(
    populations: Sequence[Population], metric: str = "ECE", *, published_after: Sequence[Population] = ()
) -> Answer:
    """Return the distribution over networks of an error at each number of bins, before and after temperature scaling.

    Boxes hold the middle half of the networks, whiskers reach from the 5th to the 95th percentile.

    Args:
        populations: The networks, with resamples of the error where these were measured.
        metric: The error without its number of bins, such as ``ECE`` or ``MCE``.
        published_after: Networks whose errors after calibration are drawn in place of those of the first population, to
            show the published fault beside; those of another data set.
    """
    columns = columns_at_bin_counts(metric)
    usable = [each for each in populations if any(each.has(name) for name in columns.values())]
    if not usable:
        return missing(
            f"No networks with {metric}: `harness run study.calibrators=[none,temperature]` makes their rows."
        )
    faulty = [each for each in published_after if each.space == usable[0].space][:1]
    table = table_of(chain.from_iterable(_lines(each, columns) for each in usable))
    return Answer(_figure(usable, faulty, columns, metric), _finding(usable, faulty, table, metric), table)


def _figure(
    usable: Sequence[Population], faulty: Sequence[Population], columns: Mapping[int, str], metric: str
) -> Figure:
    with house_style():
        figure, axes = panel_grid(len(usable) + len(faulty), (6.0, 3.9), across=2)
        for panel, population in zip(axes, usable, strict=False):
            _draw(panel, {phase: population for phase in _PHASES}, columns)
            panel.set_title(population_title(population))
        for panel, other in zip(axes[len(usable) :], faulty, strict=True):
            _draw(panel, {PRE: usable[0], POST: other}, columns)
            panel.set_title(f"faulty, as published: before {usable[0].dataset},\nafter {other.dataset}")
        for panel in axes:
            label = quantity(next(iter(columns.values()))).label(metric)
            panel.set(xlabel="number of bins", ylabel=label, ylim=(0, None))
        keys = [Patch(facecolor=PHASE_COLOURS[each], edgecolor="black", label=PHASE_LABELS[each]) for each in _PHASES]
        figure.legend(handles=keys, loc="outside lower center", ncols=2)
    plt.close(figure)
    return figure


def _draw(axes: Axes, of_phase: Mapping[str, Population], columns: Mapping[int, str]) -> None:
    positions = np.arange(len(columns))
    for phase, population in of_phase.items():
        values = [quantity(name).scale * population.values(name, phase) for name in columns.values()]
        axes.boxplot(
            [each[~np.isnan(each)] for each in values],
            positions=positions + _SHIFTS[phase],
            widths=_BOX,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": PHASE_COLOURS[phase]},
            medianprops={"color": "black", "linewidth": 1.6},
            manage_ticks=False,
        )
    axes.set_xticks(positions, [str(n_bins) for n_bins in columns])
    axes.grid(visible=False, axis="x")


def _lines(population: Population, columns: Mapping[int, str]) -> list[dict[str, object]]:
    """Return a line of the table for each phase and number of bins: quartiles, and how far it ranks as 15 bins do."""
    lines = []
    usual = columns.get(_USUAL, next(iter(columns.values())))
    for phase, (n_bins, name) in product(_PHASES, columns.items()):
        if population.has(name, phase):
            values = population.values(name, phase)
            pair = [(phase, usual), (phase, name)]
            of_pair = population.matrix(pair), population.resample_tensor(pair)
            found = rank_agreement(*of_pair, is_sample=population.is_sample)
            line: dict[str, object] = {"networks": population.name, "phase": PHASE_LABELS[phase], "bins": n_bins}
            line |= {"n": np.count_nonzero(~np.isnan(values))}
            quartiles = quantity(name).scale * np.nanpercentile(values, [25, 50, 75])
            line |= dict(zip(("25 %", "median", "75 %"), quartiles, strict=True))
            lines.append(line | with_ends(_TAU, found.tau, (0, 1)))
    return lines


def _finding(usable: Sequence[Population], faulty: Sequence[Population], table: pd.DataFrame, metric: str) -> Note:
    lines = [described(population) for population in usable]
    for _, of_phase in table.groupby(["networks", "phase"], sort=False):
        few, many = of_phase.iloc[[0, -1]].to_dict("records")
        unit = quantity(f"{metric}_{_USUAL}").unit
        lines.append(
            f"{few['networks']}, {few['phase']}: the median {metric} goes from {few['median']:.2f} with {few['bins']} "
            f"bins to {many['median']:.2f} {unit} with {many['bins']}; {_USUAL} and {many['bins']} bins rank the "
            f"networks with tau {number_text(many, _TAU)}"
        )
    follows = [
        f"{metric} at different numbers of bins, or on different numbers of images, is not the same quantity: with "
        "many bins and few images in each it grows by chance alone, of calibrated networks too."
    ]
    does_not = ["That it grows with the number of bins does not say that few bins hide an error."]
    if faulty:
        does_not.append(
            f"The last panel shows the published fault: boxes after temperature scaling are those of networks on "
            f"{faulty[0].dataset}, which look as if calibration had not helped on {usable[0].dataset}."
        )
    return finding(lines, follows, does_not)
