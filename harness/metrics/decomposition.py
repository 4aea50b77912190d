"""Family ``decomposition``: the Brier score and the log loss of the confidence, each taken apart into three parts.

The event is "the prediction is right", so these are not the scores of all K probabilities (`harness.metrics.proper`).
Let S(q) be the mean score of forecasts q of it, c the confidences, q* the best forecasts that do not fall as c rises
(isotonic regression of r on c, equal c pooled), and a the accuracy. Then exactly, without bins,

    ``S(c) = [S(c) - S(q*)] - [S(a) - S(q*)] + S(a) = miscalibration - discrimination + uncertainty``.

Miscalibration and discrimination are never negative, and discrimination depends on the order of the confidences alone;
uncertainty - discrimination = S(q*) is what is called refinement. q* is fitted to the samples that it is scored on,
so both are somewhat too large on few samples.

Reference:
    Dimitriadis, Gneiting, Jordan, "Stable reliability diagrams for probabilistic classifiers", PNAS 2021 (CORP); the
    terms are reliability, resolution and uncertainty in Murphy, "A New Vector Partition of the Probability Score",
    Journal of Applied Meteorology 1973, where forecasts take few values; with bins of unequal c his sum is not exact.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Integer
from scipy.optimize import isotonic_regression
from scipy.special import xlog1py, xlogy

from harness.metrics.measurement import Family, Measurement
from harness.metrics.predictions import Ranked, rank_top_label
from harness.metrics.undefined import Undefined


class Levels(NamedTuple):
    """The distinct confidences, ascending, and three forecasts of each level.

    Attributes:
        weight: Share of the samples at each level.
        frequency: Share of right predictions among them.
        confidence: The confidence itself.
        recalibrated: The best forecast that does not fall as the confidence rises.
        base: The accuracy, the same at every level.
    """

    weight: Float64[np.ndarray, " levels"]
    frequency: Float64[np.ndarray, " levels"]
    confidence: Float64[np.ndarray, " levels"]
    recalibrated: Float64[np.ndarray, " levels"]
    base: Float64[np.ndarray, " levels"]


Score = Callable[[Levels, Float64[np.ndarray, " levels"]], float]
"""A mean proper score of a forecast per level: `brier` or `log_loss`."""


def decomposition(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> dict[str, float | Undefined]:
    """Return two scores of the confidence, each with its three exact parts.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    found = levels(rank_top_label(probs, labels))
    return {
        f"{name}{part}": measurement(found, score)
        for name, score in (("Brier_top", brier), ("NLL_top", log_loss))
        for part, measurement in (
            ("", total),
            ("_miscalibration", miscalibration),
            ("_discrimination", discrimination),
            ("_uncertainty", uncertainty),
        )
    }


def levels(top: Ranked) -> Levels:
    """Return the distinct confidences with what was observed at each and the recalibrated forecasts.

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> levels(rank(np.array([0.5, 0.75, 0.875]), np.array([True, False, True]))).recalibrated.tolist()
        [0.5, 0.5, 1.0]
    """
    confidence, first, counts = np.unique(top.probability, return_index=True, return_counts=True)
    frequency = np.add.reduceat(top.outcome.astype(np.float64), first) / counts
    recalibrated = isotonic_regression(frequency, weights=counts.astype(np.float64)).x
    base = np.full(confidence.size, top.outcome.mean())
    return Levels(counts / top.probability.size, frequency, confidence, recalibrated, base)


def brier(found: Levels, forecast: Float64[np.ndarray, " levels"]) -> float:
    """Return the mean of (forecast - r)^2, in [0, 1], lower is better."""
    right, wrong = found.frequency, 1 - found.frequency
    return float(np.sum(found.weight * (right * (1 - forecast) ** 2 + wrong * forecast**2)))


def log_loss(found: Levels, forecast: Float64[np.ndarray, " levels"]) -> float:
    """Return the mean of -log(forecast) where right and -log(1 - forecast) where wrong, in nats, lower is better."""
    right, wrong = found.frequency, 1 - found.frequency
    return float(np.sum(found.weight * np.abs(xlogy(right, forecast) + xlog1py(wrong, -forecast))))


def total(found: Levels, score: Score) -> float | Undefined:
    """Return the score of the confidences, at least 0, lower is better; undefined where it is infinite.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> total(levels(rank(np.array([0.5, 0.75]), np.array([False, True]))), brier)
        0.15625
    """
    value = score(found, found.confidence)
    return value if np.isfinite(value) else Undefined("infinite: a wrong prediction has confidence 1")


def miscalibration(found: Levels, score: Score) -> float | Undefined:
    """Return what recalibration gains, at least 0, lower is better; undefined where the score is infinite.

    ``S(c) - S(q*)``: 0 where the confidences are already the recalibrated forecasts.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> miscalibration(levels(rank(np.array([0.5, 0.75]), np.array([False, True]))), brier)
        0.15625
    """
    value = total(found, score)
    return value if isinstance(value, Undefined) else max(0.0, value - score(found, found.recalibrated))


def discrimination(found: Levels, score: Score) -> float:
    """Return what the order of the confidences gains over the accuracy alone, at least 0, higher is better.

    ``S(a) - S(q*)``: 0 where no order is learnt, the uncertainty where every right prediction ranks above every wrong.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> discrimination(levels(rank(np.array([0.5, 0.75]), np.array([False, True]))), brier)
        0.25
    """
    return max(0.0, score(found, found.base) - score(found, found.recalibrated))


def uncertainty(found: Levels, score: Score) -> float:
    """Return the score of the accuracy a as the forecast of every sample, at least 0.

    ``S(a)``: a (1 - a) for `brier`, ``-a log a - (1 - a) log(1 - a)`` for `log_loss`.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> uncertainty(levels(rank(np.array([0.5, 0.75]), np.array([False, True]))), brier)
        0.25
    """
    return score(found, found.base)


_CORP = "Dimitriadis, Gneiting, Jordan, Stable reliability diagrams for probabilistic classifiers, PNAS 2021 (CORP)"


def _rows(name: str, score: str, formula: str, *, unit: str, upper: float | None, null: str) -> tuple[Measurement, ...]:
    """Return the rows of one score of the confidence and of its parts."""
    where = f"S = {formula}; q* = isotonic regression of r on c, a = mean r"
    parts = (
        ("", f"{score} of the confidence as a forecast that the prediction is right{null}", "S(c)", False, total),
        ("_miscalibration", f"what recalibrating the confidence gains{null}", "S(c) - S(q*)", False, miscalibration),
        (
            "_discrimination",
            "what the order of the confidences gains over the accuracy alone",
            "S(a) - S(q*)",
            True,
            discrimination,
        ),
        ("_uncertainty", "score of the accuracy as the forecast of every sample", "S(a)", None, uncertainty),
    )
    return tuple(
        Measurement(
            name=f"{name}{part}",
            unit=unit,
            upper=upper,
            higher_is_better=higher_is_better,
            definition=definition,
            formula=f"{of_part}; {where}",
            source=_CORP,
            function=function,
        )
        for part, definition, of_part, higher_is_better, function in parts
    )


DECOMPOSITION = Family(
    "decomposition",
    version=1,
    measurements=(
        *_rows("Brier_top", "squared error", "mean (q - r)^2", unit="probability^2", upper=1.0, null=""),
        *_rows(
            "NLL_top",
            "log loss",
            "mean -log q where r = 1, -log(1 - q) where r = 0",
            unit="nat",
            upper=None,
            null="; null where it is infinite",
        ),
    ),
    function=decomposition,
)
