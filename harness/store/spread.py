"""How much measurements differ between trainings of one network, and between isomorphic networks, as SQL."""

from collections.abc import Mapping

from harness.store.schema import ROW_KEY, key_names

CLASS_COLUMNS: Mapping[str, tuple[str, str]] = {
    "isomorphism": ("architectures", "representative"),
    "function": ("features", "function_class"),
}
"""Table and column that hold the class of an architecture, by the kind of class."""


def seed_spread_query(rows: str, values: Mapping[str, str]) -> str:
    """Return the query of each measurement's spread over the seeds of a network, everything else being equal.

    Args:
        rows: Name of a view of measurement rows.
        values: SQL of the value of each measurement.
    """
    key = [name for name in key_names(ROW_KEY) if name != "seed"]
    return _spread(rows, values, key, "n_seeds")


def isomorph_spread_query(rows: str, values: Mapping[str, str], classes: str) -> str:
    """Return the query of each measurement's spread over the members of a class, seed and everything else being equal.

    Args:
        rows: Name of a view of measurement rows.
        values: SQL of the value of each measurement.
        classes: One of :data:`CLASS_COLUMNS`.
    """
    table, column = CLASS_COLUMNS[classes]
    key = [column if name == "arch_index" else name for name in key_names(ROW_KEY)]
    members = f"(SELECT * FROM {rows} JOIN {table} USING (space, arch_index))"
    return _spread(members, values, key, "n_members")


def _spread(rows: str, values: Mapping[str, str], key: list[str], counted: str) -> str:
    entries = ", ".join(f"struct_pack(measurement := '{name}', value := {value})" for name, value in values.items())
    keys = ", ".join(key)
    return (
        f"SELECT {keys}, entry.measurement AS measurement, count(*) AS {counted}, avg(entry.value) AS mean, "
        "stddev_samp(entry.value) AS sd, min(entry.value) AS min, max(entry.value) AS max "
        f"FROM (SELECT {keys}, unnest([{entries}]) AS entry FROM {rows}) "
        f"WHERE entry.value IS NOT NULL GROUP BY {keys}, measurement ORDER BY ALL"
    )
