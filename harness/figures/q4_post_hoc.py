"""Question 4, does post-hoc calibration act uniformly: is a network that is well calibrated before still so after?

Published: tau-b of ECE at nine numbers of bins before and after temperature scaling, 18 x 18. The figure said to be
CIFAR-10 is the ImageNet16-120 data, with rows before and after joined by their place in two files, not by architecture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.matrices import agreement_lines, draw_bar, draw_matrix
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.quantity import columns_at_bin_counts
from harness.figures.style import house_style
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, few_networks, finding
from harness.statistics import Agreement, rank_agreement
from harness.statistics.population import POST, PRE, Column, Population

_PHASES = {PRE: "pre", POST: "post"}
_BINS = 15


class _Compared(NamedTuple):
    """A population, the errors before and after, and how far they agree: joined by network, and by place."""

    population: Population
    columns: tuple[Column, ...]
    agreement: Agreement
    by_place: Agreement | None

    @property
    def labels(self) -> list[str]:
        """What the columns are called."""
        return [f"{phase} {n_bins}" for phase in _PHASES.values() for n_bins in columns_at_bin_counts("ECE")]

    def place(self, calibrator: str, n_bins: int) -> int:
        """Return the place of a column."""
        return self.columns.index((calibrator, columns_at_bin_counts("ECE")[n_bins]))


def post_hoc(populations: Sequence[Population], *, as_published: bool = False) -> Answer:
    """Return how far networks are ranked alike by ECE before and after temperature scaling, at all numbers of bins.

    Args:
        populations: The networks, before and after temperature scaling.
        as_published: Whether to draw the published fault beside: the values after calibration joined by place to those
            before. The order of the published files is not known; here the second one is in the order of the indices as
            texts (0, 1, 10, 100, ...), in which a program lists files.
    """
    compared = [found for each in populations if (found := _compare(each, as_published=as_published)) is not None]
    if not compared:
        return missing(
            "No networks with ECE before and after temperature scaling: "
            "`harness run study.calibrators=[none,temperature]` makes their rows."
        )
    table = table_of(
        line for each in compared for line in agreement_lines(each.population, each.agreement, each.labels)
    )
    return Answer(_figure(compared), _finding(compared), table)


def _compare(population: Population, *, as_published: bool) -> _Compared | None:
    names = columns_at_bin_counts("ECE").values()
    columns = tuple((calibrator, name) for calibrator in _PHASES for name in names)
    if len(population) < 2 or not all(population.has(name, calibrator) for calibrator, name in columns):
        return None
    values = population.matrix(columns)
    by_place = None
    if as_published:
        shuffled = values.copy()
        is_post = np.array([calibrator == POST for calibrator, _ in columns])
        order = np.argsort(population.networks.index.astype(str), kind="stable")
        shuffled[:, is_post] = values[order][:, is_post]
        by_place = rank_agreement(shuffled, _no_resamples(shuffled), is_sample=False)
    agreement = rank_agreement(values, population.resample_tensor(columns), is_sample=population.is_sample)
    return _Compared(population, columns, agreement, by_place)


def _no_resamples(values: Float64[np.ndarray, "networks columns"]) -> Float64[np.ndarray, "networks columns 0"]:
    return np.empty((*values.shape, 0))


def _figure(compared: Sequence[_Compared]) -> Figure:
    n_across = 2 if any(each.by_place is not None for each in compared) else 1
    with house_style():
        size = (6.6 * n_across, 6.2 * len(compared))
        figure, axes = plt.subplots(len(compared), n_across, figsize=size, squeeze=False)
        for row, each in zip(axes, compared, strict=True):
            draw_matrix(row[0], each.agreement, each.labels)
            row[0].set_title(f"{population_title(each.population)}, joined by network")
            if each.by_place is not None:
                draw_matrix(row[1], each.by_place, each.labels)
                row[1].set_title(f"{each.population.name}\nfaulty, as published: joined by place")
        draw_bar(figure, axes.flat)
    plt.close(figure)
    return figure


def _finding(compared: Sequence[_Compared]) -> Note:
    lines = []
    for each in compared:
        before, after = each.place(PRE, _BINS), each.place(POST, _BINS)
        ceiling = each.agreement.ceiling
        lines.append(described(each.population))
        text = number_text(with_ends("tau", each.agreement.tau, (before, after)))
        line = f"ECE_{_BINS} before and after temperature scaling: {text}"
        if not np.isnan(ceiling[after]):
            line += f"; noise ceilings {ceiling[before]:.2f} before and {ceiling[after]:.2f} after"
        others = [
            f"{number_text(with_ends('tau', each.agreement.tau, (after, each.place(POST, n))))} with {n} bins"
            for n in (10, 500)
        ]
        lines.append(f"{line}. After it, {_BINS} bins agree with others: {', '.join(others)}.")
    follows = [
        "Where the tau between before and after is far below the noise ceilings of both, temperature scaling does not "
        "act uniformly: it reorders the networks, and an error before calibration is no guide to the error after."
    ]
    does_not = [
        "A low tau alone does not show this. Errors after calibration are small and mostly noise, so they repeat badly "
        "on other images and at other numbers of bins: their ceiling is on the diagonal."
    ]
    if any(each.by_place is not None for each in compared):
        does_not.append(
            "The right panels show the published fault: the block of before against after is near 0 whatever the "
            "truth, for it pairs the error of one network with that of another."
        )
    return finding(lines, follows, [*does_not, *few_networks([each.population for each in compared])])
