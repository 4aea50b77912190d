"""Tables of pages that are no notebooks."""

import html
import math
from collections.abc import Iterable, Sequence

Cell = str | int | float | None
"""What stands in a table; nothing is shown for None and NaN."""

_TEXT = ' class="text"'


def html_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str) -> str:
    """Return a table as HTML: numbers flush right, all else flush left.

    Args:
        columns: Headings.
        rows: A cell for each.
        caption: What it shows, for those who come to it alone.
    """
    rows = list(rows)
    texts = [any(isinstance(row[i], str) for row in rows) for i in range(len(columns))]
    head = "".join(
        f'<th scope="col"{_TEXT if is_text else ""}>{html.escape(column)}</th>'
        for column, is_text in zip(columns, texts, strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<div class="output_area"><table><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: Cell) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "<td></td>"
    if isinstance(value, str):
        return f"<td{_TEXT}>{html.escape(value)}</td>"
    return f"<td>{value:,}</td>" if isinstance(value, int) else f"<td>{value:,.2f}</td>"
