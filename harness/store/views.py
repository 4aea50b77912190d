"""The views of a store as SQL: which row counts of a key, which failures are open, what is known of a model."""

from collections.abc import Mapping
from types import MappingProxyType

from harness.store.schema import MODEL_KEY, ROW_KEY, UNIT_KEY, key_names

_ROW_KEY = key_names(ROW_KEY)
_COMPARABLE = ", ".join(name for name in _ROW_KEY if name not in ("arch_index", "seed"))
_NETWORK = ("source", "space", "dataset", "hp")
_GATE = ("recorded_accuracy", "recomputed_accuracy", "recorded_loss", "recomputed_loss", "gate", "weights_hash")


def unique_measurements() -> str:
    """Return the query of one row per key and fingerprint: the one with most families, then the smallest file name."""
    key = ", ".join((*_ROW_KEY, "fingerprint"))
    return (
        "SELECT * EXCLUDE (filename) FROM committed_measurements QUALIFY "
        f"row_number() OVER (PARTITION BY {key} ORDER BY len(families) DESC, parse_filename(filename)) = 1"
    )


def shown_measurements(protocol: str) -> str:
    """Return the query of the rows of a protocol, without networks that fail the accuracy gate."""
    return f"SELECT * FROM all_measurements WHERE protocol = '{protocol}' AND gate IS DISTINCT FROM 'fail'"


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
    """Return the query of the last failure row of each unit and fingerprint that lacks a wanted row.

    Of an absent unit it is the last, whatever its fingerprint.
    """
    unit = ", ".join(key_names(UNIT_KEY))
    return (
        f"WITH present AS (SELECT {unit}, list(fingerprint) AS present FROM committed_measurements GROUP BY {unit}) "
        f"SELECT * EXCLUDE (filename, present) FROM committed_failures LEFT JOIN present USING ({unit}) "
        "WHERE NOT coalesce(list_has_all(present, row_fingerprints), false) "
        f"QUALIFY row_number() OVER (PARTITION BY {unit}, CASE WHEN kind = 'absent' THEN kind ELSE fingerprint END "
        "ORDER BY attempt DESC, parse_filename(filename)) = 1"
    )


def models() -> str:
    """Return the query of what the accuracy gate says of each model, one row for each test set that it was shown."""
    key = ", ".join((*key_names(MODEL_KEY), "test_set"))
    facts = ", ".join(f"{name} := {name}" for name in _GATE)
    return (
        f"SELECT {key}, unnest(facts) FROM ("
        f"SELECT {key}, min(struct_pack({facts})) AS facts FROM committed_measurements GROUP BY {key})"
    )


def mixed_fingerprints(relation: str) -> str:
    """Return the query of the comparable settings whose rows have several fingerprints, with the list of these."""
    return (
        f"SELECT {_COMPARABLE}, list(DISTINCT fingerprint) AS found FROM {relation} GROUP BY {_COMPARABLE} "
        "HAVING len(found) > 1"
    )


def commonest_fingerprints(relation: str) -> str:
    """Return the query of the rows that have the fingerprint of most rows of their setting, of equals the first."""
    return (
        f"SELECT * FROM {relation} SEMI JOIN ("
        f"SELECT {_COMPARABLE}, fingerprint FROM {relation} GROUP BY {_COMPARABLE}, fingerprint "
        f"QUALIFY row_number() OVER (PARTITION BY {_COMPARABLE} ORDER BY count(*) DESC, fingerprint) = 1"
        f") USING ({_COMPARABLE}, fingerprint)"
    )


VIEWS: Mapping[str, str] = MappingProxyType(
    {
        "all_measurements": unique_measurements(),
        "measurements": shown_measurements("clean"),
        "paper_measurements": shown_measurements("paper"),
        "failures": open_failures(),
        "models": models(),
        "runs": "SELECT * EXCLUDE (filename) FROM committed_runs ORDER BY run_id",
    }
)
"""The views that every store has, by name, each after those that it reads."""
