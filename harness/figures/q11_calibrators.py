"""Question 11, which calibrator, and for which architectures?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.answer import Answer, missing
from harness.figures.note import Note
from harness.figures.panels import population_title
from harness.figures.q7_widths import total_width
from harness.figures.quantity import quantity
from harness.figures.style import LINE_COLOURS, house_style
from harness.figures.tables import number_text, with_ends
from harness.figures.wording import FEWEST, described, few_networks, finding
from harness.statistics import Estimates, kendall_tau, with_intervals
from harness.statistics.population import PRE, Population

_FEATURES = ("accuracy", "size")
"""Size is kernel parameters of topologies, total width of sizes."""

_THIRDS = ("least accurate third", "middle third", "most accurate third")


class _Compared(NamedTuple):
    """A population, its calibrators, and what each leaves of the measurement.

    Attributes:
        population: The networks.
        calibrators: Their calibrators, none first.
        values: The measurement with each.
        gains: Tau-b of what a calibrator takes off the measurement and each of :data:`_FEATURES`, by calibrator.
    """

    population: Population
    calibrators: tuple[str, ...]
    values: Float64[np.ndarray, "networks calibrators"]
    gains: Mapping[str, Estimates]

    @property
    def best(self) -> Int64[np.ndarray, " networks"]:
        """The place of the calibrator that leaves least of each network, -1 where none has a value."""
        known = ~np.isnan(self.values).all(axis=1)
        filled = np.where(np.isnan(self.values), np.inf, self.values)
        return np.where(known, filled.argmin(axis=1), -1)


def calibrators_compared(populations: Sequence[Population], column: str = "NLL") -> Answer:
    """Return what each calibrator leaves of a measurement, and which is best for how many networks of what accuracy.

    Args:
        populations: The networks with all of their calibrators, with resamples where these were measured.
        column: The measurement, lower is better; a proper score tells calibrators apart without favouring those that
            give up on telling classes apart.
    """
    compared = [found for each in populations if (found := _compare(each, column)) is not None]
    if not compared:
        return missing(
            f"No networks with {column} and two calibrators: `harness run "
            "study.calibrators=[none,temperature,vector,isotonic]` fits them, `harness measure` adds them to networks "
            "whose logits were kept."
        )
    table = pd.DataFrame(line for each in compared for line in _lines(each, column))
    return Answer(_figure(compared, column), _finding(compared, column), table)


def _compare(population: Population, column: str) -> _Compared | None:
    order = [PRE, *sorted(set(population.scores) - {PRE})]
    calibrators = tuple(name for name in order if population.has(column, name))
    if len(calibrators) < 2:
        return None
    values = population.matrix([(name, column) for name in calibrators])
    gains = {name: _taus_of_gain(population, column, name) for name in calibrators}
    return _Compared(population, calibrators, values, gains)


def _lines(compared: _Compared, column: str) -> list[dict[str, object]]:
    population, calibrators, values, _ = compared
    before, scale = population.values(column), quantity(column).scale
    lines = []
    for i, name in enumerate(calibrators):
        after = values[:, i]
        both = ~np.isnan(after) & ~np.isnan(before)
        line: dict[str, object] = {"networks": population.name, "calibrator": name}
        line |= {"n": np.count_nonzero(~np.isnan(after))}
        quartiles = scale * np.nanpercentile(after, [25, 50, 75])
        line |= dict(zip(("25 %", "median", "75 %"), quartiles, strict=True))
        line |= {"best for (%)": 100 * float(np.mean(compared.best == i))}
        line |= {"worse than none (%)": 100 * float(np.mean(after[both] > before[both])) if both.any() else np.nan}
        taus = compared.gains[name].value
        line |= {f"tau of gain and {feature}": tau for feature, tau in zip(_FEATURES, taus, strict=True)}
        lines.append(line)
    return lines


def _taus_of_gain(population: Population, column: str, calibrator: str) -> Estimates:
    """Return tau-b of what a calibrator takes off the measurement and each of :data:`_FEATURES`."""
    beside = population.beside(_size(population), [(PRE, column), (calibrator, column), (PRE, "acc")])
    return with_intervals(_both_taus, *beside, is_sample=population.is_sample)


def _both_taus(values: Float64[np.ndarray, "networks 4"]) -> Float64[np.ndarray, " 2"]:
    """Return them, of columns that are size, the measurement before and after, and accuracy."""
    size, before, after, accuracy = values.T
    if np.count_nonzero(~np.isnan(before - after)) < FEWEST:
        return np.full(2, np.nan)
    return np.array([kendall_tau(before - after, accuracy), kendall_tau(before - after, size)])


def _size(population: Population) -> Float64[np.ndarray, " networks"]:
    """Return the size of each network: kernel parameters of topologies, total width of sizes."""
    if population.space == "tss":
        return population.networks["kernel_parameters"].to_numpy(dtype=np.float64)
    return total_width(population)


def _figure(compared: Sequence[_Compared], column: str) -> Figure:
    with house_style():
        figure, axes = plt.subplots(len(compared), 2, figsize=(12.0, 4.2 * len(compared)), squeeze=False)
        names = sorted({name for each in compared for name in each.calibrators}, key=lambda name: (name != PRE, name))
        colours = {name: LINE_COLOURS[i % len(LINE_COLOURS)] for i, name in enumerate(names)}
        for row, each in zip(axes, compared, strict=True):
            _draw_boxes(row[0], each, column, colours)
            row[0].set_title(population_title(each.population))
            _draw_thirds(row[1], each, colours)
            row[1].set_title(f"which leaves the least {column}")
    plt.close(figure)
    return figure


def _draw_boxes(axes: Axes, compared: _Compared, column: str, colours: Mapping[str, str]) -> None:
    """Draw the distribution of the measurement over networks for each calibrator."""
    shown = quantity(column)
    each = [shown.scale * values[~np.isnan(values)] for values in compared.values.T]
    axes.boxplot(each, whis=(5, 95), showfliers=False, patch_artist=True, medianprops={"color": "black"})
    for name, box in zip(compared.calibrators, axes.patches, strict=True):
        box.set_facecolor(colours[name])
    axes.set_xticks(range(1, len(each) + 1), compared.calibrators, rotation=30, ha="right")
    axes.set_ylabel(shown.label(column))
    if all(len(values) for values in each) and min(values.min() for values in each) > 0:
        axes.set_yscale("log")
    axes.grid(visible=False, axis="x")


def _draw_thirds(axes: Axes, compared: _Compared, colours: Mapping[str, str]) -> None:
    """Draw for each third of the networks by accuracy for how many each calibrator is best."""
    thirds = _thirds(compared.population)
    left = np.zeros(len(thirds))
    for i, name in enumerate(compared.calibrators):
        shares = np.array([100 * np.mean(compared.best[third] == i) if len(third) else 0.0 for third in thirds])
        axes.barh(range(len(thirds)), shares, left=left, color=colours[name], label=name)
        left += shares
    axes.set_yticks(range(len(thirds)), _THIRDS)
    axes.set(xlabel="networks (%)", xlim=(0, 100))
    axes.grid(visible=False)
    axes.legend(fontsize=7, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.18))


def _thirds(population: Population) -> list[Int64[np.ndarray, " n"]]:
    """Return the places of the networks of each third by accuracy, the least accurate first."""
    return np.array_split(population.by_accuracy()[::-1], len(_THIRDS))


def _of_how_many(compared: _Compared, calibrator: str) -> str:
    n = np.count_nonzero(~np.isnan(compared.values[:, compared.calibrators.index(calibrator)]))
    return "" if n == len(compared.population) else f" of {n:,} networks"


def _gain_texts(compared: _Compared, column: str) -> Iterator[str]:
    """Yield how what each calibrator takes off goes with each feature, in words."""
    for place, feature in enumerate(_FEATURES):
        taus = {name: with_ends("tau", found, (place,)) for name, found in compared.gains.items()}
        known = [
            f"{name} {number_text(line)}{_of_how_many(compared, name)}"
            for name, line in taus.items()
            if not np.isnan(line["tau"])
        ]
        if known:
            yield f"{compared.population.name}: tau of {feature} and what is taken off {column}: {', '.join(known)}"


def _finding(compared: Sequence[_Compared], column: str) -> Note:
    lines = []
    for each in compared:
        shares = [100 * float(np.mean(each.best == i)) for i in range(len(each.calibrators))]
        medians = quantity(column).scale * np.nanmedian(each.values, axis=0)
        most, least = int(np.argmax(shares)), int(np.nanargmin(medians))
        before = f", {medians[0]:.3f} before calibration" if each.calibrators[0] == PRE else ""
        lines.append(described(each.population))
        lines.append(
            f"{each.population.name}: {each.calibrators[most]} leaves the least {column} of {shares[most]:.0f} % of "
            f"the networks; the median is lowest with {each.calibrators[least]} ({medians[least]:.3f}{before})"
        )
        lines += _gain_texts(each, column)
    follows = [
        "A calibrator that is best for most networks of every third is a safe choice. Where the thirds differ, the "
        "calibrator is part of the comparison: networks ranked after one are not those ranked after another."
    ]
    does_not = [
        "Calibrators with many parameters need many images to be fitted: their order here is that at this number of "
        "images. Those that bin give probabilities of 0, and where the true class has it NLL is infinite, stored as "
        "unknown: n says of how many networks it is known. Brier and KSCE are always known.",
    ]
    return finding(lines, follows, [*does_not, *few_networks([each.population for each in compared])])
