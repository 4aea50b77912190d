"""Family ``intervals``: how uncertain the headline measurements are, given the images that there are.

Of each measurement a basic (pivot) bootstrap interval at 95 %, the bias of its resamples, and whether the interval can
be trusted. What is behind it, and how often the intervals cover the true value, is in ``docs/intervals.md``.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.bootstrap import Interval, pivot_interval
from harness.metrics.measurement import Family, Measurement
from harness.metrics.resampling import measure_resamples
from harness.metrics.study import study
from harness.metrics.study_rows import STUDY_ROWS
from harness.metrics.undefined import Undefined

MEASURED = ("ECE_15", "ECE_em_15", "cwCE_15", "cwCE_em_15", "KSCE", "KDECE", "MMCE", "NLL", "Brier", "acc", "HCS")
"""The measurements that have an interval."""

N_RESAMPLES = 1000
"""Number of resamples, of which 25 lie beyond each end."""

LEVEL = 0.95
"""Share of samples of images whose interval should cover the true value."""


def intervals(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> dict[str, float | Undefined]:
    """Return intervals of the headline measurements, with the bias of their resamples and whether they are reliable.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    estimates, replicates = study(probs, labels), measure_resamples(probs, labels, N_RESAMPLES)
    found: dict[str, float | Undefined] = {}
    for name in MEASURED:
        interval = interval_of(estimates[name], replicates[name])
        for suffix, part in _PARTS.items():
            found[f"{name}_{suffix}"] = interval if isinstance(interval, Undefined) else part(interval)
    return found


def interval_of(estimate: float | Undefined, replicates: Float64[np.ndarray, " resamples"]) -> Interval | Undefined:
    """Return the interval of a measurement; undefined where the measurement of all samples or of a resample is.

    Undefined too where all resamples give the same, as the accuracy of a network that makes no mistake.

    Args:
        estimate: The measurement of all samples.
        replicates: The measurement of each resample, NaN where it is undefined.

    Example:
        >>> interval_of(0.5, np.array([0.5, np.nan]))
        Undefined(reason='undefined in 1 of 2 resamples of the images')
    """
    if isinstance(estimate, Undefined):
        return estimate
    if replicates.size > 1 and np.ptp(replicates) == 0:
        return Undefined("the same in all resamples of the images, which then say nothing of its uncertainty")
    if n_undefined := int(np.isnan(replicates).sum()):
        return Undefined(f"undefined in {n_undefined} of {replicates.size} resamples of the images")
    return pivot_interval(estimate, replicates, LEVEL)


def low(interval: Interval) -> float:
    """Return the lower end, which may lie outside of the range of the measurement."""
    return interval.low


def high(interval: Interval) -> float:
    """Return the upper end, which may lie outside of the range of the measurement."""
    return interval.high


def bias(interval: Interval) -> float:
    """Return the mean of the replicates less the estimate."""
    return interval.bias


def reliable(interval: Interval) -> float:
    """Return 1 where the estimate is at least three times its bias, else 0."""
    return float(interval.is_reliable)


_PARTS: Mapping[str, Callable[[Interval], float]] = {"low": low, "high": high, "bias": bias, "reliable": reliable}


def _rows(measurement: Measurement) -> tuple[Measurement, ...]:
    """Return the rows of the interval of one measurement."""
    name = measurement.name
    resampled = f"q the values of {name} of {N_RESAMPLES:,} resamples of the N samples with replacement"
    meanings = {
        "low": (f"lower end of the 95 % pivot interval of {name}", f"2 {name} - 97.5 % quantile of q; {resampled}"),
        "high": (f"upper end of the 95 % pivot interval of {name}", f"2 {name} - 2.5 % quantile of q; {resampled}"),
        "bias": (f"by how much resamples of the images exceed {name}", f"mean q - {name}; {resampled}"),
        "reliable": (
            f"whether {name} exceeds the bias of its resamples three times, else its interval covers too seldom",
            f"[{name} >= 3 |{name}_bias|]",
        ),
    }
    return tuple(
        Measurement(
            name=f"{name}_{part}",
            n_bins=measurement.n_bins,
            unit="1" if part == "reliable" else measurement.unit,
            lower=0.0 if part == "reliable" else None,
            upper=1.0 if part == "reliable" else None,
            higher_is_better=None,
            definition=definition,
            formula=formula,
            source="Davison, Hinkley, Bootstrap Methods and their Application, Cambridge University Press, 1997",
            function=_PARTS[part],
            of=name,
        )
        for part, (definition, formula) in meanings.items()
    )


INTERVALS = Family(
    "intervals",
    version=1,
    measurements=tuple(row for measured in STUDY_ROWS if measured.name in MEASURED for row in _rows(measured)),
    function=intervals,
)
