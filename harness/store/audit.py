"""Proof that a store is sound: every file is whole and is what its name says, and duplicates agree.

Each check returns findings; an empty list from all of them is the proof. What a run should have written is the
planner's business, not the audit's.
"""

import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.metrics import FAMILIES, MEASUREMENTS, OTHER_FAMILIES
from harness.store import views
from harness.store.file_checks import OTHER_NAME, check_folder, check_name, check_values, check_whole
from harness.store.files import StorePath, StoreRoot, readable
from harness.store.imported import import_name
from harness.store.live import dead_runs, live_runs, live_workers, remove_dead_runs
from harness.store.logits_audit import check_labels_file, check_logits_file, check_logits_rows
from harness.store.reader import Store
from harness.store.schema import (
    FAILURE_TABLE,
    HOW_COLUMNS,
    IMPORT_IDENTITY,
    IMPORT_TABLES,
    LABELS_TABLE,
    LOGITS_TABLE,
    MEASUREMENT_TABLE,
    MODEL_KEY,
    ROW_KEY,
    RUN_TABLE,
    Table,
    key_names,
)
from harness.store.sql import sql_text, sql_texts
from harness.store.writer import (
    FAILURE_IDENTITY,
    MEASUREMENT_IDENTITY,
    PARTITION,
)
from harness.values import Finding

_IDENTITIES = ((MEASUREMENT_TABLE, MEASUREMENT_IDENTITY), (FAILURE_TABLE, FAILURE_IDENTITY))
GATE_TOLERANCE = 0.01
_ROUNDING = 1e-8
_MAY_DIFFER = frozenset(  # own is compared by itself
    {"families", "own", "reasons", "run_id", "seconds", *(column.name for column in HOW_COLUMNS)}
)


def check_files(root: StoreRoot) -> Iterator[Finding]:
    """Yield what is wrong with the files of a store, one by one."""
    for path in leftovers(root):
        yield Finding("leftovers", str(path), "what a killed process left behind; `verify --clean` removes it")
    for path in root.foreign_files():
        yield Finding("foreign", str(path), "no file of the store; move it elsewhere")
    for table, identity in _IDENTITIES:
        for path in root.table_files(table.folder):
            yield from check_file(path, table, identity)
    for path in root.table_files(RUN_TABLE.folder):
        if (yield from check_whole(path, RUN_TABLE)):
            read = yield from check_values(path)
            if read is not None and read["run_id"].to_pylist() != [path.stem]:
                yield Finding("name", str(path), "the name is not that of the run that the file describes")
    yield from _check_logits(root)
    imports = [(path, table) for table in IMPORT_TABLES for path in root.table_files(table.folder)]
    yield from itertools.chain.from_iterable(check_import(path, table) for path, table in imports)


def _check_logits(root: StoreRoot) -> Iterator[Finding]:
    """Yield what is wrong with the files of logits, and with those of labels beside them."""
    for path in root.table_files(LOGITS_TABLE.folder):
        if (yield from check_whole(path, LOGITS_TABLE)):
            yield from check_logits_file(root, path)
    for path in root.table_files(LABELS_TABLE.folder):
        if (yield from check_whole(path, LABELS_TABLE)):
            yield from check_labels_file(path)


def check_import(path: StorePath, table: Table) -> Iterator[Finding]:
    """Yield what is wrong with a file of imported rows: its bytes, its schema, its name."""
    if (yield from check_whole(path, table, "import")) and import_name(
        pq.read_table(readable(path), columns=list(IMPORT_IDENTITY))
    ) != path.stem:
        yield Finding("name", str(path), OTHER_NAME)


def check_file(path: StorePath, table: Table, identity: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with one file: its bytes, its schema, its name, its folder."""
    if not (yield from check_whole(path, table)):
        return
    read = yield from check_values(path)
    if read is not None:
        rows = read.select([*dict.fromkeys((*identity, *PARTITION))]).to_pylist()
        yield from check_name(path, rows, identity)
        yield from check_folder(path, rows, PARTITION)


def require_sound(findings: Iterator[Finding], undone: str) -> None:
    """Refuse to go on where something is wrong.

    Args:
        findings: What is wrong.
        undone: What was not done, such as ``nothing was merged``.

    Raises:
        StoreError: There is a finding.
    """
    for finding in findings:
        raise StoreError(f"{undone}: {finding.check}: {finding.where}: {finding.message}")


def check_rows(store: Store) -> Iterator[Finding]:
    """Yield the keys whose duplicate rows disagree, and the models whose rows come from different weights."""
    key = ", ".join((*key_names(ROW_KEY), "fingerprint"))
    compared = [
        column
        for column in MEASUREMENT_TABLE.columns
        if column not in ROW_KEY and column.name not in _MAY_DIFFER and column.name != "fingerprint"
    ]
    doubled = (
        f"WITH keys AS (SELECT {key} FROM committed_measurements GROUP BY {key} HAVING count(*) > 1), "
        f"doubled AS (SELECT * FROM committed_measurements SEMI JOIN keys USING ({key})) "
    )
    differing = " OR ".join(_differs(f'"{column.name}"', column.type) for column in compared)
    for row in store.sql(f"{doubled} SELECT {key} FROM doubled GROUP BY {key} HAVING {differing}").fetchall():
        yield Finding("duplicates", "/".join(map(str, row)), "rows of one key and fingerprint hold unequal values")
    # Of equal families, a value cannot be there in one row and null in another.
    half_null = " OR ".join(f'count("{m.name}") NOT IN (0, count(*))' for m in MEASUREMENTS)
    query = f"{doubled} SELECT {key} FROM doubled GROUP BY {key}, families HAVING {half_null}"
    for row in store.sql(query).fetchall():
        yield Finding("duplicates", "/".join(map(str, row)), "a value is null in one of two rows of one key")
    yield from _check_own(store, doubled, key)
    yield from check_logits_rows(store)
    model = ", ".join(key_names(MODEL_KEY))
    query = f"SELECT {model} FROM committed_measurements GROUP BY {model} HAVING count(DISTINCT weights_hash) > 1"
    for row in store.sql(query).fetchall():
        message = (
            "rows come from different weights: the record changed between two runs; give the archive another source"
        )
        yield Finding("weights", "/".join(map(str, row)), message)


def _check_own(store: Store, doubled: str, key: str) -> Iterator[Finding]:
    """Yield the keys of which duplicate rows disagree in a value of the same version of the user's own families."""
    values = [views.own_value(name) for name in store.own_names]
    if not values:
        return
    built_in = ", ".join(f"'{name}'" for name in (*FAMILIES, *OTHER_FAMILIES))
    own_tags = f"list_filter(families, lambda tag: split_part(tag, '@', 1) NOT IN ({built_in}))"
    unequal = " OR ".join(f"{_differs(value, pa.float64())} OR count({value}) NOT IN (0, count(*))" for value in values)
    query = f"{doubled} SELECT {key} FROM doubled GROUP BY {key}, {own_tags} HAVING {unequal}"
    for row in store.sql(query).fetchall():
        message = "rows of one version of a family of your own hold unequal values; raise its version when it changes"
        yield Finding("duplicates", "/".join(map(str, row)), message)


def _differs(value: str, of_type: pa.DataType) -> str:
    """Return the SQL condition that a column or expression has unequal values; numbers may differ by rounding.

    Rows are measured again when families are added, perhaps by a later version whose sums run in another order.
    """
    if of_type == pa.float64():
        largest = f"greatest(abs(max({value})), abs(min({value})))"
        return f"max({value}) - min({value}) > {_ROUNDING} * {largest} + {_ROUNDING**2}"
    if of_type == pa.list_(pa.float64()):
        value = f"list_transform({value}, lambda v: round(v, 9))"
    return f"min({value}) <> max({value})"


def gate_counts(store: Store, test_sets: Sequence[str] | None = None, precision: str | None = None) -> dict[str, int]:
    """Return the number of models of each verdict of the accuracy gate: pass, warn, fail, unrecorded.

    Args:
        store: The store.
        test_sets: Only what was found on these test sets; None for all, a model counting once for each.
        precision: Only what was found in this precision of the inference; None for all, as above.
    """
    chosen = [] if test_sets is None else [f"test_set IN {sql_texts(test_sets)}"]
    chosen += [] if precision is None else [f"precision = {sql_text(precision)}"]
    where = " AND ".join(chosen) or "true"
    return dict(store.sql(f"SELECT gate, count(*) FROM models WHERE {where} GROUP BY gate ORDER BY gate").fetchall())


def check_gate(store: Store, test_sets: Sequence[str] | None = None, precision: str | None = None) -> Iterator[Finding]:
    """Yield a finding if over 1 % of the models of a store fail the accuracy gate; arguments as `gate_counts`."""
    counts = gate_counts(store, test_sets, precision)
    failed, total = counts.get("fail", 0), sum(counts.values())
    if failed > GATE_TOLERANCE * total:
        message = (
            f"{failed} of {total} models do not reproduce the accuracy that their archive recorded, more than "
            f"{GATE_TOLERANCE:.0%}; are data set and normalisation those of the archive?"
        )
        yield Finding("gate", str(store.root.path), message)


def count_duplicates(store: Store) -> int:
    """Return the number of measurement rows beyond the first of their key, fingerprint and families."""
    key = ", ".join((*key_names(ROW_KEY), "fingerprint", "families"))
    found = store.sql(
        f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM committed_measurements GROUP BY {key})"
    )
    return int(found.fetchall()[0][0])


def leftovers(root: StoreRoot) -> list[StorePath]:
    """Return what killed processes left behind: temporary files, and heartbeats of runs whose driver is gone.

    Temporary files of a run that is at work are none: they are about to get their names.
    """
    at_work = [run.run_id for run in live_runs(root)]
    temporary = [path for path in root.leftovers() if not any(f".{run_id}." in path.name for run_id in at_work)]
    return [*temporary, *(root.path / "live" / run_id for run_id in dead_runs(root))]


def remove_leftovers(root: StoreRoot) -> list[StorePath]:
    """Delete what killed processes left behind, and nothing else; return it.

    Raises:
        StoreError: A run or a worker is at work on the store.
    """
    at_work = sorted({*(run.run_id for run in live_runs(root)), *(worker.run_id for worker in live_workers(root))})
    if at_work:
        raise StoreError(
            f"{root.path}: {', '.join(at_work)} is at work, nothing was removed; wait for its end, or two minutes "
            "where it was killed on another machine"
        )
    found = leftovers(root)
    for path in root.leftovers():
        path.unlink(missing_ok=True)
    remove_dead_runs(root)
    return found
