"""Which families of measurements there are, and `measure`, which checks, computes and reports those of labels.

The family ``ood`` takes no labels but a second set of images: its entry point is `harness.metrics.ood.measure_ood`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.accuracy import accuracy
from harness.metrics.checks import require_predictions
from harness.metrics.debiased import debiased
from harness.metrics.decomposition import decomposition
from harness.metrics.dictionary import MEASUREMENTS
from harness.metrics.ood import measure_ood
from harness.metrics.selective import selective
from harness.metrics.sharpness import sharpness
from harness.metrics.signed import signed
from harness.metrics.study import study
from harness.metrics.undefined import Undefined


@dataclass(frozen=True, slots=True)
class Family:
    """Measurements that are always taken together.

    Attributes:
        name: Name by which a study asks for the family.
        version: Raised whenever a number of the family changes its meaning.
        members: Names of its measurements, in the order of the dictionary.
        function: Returns each member by its name: of checked (probs, labels) for a family of `FAMILIES`, of the
            arguments of `measure_ood` for `OOD_FAMILY`.
    """

    name: str
    version: int
    members: tuple[str, ...]
    function: Callable[..., Mapping[str, float | Undefined]]

    @property
    def tag(self) -> str:
        """Name and version as the store records them, such as ``study@1``."""
        return f"{self.name}@{self.version}"


class Measured(NamedTuple):
    """Measurements of one set of predictions.

    Attributes:
        values: Each measurement by its name, None where it is undefined.
        reasons: Why, for each that is None.
    """

    values: dict[str, float | None]
    reasons: dict[str, str]


def _family(name: str, function: Callable[..., Mapping[str, float | Undefined]], *, version: int) -> Family:
    return Family(name, version, tuple(row.name for row in MEASUREMENTS if row.family == name), function)


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "study": _family("study", study, version=1),
        "debiased": _family("debiased", debiased, version=1),
        "signed": _family("signed", signed, version=1),
        "decomposition": _family("decomposition", decomposition, version=1),
        "accuracy": _family("accuracy", accuracy, version=1),
        "selective": _family("selective", selective, version=1),
        "sharpness": _family("sharpness", sharpness, version=1),
    }
)
"""Every family that `measure` computes, by its name."""

OOD_FAMILY = _family("ood", measure_ood, version=1)
"""The family that compares predictions of two sets of images; `measure_ood` computes it."""


def family(name: str) -> Family:
    """Return the family of that name: one of `FAMILIES`, or `OOD_FAMILY`.

    Raises:
        ValueError: If there is none.

    Example:
        >>> family("ood").tag
        'ood@1'
    """
    return _named(name, {**FAMILIES, OOD_FAMILY.name: OOD_FAMILY})


def _label_family(name: str) -> Family:
    if name == OOD_FAMILY.name:
        raise ValueError(
            f"family: {name} compares the predictions of two image sets, use harness.metrics.measure_ood(probs, "
            f"ood_probs, energies, ood_energies); measure takes {', '.join(sorted(FAMILIES))}"
        )
    return _named(name, FAMILIES)


def _named(name: str, known: Mapping[str, Family]) -> Family:
    if name not in known:
        raise ValueError(f"family: expected one of {', '.join(sorted(known))}, got {name!r}")
    return known[name]


def measure(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], families: Sequence[str] = ("study",)
) -> dict[str, float | None]:
    """Return each measurement of the families by its name, None where it is undefined.

    Args:
        probs: Class probabilities, float64, shape (n, classes), n >= 1, classes >= 2, rows summing to 1 within 1e-5.
        labels: Classes, integer, shape (n,), in 0 .. classes - 1.
        families: Names of families of `FAMILIES`, at least one.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong, or a family unknown.

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
        ValueError: If a shape or a value is wrong, or a family unknown.

    Example:
        >>> measure_with_reasons(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1])).reasons["KDECE"]
        'the bandwidth takes two right predictions, there are 1'
    """
    if isinstance(families, str) or not families:
        raise ValueError(f"families: expected a list of at least one family name, got {families!r}")
    wanted = [_label_family(name) for name in families]
    require_predictions(probs, labels)
    results = {name: result for member in wanted for name, result in member.function(probs, labels).items()}
    return Measured(
        values={name: None if isinstance(result, Undefined) else result for name, result in results.items()},
        reasons={name: result.reason for name, result in results.items() if isinstance(result, Undefined)},
    )
