"""Statistics of rankings, pure functions of arrays: how far they agree, how certain that is, how well one repeats."""

from harness.statistics.confidence import confidence_gap
from harness.statistics.ranks import kendall_matrix, kendall_tau, kendall_taus, partial_taus, spearman_rho
from harness.statistics.uncertainty import (
    Agreement,
    Estimates,
    Interval,
    few_resamples_interval,
    noise_ceiling,
    over_networks,
    rank_agreement,
    with_intervals,
)

__all__ = [
    "Agreement",
    "Estimates",
    "Interval",
    "confidence_gap",
    "few_resamples_interval",
    "kendall_matrix",
    "kendall_tau",
    "kendall_taus",
    "noise_ceiling",
    "over_networks",
    "partial_taus",
    "rank_agreement",
    "spearman_rho",
    "with_intervals",
]
