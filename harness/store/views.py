"""The views of a store as SQL: which row counts of a key, which failures are open, what is known of a model."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from harness.metrics.resampling import HEADLINE
from harness.store.published import published_names
from harness.store.schema import LOGITS_IDENTITY, MODEL_KEY, ROW_KEY, UNIT_KEY, key_names
from harness.store.sql import sql_text

_ROW_KEY = key_names(ROW_KEY)
_COMPARABLE = ", ".join(name for name in _ROW_KEY if name not in ("arch_index", "seed"))
_NETWORK = ("source", "space", "dataset", "hp")
_GATE = ("recorded_accuracy", "recomputed_accuracy", "recorded_loss", "recomputed_loss", "gate", "weights_hash")


_VERSIONS = "list_sum(list_transform(families, lambda tag: try_cast(split_part(tag, '@', 2) AS INTEGER)))"
IS_SEEN = (
    f"row_number() OVER (PARTITION BY {', '.join((*_ROW_KEY, 'fingerprint'))} "
    f"ORDER BY len(families) DESC, {_VERSIONS} DESC, parse_filename(filename)) = 1"
)
"""Whether a committed row is the one of its key and fingerprint that counts.

It has most families, of the highest versions; of equals it is the one in the file with the smallest name.
"""
PASSES_GATE = "gate IS DISTINCT FROM 'fail'"
"""Whether a row is of a network that does not fail the accuracy gate; those that do are shown only if asked for."""


def unique_measurements() -> str:
    """Return the query of one row per key and fingerprint, the one that counts."""
    return f"SELECT * EXCLUDE (filename) FROM committed_measurements QUALIFY {IS_SEEN}"


def unique_logits() -> str:
    """Return the query of one row per stored inference: of equals that in the file with the smallest name."""
    return (
        "SELECT * EXCLUDE (filename) FROM committed_logits QUALIFY "
        f"row_number() OVER (PARTITION BY {', '.join(LOGITS_IDENTITY)} ORDER BY parse_filename(filename)) = 1"
    )


def own_value(name: str) -> str:
    """Return the SQL of the value of a measurement of one of the user's own families."""
    return f"own[{sql_text(name)}]"


def with_own_columns(relation: str, names: Iterable[str]) -> str:
    """Return the query that shows measurements of the user's own families as columns beside the others."""
    columns = ", ".join(f'{own_value(name)} AS "{name}"' for name in names)
    return f"SELECT *, {columns} FROM {relation}"


def shown_measurements(protocol: str) -> str:
    """Return the query of the rows of a protocol, without networks that fail the accuracy gate."""
    return f"SELECT * FROM all_measurements WHERE protocol = '{protocol}' AND {PASSES_GATE}"


def replicates(relation: str) -> str:
    """Return the query of what was measured of resamples of the images: a row per row and resample, from 0 on."""
    lists = [f"{name}_replicates" for name in HEADLINE]
    values = ", ".join(f'unnest("{column}") AS "{name}"' for column, name in zip(lists, HEADLINE, strict=True))
    return (
        f"SELECT {', '.join(_ROW_KEY)}, generate_subscripts({lists[0]}, 1) - 1 AS replicate, {values} "
        f"FROM {relation} WHERE {lists[0]} IS NOT NULL"
    )


def with_isomorphs() -> str:
    """Return the query of the computed rows, and for topologies without any those of their representative.

    A topology of which an archive's networks were computed, with any seed, inherits nothing: its rows are never a
    mixture of two networks. Needs a table ``isomorphs`` of member and representative.
    """
    own = ", ".join(_NETWORK)
    return (
        "SELECT *, 'computed' AS origin FROM all_measurements UNION ALL BY NAME "
        "SELECT * EXCLUDE (member) REPLACE (member AS arch_index), 'inherited' AS origin FROM ("
        "SELECT m.*, i.member FROM all_measurements m JOIN isomorphs i ON m.arch_index = i.representative "
        "WHERE m.space = 'tss') inherited "
        f"ANTI JOIN (SELECT arch_index AS member, {own} FROM all_measurements) computed USING (member, {own})"
    )


def open_failures() -> str:
    """Return the query of the last failure row of each unit and fingerprint that lacks a wanted row or family.

    Of an absent unit it is the last, whatever its fingerprint; of one that has failed and is absent, the later counts.
    """
    unit = ", ".join(key_names(UNIT_KEY))
    last = f"OVER (PARTITION BY {unit})"
    return (
        f"WITH present AS (SELECT {unit}, list(struct_pack(fingerprint := fingerprint, families := families)) AS rows "
        f"FROM committed_measurements GROUP BY {unit}) "
        f"SELECT * EXCLUDE (filename, rows, last_failed, last_absent) FROM (SELECT *, "
        f"max(attempt) FILTER (kind <> 'absent') {last} AS last_failed, "
        f"max(attempt) FILTER (kind = 'absent') {last} AS last_absent FROM committed_failures) f "
        f"LEFT JOIN present USING ({unit}) "
        "WHERE CASE WHEN kind = 'absent' THEN attempt >= coalesce(last_failed, 0) "
        "ELSE attempt > coalesce(last_absent, 0) END AND NOT coalesce(list_has_all(list_transform(list_filter(rows, "
        "lambda r: list_has_all(r.families, coalesce(f.families, []))), lambda r: r.fingerprint), row_fingerprints), "
        "false) "
        f"QUALIFY row_number() OVER (PARTITION BY {unit}, CASE WHEN kind = 'absent' THEN kind ELSE fingerprint END "
        "ORDER BY attempt DESC, parse_filename(filename)) = 1"
    )


def published() -> str:
    """Return the query of imported published tables, with the published names in their order."""
    names = ", ".join(f'"{name}"' for name in published_names("tss")[1:])
    kept = "origin, file, digest, row, space, dataset, arch_index, copied_from, arch_index AS config"
    return f"SELECT {kept}, {names} FROM committed_published {_once_imported('arch_index')}"


def robustness() -> str:
    """Return the query of imported accuracies of attacked and corrupted images."""
    rows = "SELECT * EXCLUDE (filename) FROM committed_robustness"
    return f"{rows} {_once_imported('arch_index, condition, strength')}"


def _once_imported(key: str) -> str:
    """Return the clause that keeps one of the rows that two importers at once may both have written."""
    return (
        f"QUALIFY row_number() OVER (PARTITION BY origin, space, dataset, {key} "
        "ORDER BY digest, parse_filename(filename)) = 1"
    )


def models() -> str:
    """Return the query of what the accuracy gate says of each model, a row for each test set that it was shown.

    And for each precision of the inference: what its logits were stored as does not count.
    """
    key = ", ".join((*key_names(MODEL_KEY), "test_set"))
    facts = ", ".join(f"{name} := {name}" for name in _GATE)
    precision = "split_part(precision, ' stored as ', 1)"
    return (
        f"SELECT {key}, precision, unnest(facts) FROM ("
        f"SELECT {key}, {precision} AS precision, min(struct_pack({facts})) AS facts "
        f"FROM committed_measurements GROUP BY {key}, {precision})"
    )


def mixed_fingerprints(relation: str) -> str:
    """Return the query of the comparable settings whose rows have several fingerprints, with these and precisions."""
    return (
        f"SELECT {_COMPARABLE}, list(DISTINCT precision), list(DISTINCT fingerprint) AS found "
        f"FROM {relation} GROUP BY {_COMPARABLE} "
        "HAVING len(found) > 1"
    )


def commonest_fingerprints(relation: str) -> str:
    """Return the query of the rows that have the fingerprint of most rows of their setting.

    Of equals it is that of float32, then the first.
    """
    return (
        f"SELECT * FROM {relation} SEMI JOIN ("
        f"SELECT {_COMPARABLE}, fingerprint FROM {relation} GROUP BY {_COMPARABLE}, fingerprint "
        f"QUALIFY row_number() OVER (PARTITION BY {_COMPARABLE} "
        "ORDER BY count(*) DESC, any_value(precision) = 'float32' DESC, fingerprint) = 1"
        f") USING ({_COMPARABLE}, fingerprint)"
    )


VIEWS: Mapping[str, str] = MappingProxyType(
    {
        "all_measurements": unique_measurements(),
        "measurements": shown_measurements("clean"),
        "paper_measurements": shown_measurements("paper"),
        "replicates": replicates("measurements"),
        "failures": open_failures(),
        "models": models(),
        "logits": unique_logits(),
        "labels": "SELECT * EXCLUDE (filename) FROM committed_labels",
        "published": published(),
        "robustness": robustness(),
        "runs": "SELECT * EXCLUDE (filename) FROM committed_runs ORDER BY run_id",
    }
)
"""The views that every store has, by name, each after those that it reads."""
