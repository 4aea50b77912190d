"""Which families of measurements there are, and `measure`, which checks, computes and reports those of labels.

A family is a file, with its rows of the dictionary beside the functions that compute them; here it is a line.
The family ``ood`` takes no labels but a second set of images: its entry point is `harness.metrics.ood.measure_ood`.
"""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics import own
from harness.metrics.accuracy import ACCURACY
from harness.metrics.checks import require_predictions
from harness.metrics.debiased import DEBIASED
from harness.metrics.decomposition import DECOMPOSITION
from harness.metrics.intervals import INTERVALS
from harness.metrics.measurement import Family, Measurement
from harness.metrics.ood import OOD_FAMILY
from harness.metrics.replicates import REPLICATES_FAMILY
from harness.metrics.selective import SELECTIVE
from harness.metrics.sharpness import SHARPNESS
from harness.metrics.signed import SIGNED
from harness.metrics.smooth import SMOOTH
from harness.metrics.study import STUDY
from harness.metrics.undefined import Undefined


class Measured(NamedTuple):
    """Measurements of one set of predictions.

    Attributes:
        values: Each measurement by its name, None where it is undefined.
        reasons: Why, for each that is None.
    """

    values: dict[str, float | None]
    reasons: dict[str, str]


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "study": STUDY,
        "debiased": DEBIASED,
        "smooth": SMOOTH,
        "signed": SIGNED,
        "decomposition": DECOMPOSITION,
        "accuracy": ACCURACY,
        "selective": SELECTIVE,
        "sharpness": SHARPNESS,
        "intervals": INTERVALS,
    }
)
"""Every family that `measure` computes, by its name."""

OTHER_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {OOD_FAMILY.name: OOD_FAMILY, REPLICATES_FAMILY.name: REPLICATES_FAMILY}
)
"""Families with an entry point of their own, `measure_ood` and `measure_resamples`."""

_BUILT_IN = {**FAMILIES, **OTHER_FAMILIES}

MEASUREMENTS: tuple[Measurement, ...] = tuple(
    row for member in (*FAMILIES.values(), OOD_FAMILY) for row in member.measurements
)
"""The dictionary: every measurement, in the order in which `measure` and `measure_ood` return theirs."""


def family(name: str) -> Family:
    """Return the family of that name: one of `FAMILIES`, of `OTHER_FAMILIES`, or one of the user's own.

    Args:
        name: Its name; of one of the user's own, the file that ends in ``.py`` or the importable module, with a dot in
            its name, whose ``FAMILY`` it is. A process loads it once.

    Raises:
        ValueError: If there is none, or the user's own cannot be loaded or takes a name that is ours.

    Example:
        >>> family("ood").tag
        'ood@1'
    """
    if own.is_own(name):
        return _own(str(Path(name).absolute()) if own.is_file(name) else name)
    return _named(name, _BUILT_IN)


@functools.cache
def _own(place: str) -> Family:
    found = own.load(place)
    for ours in _BUILT_IN.values():
        _require_apart(ours, found)
    return found


def label_families(names: Sequence[str]) -> tuple[Family, ...]:
    """Return families of labelled predictions that can stand in one row.

    Args:
        names: Names of families of `FAMILIES`, ``replicates``, files and modules of the user's own, as for `family`.

    Raises:
        ValueError: If one is unknown, cannot be loaded, or shares its name or a measurement with another.

    Example:
        >>> [member.tag for member in label_families(["study", "signed"])]
        ['study@1', 'signed@1']
    """
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"families: expected a list of at least one family name, got {names!r}")
    found = tuple(family(name) if own.is_own(name) else _label_family(name) for name in names)
    for one, other in itertools.combinations(found, 2):
        if one is not other and (is_own_family(one) or is_own_family(other)):
            _require_apart(one, other)
    return found


def is_own_family(member: Family) -> bool:
    """Return whether a family is one of the user's own.

    Example:
        >>> is_own_family(family("study"))
        False
    """
    return _BUILT_IN.get(member.name) is not member


def _require_apart(one: Family, other: Family) -> None:
    """Refuse two families that the store could not tell apart; SQL does not tell case."""
    if one.name.lower() == other.name.lower():
        raise ValueError(f"family {other.name}: there is another family {one.name}; give it another name")
    taken = {name.lower() for name in one.members}
    shared = [name for name in other.members if name.lower() in taken]
    if shared:
        raise ValueError(
            f"family {other.name}: the family {one.name} has a measurement {shared[0]} too; give it another name"
        )


def _label_family(name: str) -> Family:
    if name == OOD_FAMILY.name:
        raise ValueError(
            f"family: {name} compares the predictions of two image sets, use harness.metrics.measure_ood(probs, "
            f"ood_probs, energies, ood_energies); measure takes {', '.join(sorted(FAMILIES))}"
        )
    return _named(name, {**FAMILIES, REPLICATES_FAMILY.name: REPLICATES_FAMILY})


def _named(name: str, known: Mapping[str, Family]) -> Family:
    if name not in known:
        raise ValueError(
            f"family: expected one of {', '.join(sorted(known))}, a file that ends in .py or a module with a dot in "
            f"its name, got {name!r}"
        )
    return known[name]


def measure(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], families: Sequence[str] = ("study",)
) -> dict[str, float | None]:
    """Return each measurement of the families by its name, None where it is undefined.

    Args:
        probs: Class probabilities, float64, shape (n, classes), n >= 1, classes >= 2, rows summing to 1 within 1e-5.
        labels: Classes, integer, shape (n,), in 0 .. classes - 1.
        families: At least one: names of families of `FAMILIES`, files or modules of your own, as for `family`.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong, a family unknown, or what a family of your own returns is wrong.

    Example:
        >>> values = measure(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))
        >>> values["ECE_15"], values["acc"], values["KDECE"]
        (0.25, 0.5, None)
    """
    return measure_with_reasons(probs, labels, families).values


def measure_with_reasons(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], families: Sequence[str] = ("study",)
) -> Measured:
    """Return what `measure` returns, and for each None why it is undefined.

    Args:
        probs: As in `measure`.
        labels: As in `measure`.
        families: As in `measure`.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: As in `measure`.

    Example:
        >>> measure_with_reasons(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1])).reasons["KDECE"]
        'the bandwidth takes two right predictions, there are 1'
    """
    wanted = label_families(families)
    if REPLICATES_FAMILY in wanted:
        raise ValueError(
            "family: the values of replicates are lists, use harness.metrics.measure_resamples(probs, labels)"
        )
    require_predictions(probs, labels)
    probs, labels = probs.view(), labels.view()
    probs.flags.writeable = labels.flags.writeable = False  # what one family does is nothing to the next
    results = {name: result for member in wanted for name, result in _results(member, probs, labels).items()}
    return Measured(
        values={name: None if isinstance(result, Undefined) else float(result) for name, result in results.items()},
        reasons={name: result.reason for name, result in results.items() if isinstance(result, Undefined)},
    )


def _results(
    member: Family, probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> dict[str, float | Undefined]:
    """Return what a family computes, in the order of its rows, refused where it is not what the rows say."""
    results = _computed(member, probs, labels)
    if not isinstance(results, Mapping) or set(results) != set(member.members):
        got = ", ".join(map(str, results)) if isinstance(results, Mapping) else repr(results)
        raise ValueError(
            f"family {member.name}: expected its function to return {', '.join(member.members)} by name, got {got}"
        )
    for row in member.measurements:
        value = results[row.name]
        if isinstance(value, Undefined):
            continue
        if not (isinstance(value, float) and math.isfinite(value)):
            raise ValueError(
                f"family {member.name}: expected {row.name} to be a finite float or Undefined(reason), got {value!r}"
            )
        if is_own_family(member) and not row.admits(value):
            raise ValueError(
                f"family {member.name}: expected {row.name} in the range of its row, {row.lower} to {row.upper}, got "
                f"{value!r}"
            )
    return {name: results[name] for name in member.members}


def _computed(member: Family, probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> Any:  # noqa: ANN401 - what a function of the user's returns is checked by who calls this
    if not is_own_family(member):
        return member.function(probs, labels)
    try:
        return member.function(probs, labels)
    except Exception as error:  # the user's code may raise anything; who called it should know whose it is
        raise ValueError(f"family {member.name}: its function raised {type(error).__name__}: {error}") from error
