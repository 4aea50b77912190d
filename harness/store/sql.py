"""Values in the text of a query."""

from collections.abc import Iterable


def sql_text(value: str) -> str:
    """Return a text as SQL writes it.

    Example:
        >>> sql_text("O'Brien")
        "'O''Brien'"
    """
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


def sql_texts(values: Iterable[str]) -> str:
    """Return texts as the list of an ``IN``, which of none holds nothing.

    Example:
        >>> sql_texts(["tss", "sss"]), sql_texts([])
        ("('tss', 'sss')", '(NULL)')
    """
    return f"({', '.join(map(sql_text, values)) or 'NULL'})"
