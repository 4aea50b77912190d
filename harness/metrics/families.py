"""The entry point: which families of measurements there are, and `measure`, which checks, computes and reports them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.checks import require_predictions
from harness.metrics.dictionary import MEASUREMENTS
from harness.metrics.study import study
from harness.metrics.undefined import Undefined


@dataclass(frozen=True, slots=True)
class Family:
    """Measurements that are always taken together.

    Attributes:
        name: Name by which a study asks for the family.
        version: Raised whenever a number of the family changes its meaning.
        members: Names of its measurements, in the order of the dictionary.
        function: Takes checked (probs, labels), returns each member by its name.
    """

    name: str
    version: int
    members: tuple[str, ...]
    function: Callable[[np.ndarray, np.ndarray], dict[str, float | Undefined]]

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


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "study": Family(
            name="study",
            version=1,
            members=tuple(row.name for row in MEASUREMENTS if row.family == "study"),
            function=study,
        ),
    }
)
"""Every family by its name."""


def family(name: str) -> Family:
    """Return the family of that name.

    Raises:
        ValueError: If there is none.
    """
    if name not in FAMILIES:
        raise ValueError(f"family: expected one of {', '.join(sorted(FAMILIES))}, got {name!r}")
    return FAMILIES[name]


def measure(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], families: Sequence[str] = ("study",)
) -> dict[str, float | None]:
    """Return each measurement of the families by its name, None where it is undefined.

    Args:
        probs: Class probabilities, float64, shape (n, classes), n >= 1, classes >= 2, rows summing to 1 within 1e-5.
        labels: Classes, integer, shape (n,), in 0 .. classes - 1.
        families: Names of the families, at least one.

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
    wanted = [family(name) for name in families]
    require_predictions(probs, labels)
    results = {name: result for member in wanted for name, result in member.function(probs, labels).items()}
    return Measured(
        values={name: None if isinstance(result, Undefined) else result for name, result in results.items()},
        reasons={name: result.reason for name, result in results.items() if isinstance(result, Undefined)},
    )
