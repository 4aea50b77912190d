"""What a row of the dictionary of measurements says."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.metrics.undefined import Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measurement of the predictions of one model.

    Attributes:
        name: Key of `measure` or `measure_ood`, and column of the store.
        family: Family that it belongs to.
        n_bins: Number of bins, None for a measurement without.
        unit: ``probability`` (a probability or a difference of two), ``nat``, ``probability^2``, ``fraction`` (of the
            samples) or ``1``.
        lower: Smallest possible value.
        upper: Largest possible value, None where there is no bound.
        higher_is_better: Direction, None where neither is better.
        definition: Formula; N samples, K classes, confidence c = max_k p_k, r = 1 where the prediction is right.
        source: Publication whose definition it is.
        function: What computes it.
        published: Column of the published tables that holds it, without ``pre_`` or ``post_``; None if none does. Two
            measurements share the columns ``cwCE_em_M``, see `published_in`. Also None of ``ood_auroc``, which they
            hold in a column per set of images.
        published_in: Search spaces whose published tables hold it under that name.
    """

    name: str
    family: str = "study"
    n_bins: int | None = None
    unit: str = "probability"
    lower: float = 0.0
    upper: float | None = 1.0
    higher_is_better: bool | None = False
    definition: str
    source: str
    function: Callable[..., float | Undefined]
    published: str | None = None
    published_in: tuple[str, ...] = ()
