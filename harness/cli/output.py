"""What the commands print: progress, tables, and what to do next."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on without output where nobody reads it any more: the exit code says what the command did."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Console:
    """Return a console on standard output; wide where that is no terminal, so that no table is cut."""
    return _Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 120)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under column names; numbers stand right, None is left blank."""
    console().print(table(title, columns, rows), crop=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return rows under column names, to be printed; numbers stand right, None is left blank."""
    whole = Text(title, no_wrap=True, overflow="ignore")  # a path in it stays one word
    made = Table(title=whole, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for i, name in enumerate(columns):
        is_numeric = all(row[i] is None or isinstance(row[i], int | float) for row in rows)
        made.add_column(Text(name), justify="right" if is_numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(_shown, row))
    return made


def _shown(value: object) -> Text:
    """Return a value as it is: plain strings would be read as markup."""
    if value is None:
        return Text("")
    return Text(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))


def say(message: str) -> None:
    """Print a line."""
    console().print(message, markup=False, soft_wrap=True)


def next_step(*steps: str) -> None:
    """Print what to do next."""
    for step in steps:
        say(f"next: {step}")


def duration(seconds: float) -> str:
    """Return a duration as one reads it.

    Example:
        >>> duration(42.4), duration(61.0), duration(7322.0), duration(200_000.0)
        ('42 s', '1 min 01 s', '2 h 02 min', '2 d 07 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


@dataclass
class Meter:
    """Counts what is done and shows it: one live line on a terminal, a plain line every tenth elsewhere.

    Attributes:
        what: What is counted, such as ``units``.
        total: How many there are.
        early: A plain line is also due when so many are done, where each takes long; 0 for none.
    """

    what: str
    total: int
    early: int = 0
    done: int = 0
    note: str = ""
    _start: float = field(default_factory=time.monotonic)
    _printed: int = 0
    _live: Progress | None = None

    def advance(self, number: int, note: str | None = None) -> None:
        """Count ``number`` more and show it."""
        self.done += number
        self.note = note or ""
        if self._live is not None:
            self._live.update(self._live.task_ids[0], completed=self.done, note=self.note)
        elif self.done == self.early or self.done * 10 // max(self.total, 1) > self._printed:
            self._printed = self.done * 10 // max(self.total, 1)
            say(self._line())

    def _line(self) -> str:
        rate = self.done / max(time.monotonic() - self._start, 1e-9)
        left = (self.total - self.done) / max(rate, 1e-9)
        pace = f"{rate:.1f}/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s each"
        note = f", {self.note}" if self.note else ""
        return f"  {self.done:,}/{self.total:,} {self.what}, {pace}, {duration(left)} left{note}"


@contextmanager
def meter(what: str, total: int) -> Iterator[Meter]:
    """Show a meter while the body runs."""
    if not sys.stdout.isatty():
        yield Meter(what, total)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(what),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console()) as live:
        live.add_task(what, total=total, note="")
        yield Meter(what, total, _live=live)
