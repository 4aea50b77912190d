"""Question 10, does a ranking by calibration survive: other images, and corrected labels?"""

from collections.abc import Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import panel_grid, population_title
from harness.figures.quantity import quantity
from harness.figures.style import LINE_COLOURS, house_style
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, few_networks, finding
from harness.statistics import rank_agreement
from harness.statistics.population import PRE, Population

_LABELS = "labels "
"""How the names of corrected labels begin."""


def rank_survival(
    populations: Sequence[Population],
    others: Mapping[str, Sequence[Population]],
    column: str = "ECE_15",
    calibrator: str = PRE,
) -> Answer:
    """Return how far networks are ranked by a measurement as on the unshifted test images and their original labels.

    Args:
        populations: The networks, measured on these.
        others: The same networks on other images, such as ``fog:3``, or with corrected labels, named ``labels ...``.
        column: The measurement.
        calibrator: Calibrator of the predictions, fitted on unshifted images.
    """
    compared = [(each, list(_lines(each, others, column, calibrator))) for each in populations]
    compared = [(population, lines) for population, lines in compared if lines]
    if not compared:
        return missing(
            f"No two networks with {column} (calibrator {calibrator}) on other images or with corrected labels: "
            "`harness run study.conditions=[unshifted,made_gaussian_noise:3]` measures corrupted images, "
            "`study.label_sets=[original,errors_removed]` corrected labels."
        )
    table = table_of(line for _, lines in compared for line in lines)
    return Answer(_figure(compared, column, calibrator), _finding(compared, column), table)


def _lines(
    population: Population, others: Mapping[str, Sequence[Population]], column: str, calibrator: str
) -> Iterator[dict[str, object]]:
    """Yield a line of the table for each other set of images or labels."""
    for name, each_other in others.items():
        for other in each_other:
            if (other.space, other.dataset) == (population.space, population.dataset):
                yield from _line(population, other, name, column, calibrator)


def _line(
    population: Population, other: Population, name: str, column: str, calibrator: str
) -> Iterator[dict[str, object]]:
    """Yield the line of one, joined by network; none where they share fewer than two networks with values."""
    shared = population.networks.index.intersection(other.networks.index)
    here, there = (each.chosen(each.networks.index.get_indexer(shared)) for each in (population, other))
    values = np.stack([each.values(column, calibrator) for each in (here, there)], axis=1)
    if np.count_nonzero(~np.isnan(values).any(axis=1)) < 2:
        return
    resamples = _resamples(here, there, name, column, calibrator)
    found = rank_agreement(values, resamples, is_sample=population.is_sample)
    scale = quantity(column).scale
    yield {
        "networks": population.name, "on": name, "n": len(shared), **with_ends("tau", found.tau, (0, 1)),
        "ceiling": found.ceiling[0], "ceiling there": found.ceiling[1],
        f"median {column}": scale * np.nanmedian(values[:, 0]), "median there": scale * np.nanmedian(values[:, 1]),
    }  # fmt: skip


def _resamples(
    here: Population, there: Population, name: str, column: str, calibrator: str
) -> Float64[np.ndarray, "networks 2 n_resamples"]:
    """Return both on resamples, which draw the same images; of corrected labels, which are of fewer images, none."""
    held = [each.of_resamples(column, calibrator) for each in (here, there)]
    n = 0 if name.startswith(_LABELS) else min(values.shape[1] for values in held)
    return np.stack([values[:, :n] for values in held], axis=1)


def _figure(compared: Sequence[tuple[Population, list[dict[str, object]]]], column: str, calibrator: str) -> Figure:
    most = max(len(lines) for _, lines in compared)
    with house_style():
        figure, axes = panel_grid(len(compared), (5.6, 1.6 + 0.34 * most), across=2)
        for panel, (population, lines) in zip(axes, compared, strict=True):
            _draw(panel, pd.DataFrame(lines))
            panel.set_title(population_title(population))
        figure.suptitle(f"Networks ranked by {column} as on unshifted images? Calibrator: {calibrator}")
    plt.close(figure)
    return figure


def _draw(axes: Axes, lines: pd.DataFrame) -> None:
    """Draw tau and its interval for each, and the noise ceiling on unshifted images as a line."""
    places = np.arange(len(lines))[::-1]
    tau, low, high = (lines[name].to_numpy(dtype=np.float64) for name in ("tau", "low (images)", "high (images)"))
    axes.hlines(places, np.nan_to_num(low, nan=0), np.nan_to_num(high, nan=0), color=LINE_COLOURS[0], alpha=0.5)
    axes.plot(tau, places, "o", color=LINE_COLOURS[0])
    ceiling = lines["ceiling"].to_numpy(dtype=np.float64)
    if not np.isnan(ceiling).all():
        axes.axvline(float(np.nanmax(ceiling)), color="black", linestyle="--", linewidth=1, label="noise ceiling")
        axes.legend(fontsize=8, loc="lower left")
    axes.set_yticks(places, lines["on"].tolist())
    axes.set(xlabel="tau-b with the unshifted ranking", xlim=(-1.05, 1.15), ylim=(-0.7, len(lines) - 0.3))


def _finding(compared: Sequence[tuple[Population, list[dict[str, object]]]], column: str) -> Note:
    texts = []
    for population, lines in compared:
        texts.append(described(population))
        frame = pd.DataFrame(lines).sort_values("tau")
        shown = frame if len(frame) <= 6 else frame.iloc[[0, -1]]
        texts += [
            f"{population.name}, {line['on']} (n = {line['n']:,}): tau {number_text(line)}, the median {column} goes "
            f"from {line[f'median {column}']:.2f} to {line['median there']:.2f} {quantity(column).unit}".rstrip()
            for line in shown.to_dict("records")
        ]
    follows = [
        "Where tau is near the noise ceiling, the ranking survives: choosing by the unshifted images chooses for the "
        "others. Where the median grows and tau falls, networks become worse calibrated, and others than expected."
    ]
    does_not = [
        "The noise ceiling is that of the unshifted ranking. Intervals are over images, the same ones under each "
        "corruption."
    ]
    if any(str(line["on"]).startswith(_LABELS) for _, lines in compared for line in lines):
        does_not.append("Corrected labels are of fewer images, so theirs have none over images.")
    return finding(texts, follows, [*does_not, *few_networks([population for population, _ in compared])])
