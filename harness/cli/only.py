"""``--only COLUMN=VALUE``: which rows a command takes, as filters of the store's methods."""

from collections.abc import Sequence

from harness.cli.parser import ONLY_COLUMNS
from harness.errors import ConfigError
from harness.store.filters import Filter

_WHOLE_NUMBERS = ("arch_index", "seed", "split_seed")


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
        if column not in ONLY_COLUMNS or not value:
            raise ConfigError(
                f"--only: expected COLUMN=VALUE with a column among {', '.join(ONLY_COLUMNS)}, got {word!r}"
            )
        if column in _WHOLE_NUMBERS and not value.isdecimal():
            raise ConfigError(f"--only: expected a whole number for {column}, got {value!r}")
        found.setdefault(column, []).append(int(value) if column in _WHOLE_NUMBERS else value)
    return {column: tuple(values) for column, values in found.items()}
