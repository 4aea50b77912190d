"""Calibration measurements: pure functions of probabilities and labels, and the dictionary of what they mean."""

from harness.metrics.dictionary import MEASUREMENTS, Measurement
from harness.metrics.families import FAMILIES, Family, Measured, family, measure, measure_with_reasons
from harness.metrics.predictions import softmax
from harness.metrics.top_label import ReliabilityBins, reliability_bins

__all__ = [
    "FAMILIES",
    "MEASUREMENTS",
    "Family",
    "Measured",
    "Measurement",
    "ReliabilityBins",
    "family",
    "measure",
    "measure_with_reasons",
    "reliability_bins",
    "softmax",
]
