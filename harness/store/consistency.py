"""Proof that rows are what their tags say: families, fingerprints, and lists of the right length."""

from collections.abc import Iterable, Iterator

from harness.metrics import FAMILIES, OOD_FAMILY, OTHER_FAMILIES, REPLICATES_FAMILY, Family
from harness.metrics.resampling import N_REPLICATES
from harness.store.audit import check_rows
from harness.store.reader import Store
from harness.store.schema import ROW_KEY, VARIANT_KEY, key_names
from harness.values import Finding

_BINS = ("bin15_count", "bin15_confidence", "bin15_accuracy")
_N_BINS = 15
_KEY = key_names(ROW_KEY)
_ROW = ", ".join((*_KEY, "fingerprint"))
_COMPARABLE = ", ".join((*(name for name in _KEY if name not in ("arch_index", "seed")), "precision"))
_NAMES = "list_transform(families, lambda tag: split_part(tag, '@', 1))"


def check_store(store: Store) -> Iterator[Finding]:
    """Yield everything that is wrong with the rows of a store."""
    for check in (check_rows, check_families, check_bins, check_fingerprints, check_imports):
        yield from check(store)


def check_families(store: Store) -> Iterator[Finding]:
    """Yield the rows whose families and values do not go together."""
    for member in (*FAMILIES.values(), OOD_FAMILY):
        absent = _those(member.members, "\"{0}\" IS NULL AND reasons['{0}'] IS NULL")
        yield from _of_rows(store, f"list_contains(families, '{member.tag}')", absent, f"{member.tag} without values")
        yield from _values_without_family(store, member)
    lists = REPLICATES_FAMILY.members
    wrong = _those(lists, f'"{{0}}" IS NULL OR len("{{0}}") <> {N_REPLICATES}')
    tagged = f"list_contains(families, '{REPLICATES_FAMILY.tag}')"
    yield from _of_rows(store, tagged, wrong, f"{REPLICATES_FAMILY.tag} without lists of {N_REPLICATES} values")
    yield from _values_without_family(store, REPLICATES_FAMILY)
    built_in = ", ".join(f"'{name}'" for name in (*FAMILIES, *OTHER_FAMILIES))
    has_tag = f"len(list_filter({_NAMES}, lambda name: name NOT IN ({built_in}))) > 0"
    wrong = "CASE WHEN coalesce(cardinality(own), 0) > 0 THEN map_keys(own) ELSE ['own'] END"
    differs = f"({has_tag}) <> (coalesce(cardinality(own), 0) > 0)"
    yield from _of_rows(store, differs, wrong, "families of your own and their values do not go together")


def check_bins(store: Store) -> Iterator[Finding]:
    """Yield the rows whose reliability bins are not 15, or do not hold the images that were scored."""
    wrong = _those(_BINS, f"len({{0}}) <> {_N_BINS}")
    yield from _of_rows(store, "true", wrong, f"expected {_N_BINS} bins")
    unequal = _those(_BINS[:1], "list_sum({0}) <> n_samples")
    yield from _of_rows(store, "true", unequal, "the bins do not hold the images that were scored")


def check_fingerprints(store: Store) -> Iterator[Finding]:
    """Yield the fingerprints of several kinds of rows, and the comparable rows of which none covers all networks.

    Rows that were made again from other inputs may lie beside the old ones; then the new fingerprint covers them all.
    """
    variant = ", ".join(("protocol", *key_names(VARIANT_KEY), "precision"))
    kinds = f"SELECT fingerprint FROM (SELECT DISTINCT fingerprint, {variant} FROM committed_measurements)"
    for (fingerprint,) in store.sql(f"{kinds} GROUP BY fingerprint HAVING count(*) > 1").fetchall():
        yield Finding("fingerprints", fingerprint, "rows of several protocols, splits or calibrators have it")
    network = "count(DISTINCT (arch_index, seed))"
    query = (
        f"WITH covered AS (SELECT {_COMPARABLE}, fingerprint, {network} AS n FROM committed_measurements "
        f"GROUP BY {_COMPARABLE}, fingerprint), "
        f"networks AS (SELECT {_COMPARABLE}, {network} AS n_all FROM committed_measurements GROUP BY {_COMPARABLE}) "
        f"SELECT {_COMPARABLE}, list_sort(list(fingerprint)) FROM covered JOIN networks USING ({_COMPARABLE}) "
        f"GROUP BY {_COMPARABLE} HAVING max(n) < any_value(n_all)"
    )
    for *setting, fingerprints in store.sql(query).fetchall():
        message = (
            f"networks that should be comparable were measured on different inputs, and none on all of them: "
            f"{', '.join(fingerprints)}; run the study for all of them, `harness store prune` removes what is old"
        )
        yield Finding("fingerprints", "/".join(map(str, setting)), message)


def check_imports(store: Store) -> Iterator[Finding]:
    """Yield the imported tables that hold two different files under one origin."""
    for table, what in (("published", "space, dataset"), ("robustness", "dataset, condition")):
        query = (
            f"SELECT origin, {what} FROM committed_{table} GROUP BY origin, {what} HAVING count(DISTINCT digest) > 1"
        )
        for row in store.sql(query).fetchall():
            message = "different files were imported under one origin; delete one of their files and import it anew"
            yield Finding("imports", "/".join((table, *row)), message)


def _values_without_family(store: Store, member: Family) -> Iterator[Finding]:
    present = _those(member.members, '"{0}" IS NOT NULL')
    untagged = f"NOT list_contains({_NAMES}, '{member.name}')"
    yield from _of_rows(store, untagged, present, f"values without their family {member.name}")


def _those(columns: Iterable[str], condition: str) -> str:
    """Return the SQL of the list of those columns of a row for which a condition on ``{}`` holds."""
    cases = ", ".join(f"CASE WHEN {condition.format(name)} THEN '{name}' END" for name in columns)
    return f"list_filter([{cases}], lambda name: name IS NOT NULL)"


def _of_rows(store: Store, where: str, columns: str, message: str) -> Iterator[Finding]:
    """Yield a finding for each row that meets a condition and has columns in an SQL list of what is wrong."""
    query = f"SELECT * FROM (SELECT {_ROW}, {columns} AS wrong FROM committed_measurements WHERE {where})"
    for *row, wrong in store.sql(f"{query} WHERE len(wrong) > 0").fetchall():
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        yield Finding("families", "/".join(map(str, row)), f"{message}: {', '.join(wrong[:3])}{more}")
