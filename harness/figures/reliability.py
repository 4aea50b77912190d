"""Is a network's confidence its accuracy? Reliability diagrams from the bins that the store holds."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.figures.note import Note
from harness.figures.settings import expect_one_setting
from harness.figures.style import BARS, OVER, PHASE_LABELS, UNDER, diagonal, house_style, line_key

_N_BINS = 15
_FEW = 10
_PANEL_INCHES = (3.7, 3.9)


_ROLES = ("the most accurate", "of median accuracy", "the worst calibrated of the accurate half")


class Network(NamedTuple):
    """One trained network among rows of one setting, and why it is shown."""

    space: str
    arch_index: int
    seed: int
    role: str = ""


def notable_networks(rows: pd.DataFrame) -> list[Network]:
    """Return the networks that tell most: the most accurate, the median one, the worst calibrated of the accurate half.

    The median is that of the accuracy; worst calibrated is that of the highest ECE_15 before calibration among the
    networks of at least median accuracy. Of equals the first counts, and no network is listed twice.

    Args:
        rows: Measurement rows of one setting.

    Raises:
        ValueError: The rows are of several settings.
    """
    expect_one_setting(rows)
    first = min(rows["calibrator"], key=_phase_order, default="none")
    keys = ["space", "arch_index", "seed"]
    ranked = rows.loc[rows["calibrator"] == first].dropna(subset=["acc", "ECE_15"])
    ranked = ranked.sort_values(["acc", *keys], ascending=[False, True, True, True], ignore_index=True)
    if ranked.empty:
        return []
    median = (len(ranked) - 1) // 2
    picked = [0, median, int(ranked.loc[:median, "ECE_15"].idxmax())]
    roles: dict[int, list[str]] = {}
    for i, role in zip(picked, _ROLES, strict=True):
        roles.setdefault(i, []).append(role)
    return [
        Network(str(space), int(index), int(seed), ", ".join(roles[i]))
        for i, space, index, seed in ranked.loc[list(roles), keys].itertuples()
    ]


def reliability_diagrams(
    rows: pd.DataFrame,
    chosen: Sequence[Network | tuple[str, int, int]],
    calibrators: Sequence[str] = ("none", "temperature"),
) -> Figure | Note:
    """Return the reliability diagrams of some networks, 15 equal-width bins of the confidence.

    A line per network, a column per calibrator that the rows have, both in the order given.

    Args:
        rows: Measurement rows of one setting.
        chosen: The networks, as (space, arch_index, seed) too.
        calibrators: Names of calibrators, ``none`` for before calibration.

    Raises:
        ValueError: The rows are of several settings, or a chosen network is not among them.
    """
    expect_one_setting(rows)
    if not chosen:
        return Note("No measurement rows: `harness run` makes them.")
    present = set(rows["calibrator"])
    phases = [name for name in calibrators if name in present]
    if not phases:
        return Note(f"No rows of {', '.join(calibrators)}; the rows have {', '.join(sorted(present))}.")
    lines = [(network, line) for network in map(_as_network, chosen) for line in _rows_of(rows, network)]
    with house_style():
        width, height = _PANEL_INCHES
        size = (width * len(phases), height * len(lines) + 0.5)
        figure, all_axes = plt.subplots(len(lines), len(phases), figsize=size, squeeze=False, sharex=True, sharey=True)
        for (network, line), line_axes in zip(lines, all_axes, strict=True):
            _draw_line(line, list(line_axes), phases, network.role)
        for axes in all_axes[-1]:
            axes.set_xlabel("confidence (fraction)")
        figure.legend(handles=_keys(), loc="outside lower center", ncols=4)
    plt.close(figure)
    return figure


def _phase_order(calibrator: str) -> tuple[bool, str]:
    return calibrator != "none", calibrator


def _as_network(chosen: Network | tuple[str, int, int]) -> Network:
    return chosen if isinstance(chosen, Network) else Network(*chosen)


def _rows_of(rows: pd.DataFrame, network: Network) -> list[pd.DataFrame]:
    """Return the rows of a network, once for each archive that holds one of that name."""
    space, arch_index, seed, _ = network
    named = (rows["space"] == space) & (rows["arch_index"] == arch_index) & (rows["seed"] == seed)
    found = rows.loc[named, :]
    if found.empty:
        raise ValueError(f"expected networks among the rows, got {space} {arch_index}, seed {seed}, which has none")
    return [found.loc[found["source"] == source, :] for source in sorted(set(found["source"]))]


def _draw_line(line: pd.DataFrame, line_axes: Sequence[Axes], phases: Sequence[str], role: str) -> None:
    """Draw a network, a panel per phase; a phase that it lacks stays empty."""
    for axes, phase in zip(line_axes, phases, strict=True):
        of_phase = line[line["calibrator"] == phase]
        if of_phase.empty:
            axes.axis("off")
        else:
            _diagram(axes, of_phase.iloc[0], role)
    line_axes[0].set_ylabel("accuracy in the bin (fraction)")


def _diagram(axes: Axes, row: pd.Series, role: str) -> None:
    count = np.asarray(row["bin15_count"], dtype=float)
    filled = count > 0
    confidence = np.asarray(row["bin15_confidence"], dtype=float)[filled]
    accuracy = np.asarray(row["bin15_accuracy"], dtype=float)[filled]
    centre = ((np.arange(_N_BINS) + 0.5) / _N_BINS)[filled]
    width = 1 / _N_BINS
    strength = np.where(count[filled] < _FEW, 0.35, 1.0)
    axes.bar(centre, accuracy, width=width, color=[to_rgba(BARS, a) for a in strength], edgecolor="white")
    gap = confidence - accuracy
    colours = [to_rgba(OVER if g > 0 else UNDER, 0.75 * a) for g, a in zip(gap, strength, strict=True)]
    axes.bar(centre, gap, bottom=accuracy, width=width * 0.5, color=colours)
    for x, y, n in zip(centre, np.maximum(accuracy, confidence), count[filled], strict=True):
        axes.annotate(f"{int(n)}", (x, y), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7)
    diagonal(axes, 1.0)
    calibrator = str(row["calibrator"])
    axes.set(xlim=(0, 1), ylim=(0, 1.06), aspect="equal")
    axes.set_title(
        f"{row['space']} {row['arch_index']} on {row['dataset']}, seed {row['seed']}\n"
        + (f"{role}\n" if role else "")
        + f"{PHASE_LABELS.get(calibrator, calibrator)}\n"
        f"accuracy {100 * row['acc']:.1f} %, ECE_15 {100 * row['ECE_15']:.2f} points",
        fontsize=10,
    )


def _keys() -> list[Patch | Line2D]:
    return [
        Patch(color=BARS, label="accuracy"),
        Patch(color=OVER, label="over-confident by"),
        Patch(color=UNDER, label="under-confident by"),
        line_key("calibrated"),
    ]
