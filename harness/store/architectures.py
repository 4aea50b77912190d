"""What is known of every architecture, as tables to join to rows; each is made when a query first names it."""

import functools
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from harness import spaces
from harness.values import NATS_SOURCE


class _Size(NamedTuple):
    """What a data set decides of a network's cost: outputs of its classifier, side of its images in pixels."""

    num_classes: int
    image_size: int


_SIZES = {
    "cifar10": _Size(10, 32),
    "cifar10-valid": _Size(10, 32),
    "cifar100": _Size(100, 32),
    "ImageNet16-120": _Size(120, 16),
}


@functools.cache
def architectures() -> pa.Table:
    """Return the string and the representative of every architecture of every space."""
    tables = []
    for space in map(spaces.get, spaces.names()):
        columns = {
            **_key(space),
            "arch_str": pa.array(space.strings, pa.string()),
            "representative": pa.array([space.representative(i) for i in range(len(space))], pa.int32()),
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


@functools.cache
def features() -> pa.Table:
    """Return what follows from the string of every architecture; see `harness.spaces.Features`."""
    return pa.concat_tables(_features_of(space) for space in map(spaces.get, spaces.names()))


def _features_of(space: spaces.AbstractSpace) -> pa.Table:
    cells, widths = space.cell_features(), space.widths()
    columns = {
        "function_class": pa.array([space.function_class(i) for i in range(len(space))], pa.int32()),
        "operations": _lists(pa.array(spaces.OPERATIONS).take(pa.array(cells.operations.ravel())), len(space)),
        "live_edges": _lists(pa.array(cells.live_edges.ravel()), len(space)),
        "kernel_parameters": pa.array(cells.kernel_parameters, pa.int32()),
        "widths": _lists(pa.array(widths.ravel(), pa.int32()), len(space)),
    }
    return pa.table({**_key(space), **columns})


def _lists(values: pa.Array, n: int) -> pa.Array:
    """Return values in ``n`` lists of equal length."""
    return pa.ListArray.from_arrays(np.arange(n + 1, dtype=np.int32) * (len(values) // n), values)


@functools.cache
def nats_costs() -> pa.Table:
    """Return what every architecture costs at the size of NATS-Bench's networks, for each of its data sets."""
    return pa.concat_tables(
        _costs_of(space, dataset) for space in map(spaces.get, spaces.names()) for dataset in _SIZES
    )


def _costs_of(space: spaces.AbstractSpace, dataset: str) -> pa.Table:
    counted = space.costs(**_SIZES[dataset]._asdict())
    columns = {"dataset": pa.array([dataset] * len(space), pa.string())}
    columns |= {name: pa.array(values, pa.int64()) for name, values in counted._asdict().items()}
    return pa.table({**_key(space), **columns})


def _key(space: spaces.AbstractSpace) -> dict[str, pa.Array]:
    return {
        "space": pa.array([space.name] * len(space), pa.string()),
        "arch_index": pa.array(range(len(space)), pa.int32()),
    }


COSTS = f"""
    SELECT source, space, arch_index, dataset,
           CASE WHEN is_nats THEN parameters END AS parameters,
           CASE WHEN is_nats THEN multiply_adds END AS multiply_adds
    FROM (SELECT DISTINCT source, space, dataset, regexp_full_match(source, '{NATS_SOURCE}') AS is_nats
          FROM committed_measurements)
         JOIN architectures USING (space) LEFT JOIN nats_costs USING (space, arch_index, dataset)
"""
"""The query of what every architecture costs in each source of the rows, for each of its data sets.

Of sources other than NATS-Bench's archives, whose networks may have any number of channels and cells, it is null.
"""

_TABLES: Mapping[str, Callable[[], pa.Table]] = MappingProxyType(
    {"architectures": architectures, "features": features, "nats_costs": nats_costs}
)
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"architectures": ("architectures",), "features": ("features",), "costs": ("architectures", "nats_costs")}
)

ON_DEMAND = tuple(_NEEDS)
"""The names of the relations."""


def words_of(query: str) -> set[str]:
    """Return the words of a query in lower case."""
    return set(re.findall(r"\w+", query.lower()))


def tables_for(query: str) -> dict[str, pa.Table]:
    """Return the tables behind the relations that a query may read.

    Example:
        >>> sorted(tables_for("SELECT * FROM models JOIN Architectures USING (space, arch_index)"))
        ['architectures']
    """
    needed = {table for name in words_of(query) & set(ON_DEMAND) for table in _NEEDS[name]}
    return {name: _TABLES[name]() for name in sorted(needed)}
