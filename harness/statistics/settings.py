"""Which of several settings of one study is meant where none is named."""

from collections.abc import Sequence

import pandas as pd

USUAL = {"split": "random20", "split_seed": 42, "label_set": "original", "precision": "float32"}
"""Split, labels and precision of the published study."""


def most_complete_first(counted: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return settings ordered: those of most networks first, of equals the usual one, then by the columns.

    Args:
        counted: A line per setting, with the number of its ``networks`` and the columns of :data:`USUAL`.
        columns: What a setting is made of.

    Example:
        >>> lines = [(42, 3), (7, 3), (8, 4)]
        >>> settings = pd.DataFrame([{**USUAL, "split_seed": seed, "networks": n} for seed, n in lines])
        >>> most_complete_first(settings, ["split_seed"])["split_seed"].tolist()
        [8, 42, 7]
    """
    unusual = sum((counted[name] != usual).astype(int) for name, usual in USUAL.items())
    order = ["networks", "unusual", *columns]
    ordered = counted.assign(unusual=unusual).sort_values(order, ascending=[False] + [True] * (len(order) - 1))
    return ordered.drop(columns="unusual")
