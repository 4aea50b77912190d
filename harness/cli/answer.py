"""How the answer to a query is printed: in one line per row where it fits, else in one line per column."""

import os
import sys
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from harness.cli.output import console, say

_OFF_TERMINAL = 120
_GAP = 3  # cells that the box takes around a column
_WIDEST = 40  # cells of a value where it has to be cut
_DIGITS = 6


def print_answer(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under the names of their columns; where these do not fit side by side, print columns as lines.

    Floats have six significant digits; whole numbers stand as SQL takes them; null is blank. A value stands in one
    line, and is cut, with an ellipsis, only where it does not fit otherwise. Of a tall table, columns that are null in
    all rows are left out, and it says so.
    """
    if not rows:
        say(f"no rows; columns: {', '.join(columns)}")
        return
    width = _width()
    cells = [[_shown(value) for value in row] for row in rows]
    for widest in (width, _WIDEST):
        cut = [[_cut(cell, widest) for cell in row] for row in cells]
        if _natural_width(columns, cut) <= width:
            _print(columns, cut, _is_numeric(columns, rows))
            return
    _print_tall(columns, cells, width)


def _print_tall(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> None:
    """Print a line per column, and as many rows side by side as fit."""
    names = max(map(cell_len, columns)) + _GAP
    fit = max(1, (width - names) // (_WIDEST + _GAP))
    shown, room = cells[:fit], max(_WIDEST, (width - names) // min(fit, len(cells)) - _GAP)
    lines = [[name, *(_cut(row[i], room) for row in shown)] for i, name in enumerate(columns)]
    filled = [line for line in lines if any(line[1:])]
    _print(["column", *(f"row {i + 1}" for i in range(len(shown)))], filled, [False] * (len(shown) + 1))
    if len(shown) < len(cells):
        say(f"... {len(shown)} of {len(cells)} rows: {len(columns)} columns do not fit side by side; name fewer")
    if len(filled) < len(lines):
        say(f"not shown: {len(lines) - len(filled)} columns that are null in these rows")


def _width() -> int:
    """Return the cells of a line: those of the terminal, else ``COLUMNS``, else 120."""
    if sys.stdout.isatty():
        return console().width
    written = os.environ.get("COLUMNS", "")
    return int(written) if written.isdecimal() and int(written) else _OFF_TERMINAL


def _shown(value: object) -> str:
    """Return a value as text.

    Example:
        >>> [_shown(value) for value in (None, 1462, 0.02849743855267839, True, "digits", [0.123456789, None])]
        ['', '1462', '0.0284974', 'True', 'digits', '[0.123457, ]']
    """
    match value:
        case None:
            return ""
        case float():
            return f"{value:.{_DIGITS}g}"
        case list() | tuple():
            return f"[{', '.join(map(_shown, value))}]"
        case _:
            line = " ".join(str(value).splitlines())
            return "".join(letter if letter.isprintable() else "\ufffd" for letter in line)  # no control of terminals


def _cut(cell: str, widest: int) -> str:
    return cell if cell_len(cell) <= widest else f"{cell[: widest - 1]}…"


def _is_numeric(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[bool]:
    return [all(row[i] is None or isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]


def _natural_width(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    widths = [max(map(cell_len, (name, *(row[i] for row in cells)))) for i, name in enumerate(columns)]
    return sum(width + _GAP for width in widths)


def _print(columns: Sequence[str], cells: Sequence[Sequence[str]], is_numeric: Sequence[bool]) -> None:
    made = Table(box=box.SIMPLE_HEAD)
    for name, right in zip(columns, is_numeric, strict=True):
        made.add_column(Text(name), justify="right" if right else "left", no_wrap=True)
    for row in cells:
        made.add_row(*map(Text, row))
    target = console()
    target.width = max(target.width, _width())
    target.print(made, soft_wrap=False, crop=False)
