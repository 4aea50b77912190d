"""``--only COLUMN=VALUE``: which rows a command takes, as filters of the store's methods."""

import argparse
from collections.abc import Sequence

from harness.errors import ConfigError
from harness.store.filters import Filter

_COLUMNS = (
    "source", "space", "arch_index", "dataset", "hp", "seed", "split", "split_seed", "label_set", "precision",
    "fingerprint",
)  # fmt: skip
_WHOLE_NUMBERS = ("arch_index", "seed", "split_seed")


def add_only(parser: argparse.ArgumentParser) -> None:
    """Give a command the option, which may be written several times."""
    meaning = f"take rows with this value alone; columns are {', '.join(_COLUMNS)}; values of one column add up"
    parser.add_argument("--only", metavar="COLUMN=VALUE", action="append", default=[], help=meaning)


def filters(words: Sequence[str]) -> dict[str, Filter]:
    """Return the values that each column may have.

    Args:
        words: What was written.

    Raises:
        ConfigError: A word has another form, names another column, or has no whole number where one belongs.

    Example:
        >>> filters(["hp=200", "seed=777", "seed=888"])
        {'hp': ('200',), 'seed': (777, 888)}
    """
    found: dict[str, list[str | int]] = {}
    for word in words:
        column, _, value = word.partition("=")
        if column not in _COLUMNS or not value:
            raise ConfigError(f"--only: expected COLUMN=VALUE with a column among {', '.join(_COLUMNS)}, got {word!r}")
        if column in _WHOLE_NUMBERS and not value.isdecimal():
            raise ConfigError(f"--only: expected a whole number for {column}, got {value!r}")
        found.setdefault(column, []).append(int(value) if column in _WHOLE_NUMBERS else value)
    return {column: tuple(values) for column, values in found.items()}
