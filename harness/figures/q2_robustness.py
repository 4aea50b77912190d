"""Question 2, can robustness serve as a calibration measure: does accuracy under attack rank networks as ECE does?

Published: tau-b against the N of the "top N" networks. They were sorted by accuracy in ascending order before the first
N were taken, so these are the N *least* accurate, and rows repeat isomorphic networks; both can be drawn beside.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.curves import draw_curve, sizes_up_to
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.style import LINE_COLOURS, house_style
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, few_networks, finding
from harness.statistics import kendall_tau, rank_agreement
from harness.statistics.population import Population

_MOST = len(LINE_COLOURS)


def robustness(
    populations: Sequence[Population],
    column: str = "ECE_15",
    *,
    conditions: Sequence[str] = (),
    as_published: Sequence[Population] = (),
) -> Answer:
    """Return how far accuracy on shifted or attacked images ranks networks as a calibration error does.

    Args:
        populations: The networks, with accuracies under some conditions.
        column: The calibration error, or ``acc`` for accuracy on unshifted images.
        conditions: Which conditions; ten that are spread over all of them unless named.
        as_published: The same networks with isomorphic ones repeated, to draw the published fault beside: the N least
            accurate rows in place of the N most accurate networks.
    """
    usable = [
        each for each in populations if len(each.by_accuracy()) > 1 and len(each.robust.columns) and each.has(column)
    ]
    if not usable:
        return missing(
            f"No two networks with {column}, their accuracy, and an accuracy on shifted or attacked images: "
            "`harness run study.conditions=[unshifted,made_gaussian_noise:3]` measures corrupted images, "
            "`harness import robustness PATH` takes the published accuracies under attacks and corruptions."
        )
    faulty = {each.name: each for each in as_published}
    curves = [(each, _curves(each, column, _chosen(each, conditions))) for each in usable]
    table = table_of(line for _, of_population in curves for line in of_population.to_dict("records"))
    return Answer(_figure(curves, faulty, column), _finding(curves, faulty, column), table)


def _chosen(population: Population, conditions: Sequence[str]) -> list[str]:
    """Return the conditions to show, at most as many as there are colours, spread over all that there are."""
    named = [name for name in population.robust.columns if not conditions or name in conditions]
    return [named[i] for i in np.unique(np.linspace(0, len(named) - 1, min(_MOST, len(named))).round().astype(int))]


def _tau(
    population: Population, column: str, condition: str, places: Int64[np.ndarray, " n_chosen"]
) -> dict[str, float]:
    """Return tau-b between a condition and a column over some networks, with its intervals.

    Accuracies of which no resamples were measured, such as imported ones, are taken for free of noise.
    """
    cut = population.chosen(places)
    robust, noise = cut.robust[condition].to_numpy(dtype=np.float64), cut.of_resamples(column)
    held = cut.robust_resamples.get(condition, np.repeat(robust[:, None], noise.shape[1], axis=1))[:, : noise.shape[1]]
    values, resamples = np.stack([robust, cut.values(column)], axis=1), np.stack([held, noise], axis=1)
    return with_ends("tau", rank_agreement(values, resamples, is_sample=population.is_sample).tau, (0, 1))


def _curves(population: Population, column: str, conditions: Sequence[str]) -> pd.DataFrame:
    """Return a line of the table for each condition and number N of most accurate networks."""
    order = population.by_accuracy()
    return pd.DataFrame(
        {"networks": population.name, "condition": condition, "most accurate": size}
        | _tau(population, column, condition, order[:size])
        for condition in conditions
        for size in sizes_up_to(len(order))
    )


def _figure(curves: Sequence[tuple[Population, pd.DataFrame]], faulty: dict[str, Population], column: str) -> Figure:
    """Draw a row of panels for each population: as it should be, and as published where that is asked for."""
    n_across = 2 if faulty else 1
    with house_style():
        size = (6.2 * n_across, 4.4 * len(curves))
        figure, axes = plt.subplots(len(curves), n_across, figsize=size, squeeze=False, sharey=True)
        for row, (population, table) in zip(axes, curves, strict=True):
            colours = dict(zip(map(str, table["condition"].unique()), LINE_COLOURS, strict=False))
            for condition, of_condition in table.groupby("condition", sort=False):
                values = of_condition[["tau", "low (images)", "high (images)"]].to_numpy()
                sizes = of_condition["most accurate"].tolist()
                draw_curve(row[0], sizes, values, str(condition), colours[str(condition)])
            row[0].set(xlabel="N most accurate networks", ylabel=f"tau-b of accuracy under it and {column}")
            row[0].set_title(f"{population_title(population)}, the N most accurate")
            row[0].legend(fontsize=7, loc="best")
            if population.name in faulty:
                _draw_fault(row[1], faulty[population.name], column, colours)
    plt.close(figure)
    return figure


def _draw_fault(axes: Axes, population: Population, column: str, colours: Mapping[str, str]) -> None:
    """Draw what was published: the N least accurate rows, isomorphic networks repeated."""
    order = population.by_accuracy()[::-1]
    sizes = sizes_up_to(len(order))
    for condition, colour in colours.items():
        robust, other = population.robust[condition].to_numpy(dtype=np.float64), population.values(column)
        taus = np.array([kendall_tau(robust[order[:size]], other[order[:size]]) for size in sizes])
        draw_curve(axes, sizes, np.stack([taus, np.full(len(sizes), np.nan)] * 2, axis=1)[:, :3], condition, colour)
    axes.set(xlabel="N least accurate rows, copies of isomorphic networks among them")
    axes.set_title(f"{population_title(population)}\nfaulty, as published: sorted the wrong way round")


def _finding(curves: Sequence[tuple[Population, pd.DataFrame]], faulty: dict[str, Population], column: str) -> Note:
    lines = [] if column == "acc" else [f"Below 0: the more accurate a network is under it, the smaller its {column}."]
    for population, table in curves:
        lines.append(described(population))
        for condition, of_condition in table.groupby("condition", sort=False):
            *few, whole = of_condition.to_dict("records")
            ends = [f"{number_text(few[0])}, n = {few[0]['most accurate']:,}, among the most accurate"] if few else []
            ends.append(f"{number_text(whole)}, n = {whole['most accurate']:,}, over all")
            lines.append(f"{condition} and {column}: {'; '.join(ends)}")
    if column == "acc":
        follows = ["Where tau is near 1, accuracy on these images says no more than accuracy on the unshifted ones."]
        return finding(lines, follows, few_networks([population for population, _ in curves]))
    follows = [
        "Robustness stands in for calibration only where a curve is far from 0 at its left end, among networks that "
        "one would use. A tau over all networks mostly says that networks which learned nothing are neither robust nor "
        "well calibrated."
    ]
    does_not = ["That a curve is high at its right end does not make robustness a measure of calibration."]
    if faulty:
        does_not.append(
            "The right panels show the published fault: sorted by accuracy in ascending order, the first N are the "
            "least accurate, and copies of isomorphic networks count again and again."
        )
    return finding(lines, follows, [*does_not, *few_networks([population for population, _ in curves])])
