"""How a column of the store is shown: its unit, its scale and which direction is better, from the dictionary."""

from typing import NamedTuple

from harness.metrics import MEASUREMENTS, Measurement

_ROWS = {row.name: row for row in MEASUREMENTS}


class Quantity(NamedTuple):
    """How the values of a column are shown.

    Attributes:
        unit: Unit on the axes, such as ``points``; empty where there is none.
        scale: What values are multiplied with.
        higher_is_better: Direction, None where neither is better.
    """

    unit: str
    scale: float
    higher_is_better: bool | None

    def label(self, text: str) -> str:
        """Return the label of an axis: a text, and the unit in parentheses."""
        return f"{text} ({self.unit})" if self.unit else text


def quantity(column: str) -> Quantity:
    """Return how a column is shown: shares in percent, gaps between shares in points, anything else as it is.

    Args:
        column: A measurement; of any other column neither unit nor direction are known.

    Example:
        >>> quantity("ECE_15").label("ECE_15"), quantity("acc").label("accuracy"), quantity("NLL").label("NLL")
        ('ECE_15 (points)', 'accuracy (%)', 'NLL (nats)')
    """
    row = _ROWS.get(column)
    if row is None:
        return Quantity("", 1.0, None)
    if row.unit in ("nat", "probability^2"):
        return Quantity({"nat": "nats"}.get(row.unit, ""), 1.0, row.higher_is_better)
    return Quantity("points" if _is_gap(row) else "%", 100.0, row.higher_is_better)


def _is_gap(row: Measurement) -> bool:
    """Return whether a measurement is a difference of two probabilities: those are errors, or may be negative."""
    return row.unit == "probability" and (row.higher_is_better is False or row.lower is None or row.lower < 0)


def columns_at_bin_counts(metric: str) -> dict[int, str]:
    """Return the column of a binned measurement at each number of bins.

    Example:
        >>> columns_at_bin_counts("over_confidence")
        {15: 'over_confidence_15'}
    """
    return {row.n_bins: row.name for row in MEASUREMENTS if row.metric == metric and row.n_bins is not None}
