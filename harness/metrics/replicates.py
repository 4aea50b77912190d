"""Family ``replicates``: the headline measurements of each of a few resamples of the images, as lists."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.measurement import Family
from harness.metrics.resampling import HEADLINE, N_REPLICATES, measure_resamples
from harness.metrics.study_rows import STUDY_ROWS


def replicates(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> dict[str, list[float | None]]:
    """Return the headline measurements of 20 resamples of the images, each a list in the order of the resamples.

    Args:
        probs: As in `measure_resamples`.
        labels: As in `measure_resamples`.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong.
    """
    found = measure_resamples(probs, labels)
    return {
        f"{name}_replicates": [None if np.isnan(value) else value for value in values.tolist()]
        for name, values in found.items()
    }


REPLICATES_FAMILY = Family(
    "replicates",
    version=2,
    measurements=tuple(
        replace(
            row,
            name=f"{row.name}_replicates",
            definition=f"{row.name} of each of {N_REPLICATES} resamples of the images, the same for all networks",
            formula=f"{row.name} of N samples drawn with replacement; null in a resample where it is undefined",
            published=None,
            published_in=(),
            of=row.name,
        )
        for row in STUDY_ROWS
        if row.name in HEADLINE
    ),
    function=replicates,
)
"""The family whose values are lists; `measure_resamples` computes them."""
