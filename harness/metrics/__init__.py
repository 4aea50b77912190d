"""Calibration measurements: pure functions of probabilities and labels, and the dictionary of what they mean."""

from harness.metrics.dictionary import MEASUREMENTS
from harness.metrics.families import FAMILIES, OOD_FAMILY, Family, Measured, family, measure, measure_with_reasons
from harness.metrics.measurement import Measurement
from harness.metrics.ood import energy, measure_ood
from harness.metrics.predictions import softmax
from harness.metrics.published import measure_as_published, softmax_float32
from harness.metrics.top_label import ReliabilityBins, reliability_bins

__all__ = [
    "FAMILIES",
    "MEASUREMENTS",
    "OOD_FAMILY",
    "Family",
    "Measured",
    "Measurement",
    "ReliabilityBins",
    "energy",
    "family",
    "measure",
    "measure_as_published",
    "measure_ood",
    "measure_with_reasons",
    "reliability_bins",
    "softmax",
    "softmax_float32",
]
