"""``harness compare A B``: how two stores, protocols or imported tables differ, measurement by measurement."""

import argparse
import csv
import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from harness.atomic import write_file
from harness.cli.only import filters
from harness.cli.output import print_table, say
from harness.config import Settings
from harness.errors import ConfigError
from harness.exchange.comparison import Agreement, compare
from harness.exchange.sides import COMPARED, Side, find_side
from harness.store import open_store

_COLUMNS = ("condition", "calibrator", "measurement", "n", "median B-A", "largest B-A", "at", "tau", "Spearman")


def compare_sides(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print how two sides agree, and write it to a file if told so; return 0."""
    chosen = filters(arguments.only)
    wanted = None if arguments.all else COMPARED
    words = (arguments.first, arguments.second)
    first, second = (find_side(word, lambda: open_store(str(settings.store)), chosen, wanted) for word in words)
    lines = compare(first, second)
    for (space, dataset), of_place in groupby(lines, key=lambda line: (line.space, line.dataset)):
        title = f"{space}, {dataset}: A = {first.name}, B = {second.name}"
        print_table(title, _COLUMNS, [_cells(line) for line in of_place])
    for side in (first, second):
        _say_what_was_left_out(side)
    if arguments.out is not None:
        _write(Path(arguments.out), lines)
    return 0


def _say_what_was_left_out(side: Side) -> None:
    if side.n_copies:
        say(f"{side.name}: {side.n_copies:,} rows left out, which repeat the numbers of an isomorphic network")


def _cells(line: Agreement) -> tuple[object, ...]:
    shown = f"{line.condition} {line.strength:g}" if line.strength else line.condition
    return (
        *(shown, line.calibrator, line.measurement, line.n),
        *(_signed(line.median_difference), _signed(line.largest_difference), str(line.largest_at)),
        *(_rank(line.tau), _rank(line.spearman)),
    )


def _signed(value: float) -> str:
    """Return a difference with its sign in three significant digits.

    Example:
        >>> _signed(-0.0012345), _signed(0.0)
        ('-0.00123', '0')
    """
    return f"{value:+.3g}" if value else "0"


def _rank(value: float | None) -> str:
    """Return a rank correlation.

    Example:
        >>> _rank(0.98765), _rank(None)
        ('+0.988', 'none')
    """
    return "none" if value is None else f"{value:+.3f}"


def _write(path: Path, lines: Sequence[Agreement]) -> None:
    if path.suffix != ".csv":
        raise ConfigError(f"--out: expected a file that ends in .csv, got {path}")
    if path.exists():
        raise ConfigError(f"--out: {path} is there already; remove it or give another name")
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerows([Agreement._fields, *lines])
    write_file(path, written.getvalue().encode())
    say(f"written: {path}")
