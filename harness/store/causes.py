"""What units have failed of: those whose messages differ in the number of a record alone have one cause."""

from collections.abc import Collection
from typing import NamedTuple

from harness.store.reader import Store
from harness.store.schema import MODEL_KEY, UNIT_KEY, key_names
from harness.store.sql import sql_texts

_UNIT, _MODEL = (", ".join(key_names(key)) for key in (UNIT_KEY, MODEL_KEY))
_FIRST = "concat_ws(' ', space, arch_index, dataset, 'hp', hp, 'seed', seed, protocol, condition)"
_WITHOUT_NUMBER = r"regexp_replace(message, '\d{6}\.(pickle\.pbz2|safetensors)', 'N.\1', 'g')"


class Cause(NamedTuple):
    """Units that have failed of the same.

    Attributes:
        is_of_study: Whether they are among those that were asked for.
        n_units: How many.
        n_networks: How many networks they are of.
        stage: Where they failed.
        type: Name of the exception.
        first: The first of them, in words.
        message: Its message.
    """

    is_of_study: bool
    n_units: int
    n_networks: int
    stage: str
    type: str
    first: str
    message: str


def find_causes(store: Store, fingerprints: Collection[str] | None = None) -> list[Cause]:
    """Return why units of a store have failed: first those of the study, of these the commonest cause first.

    Args:
        store: The store.
        fingerprints: Those of the units of the study; None if all are.
    """
    listed = sql_texts(sorted(fingerprints or ()))
    is_of_study = f"coalesce(fingerprint IN {listed}, {fingerprints is None})"
    found = store.sql(
        f"SELECT {is_of_study} AS is_of_study, count(*) AS n_units, count(DISTINCT ({_MODEL})), stage, type, "
        f"min_by({_FIRST}, ({_UNIT})) AS first, min_by(message, ({_UNIT})) FROM failures WHERE kind = 'failed' "
        f"GROUP BY {is_of_study}, stage, type, {_WITHOUT_NUMBER} ORDER BY is_of_study DESC, n_units DESC, first"
    )
    return [Cause(*row) for row in found.fetchall()]
