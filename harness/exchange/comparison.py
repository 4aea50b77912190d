"""How two tables of measurements of the same networks differ: in values, and in how they rank the networks."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.errors import StoreError
from harness.exchange.sides import NETWORK, OWN, PLACE, Shown, Side
from harness.statistics import kendall_tau, spearman_rho

_MOST_SHOWN = 6


class Agreement(NamedTuple):
    """How two sides agree in one measurement of the networks that both have.

    Attributes:
        space: Search space.
        dataset: Data set that the networks were trained on.
        condition: What they were shown.
        strength: Severity of a corruption, bound of an attack in 1/255, 0 where the condition has none.
        calibrator: Calibrator of the predictions.
        measurement: The measurement.
        n: Networks of which both sides have a value.
        median_difference: Median of the second side minus the first.
        largest_difference: The difference of largest size, with its sign.
        largest_at: Index of the architecture where it is.
        tau: Kendall's tau-b; None where a side is constant or there are fewer than two networks.
        spearman: Spearman's rank correlation; None where tau is.
    """

    space: str
    dataset: str
    condition: str
    strength: float
    calibrator: str
    measurement: str
    n: int
    median_difference: float
    largest_difference: float
    largest_at: int
    tau: float | None
    spearman: float | None


def compare(first: Side, second: Side) -> list[Agreement]:
    """Return how two sides agree, a line for each data set, condition, calibrator and measurement that both have.

    Our own rows on both sides are joined by all of their key but source, protocol and fingerprint; with an imported
    table on one side, by architecture, data set, condition and calibrator.

    Args:
        first: The side that is subtracted.
        second: The other one.

    Raises:
        StoreError: They share no value, or one has several rows of a network.
    """
    key = [*NETWORK, *(OWN[1:] if first.is_own and second.is_own else ())]
    for side in (first, second):
        _refuse_several(side, key)
    shared = [shown for shown in first.parts if shown in second.parts]
    lines = [line for shown in shared for line in _of_part(shown, first.parts[shown], second.parts[shown], key)]
    if not lines:
        raise StoreError(f"nothing is shared: {_described(first)}; {_described(second)}")
    return sorted(lines, key=lambda line: line[: len(PLACE)])


def _of_part(shown: Shown, first: pd.DataFrame, second: pd.DataFrame, key: list[str]) -> Iterator[Agreement]:
    """Yield the lines of one condition and calibrator, in the order of the measurements."""
    names = [name for name in first.columns if name in second.columns and name not in (*NETWORK, *OWN)]
    both = first[[*key, *names]].merge(second[[*key, *names]], on=key, suffixes=("_first", "_second"))
    for name in names:
        sides = [f"{name}_first", f"{name}_second"]
        for _, rows in both.dropna(subset=sides).groupby(list(PLACE)):
            x, y = rows.filter(items=sides).to_numpy(dtype=np.float64).T
            largest = int(np.argmax(np.abs(y - x)))
            yield Agreement(
                space=rows["space"].iat[0],
                dataset=rows["dataset"].iat[0],
                **shown._asdict(),
                measurement=name,
                n=len(x),
                median_difference=float(np.median(y - x)),
                largest_difference=float(y[largest] - x[largest]),
                largest_at=int(rows["arch_index"].iat[largest]),
                tau=_known(kendall_tau(x, y)),
                spearman=_known(spearman_rho(x, y)),
            )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _refuse_several(side: Side, key: list[str]) -> None:
    """Refuse a side with several rows of a network, of which nobody said which one is meant.

    Raises:
        StoreError: There are.
    """
    for rows in side.parts.values():
        if rows.duplicated(key).any():
            several = {name: sorted(map(str, rows[name].drop_duplicates())) for name in OWN}
            shown = "; ".join(f"{name}={', '.join(values)}" for name, values in several.items() if len(values) > 1)
            raise StoreError(f"{side.name} has several rows of one network: choose with --only among {shown}")


def _described(side: Side) -> str:
    """Return what a side holds, for messages."""
    if not side.parts:
        return f"{side.name} has no rows"
    places = sorted(
        {"/".join(row) for rows in side.parts.values() for row in rows[list(PLACE)].drop_duplicates().to_numpy()}
    )
    shown = sorted({f"{part.condition} ({part.calibrator})" for part in side.parts})
    more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
    return f"{side.name} has {', '.join(places)} with {', '.join(shown[:_MOST_SHOWN])}{more}"
