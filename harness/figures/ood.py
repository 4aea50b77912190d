"""Can networks tell other images from those that they know? Out-of-distribution detection, per condition."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures.note import Note
from harness.figures.quantity import Quantity, quantity
from harness.figures.settings import MODEL, expect_one_setting, expect_same_setting
from harness.figures.style import (
    GREY,
    SPACE_COLOURS,
    SPACE_MARKERS,
    house_style,
    line_key,
    networks,
    scatter,
    space_keys,
    spaces_of,
)

DETECTION_COLUMNS = {
    name: quantity(name).label(called)
    for name, called in (
        ("ood_auroc", "AUROC"),
        ("ood_aupr", "AUPR"),
        ("ood_fpr95", "FPR95"),
        ("ood_auroc_max_prob", "AUROC, max. probability"),
        ("ood_auroc_energy", "AUROC, energy"),
    )
}
"""The columns of the store that are shown, and what they are called; the first three score by predictive entropy."""

_NO_ROWS = Note(
    "No rows of out-of-distribution images before calibration: "
    "`harness run study.conditions=[unshifted,ood_uniform]` makes some; `conf/config.yaml` names other conditions."
)
_FEW = 300
"""Up to so many networks each is a point; of more, boxes say enough."""
_TALL = 24
"""Up to so many boxes there is room for each."""
_MOST_PANELS = 6


def ood_detection(rows: pd.DataFrame, column: str = "ood_auroc") -> Figure | Note:
    """Return the distribution over networks of how well each condition is detected, a box per condition and space.

    Boxes hold the middle half of the networks, whiskers reach from the 5th to the 95th percentile. The best detected
    condition comes first.

    Args:
        rows: Measurement rows of one setting but for the condition; those before calibration are shown.
        column: The area under the receiver operating characteristic of a score.

    Raises:
        ValueError: The rows are of several settings.
    """
    shown = _detected(rows, column)
    if shown.empty:
        return _NO_ROWS
    order = _conditions(shown, column)
    spaces = spaces_of(shown)
    n_boxes = len(order) * len(spaces)
    with house_style():
        figure, axes = plt.subplots(figsize=(8.4, 1.7 + (0.34 if n_boxes <= _TALL else 0.18) * n_boxes))
        for i, space in enumerate(spaces):
            centre = (i + 0.5) / len(spaces) - 0.5  # of the box, from the condition's place
            _boxes(axes, shown.loc[shown["space"] == space, :], column, order, centre, 0.7 / len(spaces))
        axes.axvline(50, color=GREY, linestyle="--", linewidth=1)
        axes.set_yticks(range(len(order)), order)
        axes.set(ylim=(len(order) - 0.5, -0.5), xlabel=f"{DETECTION_COLUMNS.get(column, column)}, before calibration")
        axes.set_title("How well shifted images are told from unshifted ones")
        axes.grid(visible=False, axis="y")
        figure.legend(handles=[*space_keys(shown), line_key("chance")], loc="outside lower center", ncols=3)
    plt.close(figure)
    return figure


def ood_against_accuracy(rows: pd.DataFrame, unshifted: pd.DataFrame, column: str = "acc") -> Figure | Note:
    """Return detection against accuracy on unshifted images, one point per network and a panel per condition.

    Networks of less than half the median accuracy are left out and counted in the title: they guess, and would press
    all others into a corner. At most six conditions are drawn, those without labels first, then by name.

    Args:
        rows: Measurement rows of one setting but for the condition; those before calibration are shown.
        unshifted: Rows of the same networks on unshifted images.
        column: What of the unshifted rows is on the x axis: the accuracy or a calibration error.

    Raises:
        ValueError: The rows are of several settings.
    """
    detected = _detected(rows, "ood_auroc")
    conditions = _unlabelled_first(detected)
    drawn = conditions[:_MOST_PANELS]
    shown = _with_unshifted(detected.loc[detected["shown_as"].isin(drawn), :], unshifted, column)
    if shown.empty:
        return Note("No network has rows of both out-of-distribution and unshifted images before calibration.")
    able_from = shown["accuracy"].median() / 2
    able = shown.loc[shown["accuracy"] >= able_from, :]
    name, of_column = "accuracy" if column == "acc" else column, quantity(column)
    lines = [f"Detection against {name} on unshifted images, before calibration"]
    n_left_out = len(shown.drop_duplicates(MODEL)) - len(able.drop_duplicates(MODEL))
    if n_left_out:
        lines.append(f"{networks(n_left_out)} of less than {100 * able_from:.0f} % accuracy left out")
    if len(conditions) > len(drawn):
        lines.append(f"the first {len(drawn)} of {len(conditions)} conditions")
    with house_style():
        figure = _condition_panels(able, drawn, name, of_column)
        figure.suptitle("\n".join(lines), fontsize=11)
        figure.legend(handles=[*space_keys(able), line_key("chance")], loc="outside lower center", ncols=3)
    plt.close(figure)
    return figure


def ood_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line per condition and space: networks, medians of the detection measurements, the best detected first.

    Args:
        rows: Measurement rows of one setting but for the condition; those before calibration are shown.

    Raises:
        ValueError: The rows are of several settings.
    """
    shown = _detected(rows, "ood_auroc")
    medians = 100 * shown.groupby(["shown_as", "space"])[list(DETECTION_COLUMNS)].median()
    counted = shown.groupby(["shown_as", "space"]).size()
    table = medians.assign(networks=counted)[["networks", *DETECTION_COLUMNS]].reset_index()
    table = table.sort_values("ood_auroc", ascending=False, kind="stable", ignore_index=True)
    return table.rename(columns={"shown_as": "condition", **DETECTION_COLUMNS})


def _detected(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows before calibration that hold a detection measurement, with the name of their condition."""
    expect_one_setting(rows, apart_from=["condition", "severity"])
    found = rows.loc[rows["calibrator"] == "none", :].dropna(subset=[column])
    names = [
        f"{condition}, severity {severity}" if severity else str(condition)
        for condition, severity in zip(found["condition"], found["severity"], strict=True)
    ]
    return found.assign(shown_as=names)


def _unlabelled_first(detected: pd.DataFrame) -> list[str]:
    """Return the names of the conditions, those without labels first."""
    each = detected.drop_duplicates("shown_as")
    return each.assign(is_labelled=each["acc"].notna()).sort_values(["is_labelled", "shown_as"])["shown_as"].tolist()


def _with_unshifted(detected: pd.DataFrame, unshifted: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the detected rows, with what was measured of their networks on unshifted images: accuracy and ``x``."""
    expect_one_setting(unshifted)
    expect_same_setting(detected, unshifted)
    before = unshifted.loc[unshifted["calibrator"] == "none", :]
    known = before.assign(accuracy=before["acc"], x=before[column])[[*MODEL, "accuracy", "x"]].dropna()
    return detected.merge(known, on=MODEL, validate="many_to_one")


def _condition_panels(rows: pd.DataFrame, drawn: list[str], x_name: str, of_x: Quantity) -> Figure:
    """Return a figure with a scatter of each condition, at most three side by side; four make a square."""
    n_across = 2 if len(drawn) == 4 else min(3, len(drawn))
    n_down = -(-len(drawn) // n_across)
    size = (max(6.4, 3.2 * n_across), 3.0 * n_down + 1.4)
    figure, all_axes = plt.subplots(n_down, n_across, figsize=size, squeeze=False, sharex=True, sharey=True)
    for axes, condition in zip(all_axes.flat, drawn, strict=False):
        scatter(
            axes,
            rows.loc[rows["shown_as"] == condition, :],
            "x",
            "ood_auroc",
            (of_x.scale, quantity("ood_auroc").scale),
        )
        axes.axhline(50, color=GREY, linestyle="--", linewidth=1)
        axes.set(title=condition, xlabel=of_x.label(x_name))
        axes.tick_params(labelbottom=True)
    for axes in all_axes[:, 0]:
        axes.set_ylabel(DETECTION_COLUMNS["ood_auroc"])
    for axes in all_axes.flat[len(drawn) :]:
        axes.axis("off")
    return figure


def _conditions(shown: pd.DataFrame, column: str) -> list[str]:
    """Return the names of the conditions, the best detected first."""
    medians = shown.groupby("shown_as", as_index=False).agg(median=(column, "median"))
    return medians.sort_values(["median", "shown_as"], ascending=[False, True])["shown_as"].tolist()


def _boxes(axes: Axes, rows: pd.DataFrame, column: str, order: list[str], centre: float, width: float) -> None:
    """Draw the boxes of a space, and its networks as points where they are few."""
    space = str(rows["space"].iloc[0])
    values = [np.sort(100 * rows.loc[rows["shown_as"] == condition, column].to_numpy()) for condition in order]
    places = np.arange(len(order)) + centre
    axes.boxplot(
        values,
        positions=places,
        widths=width,
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "white", "edgecolor": SPACE_COLOURS[space]},
        medianprops={"color": SPACE_COLOURS[space], "linewidth": 2},
        whiskerprops={"color": SPACE_COLOURS[space]},
        capprops={"color": SPACE_COLOURS[space]},
        manage_ticks=False,
    )
    for place, found in zip(places, values, strict=True):
        if len(found) <= _FEW:
            spread = place + width * np.random.default_rng(0).uniform(-0.35, 0.35, len(found))
            axes.scatter(
                found,
                spread,
                s=14,
                alpha=0.6,
                color=SPACE_COLOURS[space],
                marker=SPACE_MARKERS[space],
                linewidth=0,
                zorder=3,
            )
