"""The dictionary as text: a line per measurement, all its numbers of bins together, and the page of the documentation.

``python -m harness.metrics.dictionary`` prints the page; `make docs` writes it to ``docs/measurements.md``.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.metrics.families import FAMILIES, OTHER_FAMILIES
from harness.metrics.measurement import Family, Measurement

_HEAD = """\
# The measurements

Written by `make docs` from the rows beside the functions in `harness/metrics/`, the one place where they are defined. A
family is what `study.families` and `measure(probs, labels, families=[...])` name; `ood` is measured wherever a
condition shows other images. [A family of your own](own_family.md) is a file.

Letters: N samples, K classes, M bins, n_b samples in bin b; class probabilities p_k, confidence c = max_k p_k, r = 1
where the prediction is right and else 0; a mean is over the samples of a bin or over all. A value that is undefined is
null, with the reason beside it. Values are exact to about 1e-12; MMCE and the L2 forms, which are roots, to 1e-8 near
0; KDECE and smECE, which are taken on grids, to about 1e-6. Where a column is named `X_...`, X is any of the
measurements that are listed, and "as X" means: what is said of X.
"""
_COLUMNS = ("column", "unit", "range", "better", "definition", "formula", "source", "published as", "function")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the dictionary: a measurement, or several of which the line says the same.

    Attributes:
        name: Its column, such as ``KSCE``; with M for the number of bins, such as ``ECE_M``; or with X for the
            measurement of whose uncertainty it tells, such as ``X_low``.
        rows: The rows of the dictionary.
    """

    name: str
    rows: tuple[Measurement, ...]

    @property
    def row(self) -> Measurement:
        """The first row."""
        return self.rows[0]

    @property
    def unit(self) -> str:
        """The unit."""
        return self._common(row.unit for row in self.rows)

    @property
    def range(self) -> str:
        """The interval of possible values, such as ``[0, 1]``."""
        return self._common(map(_range, self.rows))

    @property
    def better(self) -> str:
        """``higher``, ``lower``, or nothing where neither is better."""
        return self._common({True: "higher", False: "lower", None: ""}[row.higher_is_better] for row in self.rows)

    @property
    def definition(self) -> str:
        """The definition in words."""
        return self._said(self.row.definition)

    @property
    def formula(self) -> str:
        """The definition as a formula."""
        return self._said(self.row.formula)

    @property
    def source(self) -> str:
        """The publication."""
        return self._common(row.source for row in self.rows)

    @property
    def published(self) -> str:
        """The published column, with M for the number of bins; nothing where it was not published."""
        row = self.row
        if row.published is None:
            return ""
        return f"{row.published.removesuffix(f'_{row.n_bins}')}_M" if self.bin_counts else row.published

    @property
    def function(self) -> str:
        """What computes it, as ``module.name``."""
        return self._common(f"{row.function.__module__}.{row.function.__name__}" for row in self.rows)

    @property
    def bin_counts(self) -> tuple[int, ...]:
        """The values of M; empty if the name has none."""
        return tuple(row.n_bins for row in self.rows if row.n_bins is not None) if self._letter == "M" else ()

    @property
    def legend(self) -> str:
        """What M or X stands for, such as ``M = 5, 10, 15``; nothing where the name has none."""
        values = self.bin_counts if self._letter == "M" else [row.of for row in self.rows]
        return f"{self._letter} = {', '.join(map(str, values))}" if self._letter else ""

    @property
    def _letter(self) -> str:
        if len(self.rows) == 1:
            return ""
        return "M" if self.row.of is None else "X"

    def _said(self, text: str) -> str:
        return _of_x(self.row, text) if self._letter == "X" else text

    def _common(self, values: Iterable[str]) -> str:
        """Return what all rows have in common; X decides where they differ."""
        different = set(values)
        return different.pop() if len(different) == 1 else "as X"


def entries(rows: Iterable[Measurement]) -> list[Entry]:
    """Return the lines of some rows of the dictionary, in the order of their first rows.

    Args:
        rows: Rows of the dictionary.

    Example:
        >>> [entry.name for entry in entries(FAMILIES["signed"].measurements)]
        ['over_confidence_15', 'under_confidence_15']
        >>> entries(FAMILIES["study"].measurements)[0].legend
        'M = 5, 10, 15, 20, 25, 50, 100, 200, 500'
        >>> [entry.name for entry in entries(FAMILIES["intervals"].measurements)]
        ['X_low', 'X_high', 'X_bias', 'X_reliable']
    """
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for row in rows:
        name = f"{row.metric}_M" if row.of is None else _of_x(row, row.name)
        groups.setdefault((row.family, name), []).append(row)
    return [Entry(name if len(alike) > 1 else alike[0].name, tuple(alike)) for (_, name), alike in groups.items()]


def _of_x(row: Measurement, text: str) -> str:
    """Return a text of a row with X for the measurement of whose uncertainty the row tells."""
    return text if row.of is None else re.sub(rf"\b{row.of}(?=\b|_)", "X", text)


def _range(row: Measurement) -> str:
    low = "(-inf" if row.lower is None else f"[{row.lower:g}"
    high = "inf)" if row.upper is None else f"{row.upper:g}]"
    return f"{low}, {high}"


def summary(family: Family) -> str:
    """Return what a family holds: the first line of the docstring of its function, without its verb.

    Example:
        >>> summary(FAMILIES["signed"])
        'The two parts of ECE, from over-confident and from under-confident bins.'
    """
    first = (family.function.__doc__ or "").strip().partition("\n")[0].removeprefix("Return ")
    return first[:1].upper() + first[1:]


def page(families: Sequence[Family] = (*FAMILIES.values(), *OTHER_FAMILIES.values())) -> str:
    """Return the page of the documentation, in Markdown: a section and a table per family."""
    return "\n".join([_HEAD, *map(_section, families)])


def _section(family: Family) -> str:
    lines = [f"## {family.name}", "", summary(family), "", _line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    return "\n".join([*lines, *(_line(_cells(entry)) for entry in entries(family.measurements)), ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(entry: Entry) -> list[str]:
    return [
        ", ".join(filter(None, (_code(entry.name), entry.legend))),
        entry.unit,
        entry.range,
        entry.better,
        _escaped(entry.definition),
        _code(entry.formula),
        _escaped(entry.source),
        _published(entry),
        _function(entry),
    ]


def _function(entry: Entry) -> str:
    """Return a link to what computes the line; none where that differs, as X does."""
    module, _, name = entry.function.rpartition(".")
    return f"[{_code(name)}](../{module.replace('.', '/')}.py)" if module else entry.function


def _published(entry: Entry) -> str:
    """Return the published column and the search spaces whose tables have it."""
    return f"{_code(entry.published)} ({', '.join(entry.row.published_in)})" if entry.published else ""


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"  # a bar would end the cell, in code too


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in r"\`*|<" else letter for letter in text)


if __name__ == "__main__":
    sys.stdout.write(page())
