"""Calibration measurements: pure functions of probabilities and labels, and the dictionary of what they mean."""

from harness.metrics.bootstrap import Interval, pivot_interval
from harness.metrics.families import (
    FAMILIES,
    MEASUREMENTS,
    OTHER_FAMILIES,
    Measured,
    family,
    is_own_family,
    label_families,
    measure,
    measure_with_reasons,
)
from harness.metrics.measurement import Family, Measurement
from harness.metrics.ood import OOD_FAMILY, energy, measure_ood
from harness.metrics.predictions import softmax
from harness.metrics.published import measure_as_published, softmax_float32
from harness.metrics.replicates import REPLICATES_FAMILY
from harness.metrics.resampling import measure_resamples
from harness.metrics.top_label import ReliabilityBins, reliability_bins
from harness.metrics.undefined import Undefined

__all__ = [
    "FAMILIES",
    "MEASUREMENTS",
    "OOD_FAMILY",
    "OTHER_FAMILIES",
    "REPLICATES_FAMILY",
    "Family",
    "Interval",
    "Measured",
    "Measurement",
    "ReliabilityBins",
    "Undefined",
    "energy",
    "family",
    "is_own_family",
    "label_families",
    "measure",
    "measure_as_published",
    "measure_ood",
    "measure_resamples",
    "measure_with_reasons",
    "pivot_interval",
    "reliability_bins",
    "softmax",
    "softmax_float32",
]
