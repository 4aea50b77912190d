"""What the dictionary says: of a measurement its name, range, direction and meaning, and which are taken together."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.metrics.undefined import Undefined

_NAME = r"[A-Za-z][A-Za-z0-9_]*"

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measurement of the predictions of one model: a row of the dictionary.

    Attributes:
        name: Key of `measure` or `measure_ood`, and column of the store.
        family: Family that it belongs to, which fills this in.
        n_bins: Number of bins, None for a measurement without.
        unit: ``probability`` (a probability or a difference of two), ``nat``, ``probability^2``, ``fraction`` (of the
            samples) or ``1``.
        lower: Smallest possible value, None where there is no bound.
        upper: Largest possible value, None where there is no bound.
        higher_is_better: Direction, None where neither is better.
        definition: What it is, in words.
        formula: The same exactly; N samples, K classes, M bins, n_b samples in bin b, class probabilities p_k,
            confidence c = max_k p_k, r = 1 where the prediction is right and else 0, means over the samples of a bin
            or of all.
        source: Publication whose definition it is.
        function: What computes it.
        published: Column of the published tables that holds it, without ``pre_`` or ``post_``; None if none does. Two
            measurements share the columns ``cwCE_em_M``, see `published_in`. Also None of ``ood_auroc``, which they
            hold in a column per set of images.
        published_in: Search spaces whose published tables hold it under that name.
        of: Measurement of whose uncertainty it tells, with whose name its own begins; None for any other.

    Raises:
        ValueError: If the name has other characters than letters, digits and _, a text is missing, or no value is
            possible.
    """

    name: str
    family: str = ""
    n_bins: int | None = None
    unit: str = "probability"
    lower: float | None = 0.0
    upper: float | None = 1.0
    higher_is_better: bool | None = False
    definition: str
    formula: str
    source: str
    function: Callable[..., float | Undefined]
    published: str | None = None
    published_in: tuple[str, ...] = ()
    of: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(_NAME, self.name):
            raise ValueError(f"measurement: expected a name of letters, digits and _, got {self.name!r}")
        for field in ("unit", "definition", "formula", "source"):
            text = getattr(self, field)
            if not isinstance(text, str) or not text:
                raise ValueError(f"measurement {self.name}: expected {field} to be a text, got {text!r}")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"measurement {self.name}: expected lower <= upper, got {self.lower} and {self.upper}")

    def admits(self, value: float) -> bool:
        """Return whether a value lies in the range, but for rounding."""
        low = -math.inf if self.lower is None else self.lower - _ROUNDING
        high = math.inf if self.upper is None else self.upper + _ROUNDING
        return bool(low <= value <= high)

    @property
    def metric(self) -> str:
        """The name without the number of bins, such as ``ECE`` of ``ECE_15``."""
        return self.name.removesuffix(f"_{self.n_bins}")


@dataclass(frozen=True, slots=True)
class Family:
    """Measurements that are always taken together.

    Attributes:
        name: Name by which the store records the family: letters, digits and _, a letter first.
        version: Raised whenever a number of the family changes its meaning.
        measurements: Its rows of the dictionary, in the order in which `function` returns their values.
        function: Returns the value of each by its name, a float or `Undefined`, of checked (probs, labels); for the
            family ``ood`` of the arguments of `measure_ood`, and for ``replicates`` a list.

    Raises:
        ValueError: If a name has other characters, a measurement is listed twice, or there is none.

    Example:
        >>> size = Measurement(name="size", unit="1", definition="samples", formula="N", source="none", function=len)
        >>> Family("sizes", version=1, measurements=(size,), function=lambda probs, labels: {"size": len(labels)}).tag
        'sizes@1'
    """

    name: str
    version: int
    measurements: tuple[Measurement, ...]
    function: Callable[..., Mapping[str, Any]]

    def __post_init__(self) -> None:
        if not re.fullmatch(_NAME, self.name):
            raise ValueError(f"family: expected a name of letters, digits and _, got {self.name!r}")
        names = [row.name for row in self.measurements]
        if not names or len({name.lower() for name in names}) < len(names):  # SQL does not tell case
            raise ValueError(f"family {self.name}: expected measurements, each listed once, got {', '.join(names)}")
        if not isinstance(self.version, int) or self.version < 1:
            raise ValueError(f"family {self.name}: expected a whole version of at least 1, got {self.version!r}")
        rows = tuple(replace(row, family=self.name) for row in self.measurements)
        object.__setattr__(self, "measurements", rows)  # frozen for everyone else

    @property
    def members(self) -> tuple[str, ...]:
        """The names of its measurements."""
        return tuple(row.name for row in self.measurements)

    @property
    def tag(self) -> str:
        """Name and version as the store records them, such as ``study@1``."""
        return f"{self.name}@{self.version}"


def at_bin_counts(binned: Measurement, bin_counts: Sequence[int]) -> tuple[Measurement, ...]:
    """Return the rows of a measurement at several numbers of bins, named ``ECE_5``, ``ECE_10`` and so on.

    Args:
        binned: The row, named without a number of bins, as is its published column.
        bin_counts: The numbers of bins.

    Example:
        >>> error = Measurement(name="ECE", definition="gap", formula="mean |c - r|", source="none", function=abs)
        >>> [row.name for row in at_bin_counts(error, (5, 10))]
        ['ECE_5', 'ECE_10']
    """
    return tuple(
        replace(
            binned,
            name=f"{binned.name}_{n_bins}",
            n_bins=n_bins,
            published=binned.published and f"{binned.published}_{n_bins}",
        )
        for n_bins in bin_counts
    )
