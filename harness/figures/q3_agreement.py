"""Question 3, how reliable are the measurements: do they rank networks alike, as far as their own noise lets them?

Published: tau-b of seven measurements before calibration, without intervals or a noise ceiling.
"""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.matrices import agreement_lines, draw_bar, draw_matrix
from harness.figures.note import Note
from harness.figures.panels import panel_grid, population_title
from harness.figures.style import house_style
from harness.figures.tables import number_text, table_of, with_ends
from harness.figures.wording import described, few_networks, finding
from harness.statistics import Agreement, confidence_gap, rank_agreement
from harness.statistics.population import PRE, Population

METRICS = ("ECE_15", "ECE_em_15", "cwCE_15", "cwCE_em_15", "cwACE_15", "KSCE", "KDECE", "MMCE")
"""The published seven; what was published as classwise error with equal mass is ``cwACE_15`` for topologies."""

_SAME = 1e-3
"""Errors that differ by less than a tenth of a point are the same number."""


class _Compared(NamedTuple):
    """A population, what was measured of it, and how far that agrees."""

    population: Population
    agreement: Agreement
    metrics: tuple[str, ...]


def agreement_of_metrics(populations: Sequence[Population], calibrator: str = PRE) -> Answer:
    """Return how far the measurements rank the networks of each population alike.

    Args:
        populations: The networks, with :data:`METRICS` and their resamples, as far as these were measured.
        calibrator: Calibrator of the predictions.
    """
    compared = [found for population in populations if (found := _compare(population, calibrator)) is not None]
    if not compared:
        return missing(
            f"No networks with two of {', '.join(METRICS)} and calibrator {calibrator}: "
            f"`harness run study.calibrators=[{calibrator}]` makes their rows."
        )
    table = table_of(line for each in compared for line in agreement_lines(*each))
    return Answer(_figure(compared, calibrator), _finding(compared, calibrator), table)


def _compare(population: Population, calibrator: str) -> _Compared | None:
    metrics = tuple(name for name in METRICS if population.has(name, calibrator))
    if len(metrics) < 2 or len(population) < 2:
        return None
    columns = [(calibrator, name) for name in metrics]
    values, resamples = population.matrix(columns), population.resample_tensor(columns)
    return _Compared(population, rank_agreement(values, resamples, is_sample=population.is_sample), metrics)


def _figure(compared: Sequence[_Compared], calibrator: str) -> Figure:
    with house_style():
        figure, all_axes = panel_grid(len(compared), (5.4, 5.0), across=2)
        for axes, (population, agreement, metrics) in zip(all_axes, compared, strict=True):
            draw_matrix(axes, agreement, metrics)
            axes.set_title(population_title(population))
        draw_bar(figure, all_axes)
        figure.suptitle(f"Do measurements rank networks alike? Calibrator: {calibrator}")
    plt.close(figure)
    return figure


def _finding(compared: Sequence[_Compared], calibrator: str) -> Note:
    lines = [f"{described(each.population)}. {_extremes(each)} {_at_the_ceiling(each)}".strip() for each in compared]
    populations = [each.population for each in compared]
    follows = [
        "Two measurements whose interval reaches a noise ceiling were not shown by these networks to measure "
        "different things; those whose interval stays below do, for noise alone does not explain it."
    ]
    identity = [text for each in compared if (text := _identity(each.population, calibrator))]
    does_not = [
        "High agreement is no proof that a measurement is right: a network that is over-confident in every bin has "
        "ECE = KSCE = |mean confidence - accuracy|, so these agree by arithmetic.",
        *identity,
        "Two measurements of the same images share their noise, so they can agree better than either does with itself "
        "on other images: a tau above the ceilings says no more.",
        *few_networks(populations),
    ]
    return finding(lines, follows, does_not)


def _extremes(compared: _Compared) -> str:
    """Say which measurement agrees best and which least with ECE_15, or with the first there is."""
    _, agreement, metrics = compared
    tau = agreement.tau.value
    others = [j for j in range(1, len(metrics)) if not np.isnan(tau[0, j])]
    if not others:
        return f"{metrics[0]} ranks no network before another."
    best, least = max(others, key=lambda j: tau[0, j]), min(others, key=lambda j: tau[0, j])
    text = [f"{metrics[j]}, tau {number_text(with_ends('tau', agreement.tau, (0, j)))}" for j in (best, least)]
    return f"{metrics[0]} agrees best with {text[0]}, and least with {text[1]}."


def _at_the_ceiling(compared: _Compared) -> str:
    """Say how many pairs may agree as well as one of them with itself on other images."""
    _, agreement, metrics = compared
    ceiling, high = agreement.ceiling, agreement.tau.images.high
    pairs = [(i, j) for i in range(len(metrics)) for j in range(i) if not np.isnan(high[i, j])]
    if not pairs or np.isnan(ceiling).all():
        return "Without replicates there are no intervals: `study.families=[study,replicates]` measures them."
    at = [high[i, j] >= np.nanmin(ceiling[[i, j]]) for i, j in pairs]
    return (
        f"Of {len(pairs)} pairs {sum(at)} have an interval that reaches the agreement of one of the two with itself on "
        f"other images (noise ceilings from {np.nanmin(ceiling):.2f} to {np.nanmax(ceiling):.2f})."
    )


def _identity(population: Population, calibrator: str) -> str:
    """Say of how many networks ECE_15 is the gap between mean confidence and accuracy."""
    names = ("acc", "correct_confidence", "incorrect_confidence", "ECE_15")
    right, sure, unsure, error = (population.values(name, calibrator) for name in names)
    gap = confidence_gap(right, sure, unsure)
    known = ~np.isnan(gap) & ~np.isnan(error)
    if not known.any():
        return ""
    n = np.count_nonzero(np.abs(error - gap)[known] < _SAME)
    return f"So it is for {n:,} of {np.count_nonzero(known):,} networks of {population.name}, to a tenth of a point."
