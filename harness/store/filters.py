"""What readers may ask for: the filters of the store's methods, checked before DuckDB sees them."""

import numbers
from collections.abc import Iterable, Mapping, Sequence

import duckdb
import numpy as np

from harness.errors import StoreError

Filter = str | int | np.integer | Iterable[object]
"""The value that a column must have, or several of which it must have one."""

PROTOCOLS = ("clean", "paper")


def filtered(
    relation: duckdb.DuckDBPyRelation, filters: Mapping[str, Filter], known: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    """Return the rows of a relation that pass all filters, lazily.

    Args:
        relation: The rows.
        filters: The filter of each of some columns.
        known: Columns by which one may filter.

    Raises:
        StoreError: A filter is of another column, or of another type than its column.
    """
    unknown = sorted(set(filters) - set(known))
    if unknown:
        raise StoreError(f"cannot filter by {', '.join(unknown)}; expected among {', '.join(known)}")
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    chosen = duckdb.ConstantExpression(True)
    for column, value in filters.items():
        values = _typed(column, types[column], listed(column, value))
        constants = [duckdb.ConstantExpression(value) for value in values]
        chosen &= duckdb.ColumnExpression(column).isin(*constants) if constants else duckdb.ConstantExpression(False)
    return relation.filter(chosen)  # once: DuckDB resolves the whole query for every step


def require_protocols(protocols: Iterable[object]) -> None:
    """Refuse what is no protocol.

    Raises:
        StoreError: One is none.
    """
    for name in protocols:
        if name not in PROTOCOLS:
            raise StoreError(f"protocol: expected {' or '.join(PROTOCOLS)}, or a list of them, got {name!r}")


def listed(column: str, value: Filter) -> tuple[object, ...]:
    """Return the values of a filter, of which one may stand alone.

    Raises:
        StoreError: It is neither a text, nor a whole number, nor a list.
    """
    if isinstance(value, str | numbers.Integral) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, Iterable):
        return tuple(value)
    raise StoreError(f"cannot filter {column} by {value!r}; expected a text or a whole number, or a list of such")


def _typed(column: str, sql_type: str, values: Sequence[object]) -> list[str] | list[int]:
    """Return the values of a filter as DuckDB takes them.

    Raises:
        StoreError: One is not of the column's type.
    """
    is_text = sql_type == "VARCHAR"
    for value in values:
        if not isinstance(value, str if is_text else numbers.Integral) or isinstance(value, bool):
            kind = "a text" if is_text else "a whole number"
            raise StoreError(f"cannot filter {column} by {value!r}; expected {kind}, or a list of such")
    return [str(value) for value in values] if is_text else [int(str(value)) for value in values]
