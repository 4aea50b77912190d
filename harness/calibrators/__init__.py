"""Post-hoc calibrators: fitted on logits and labels, applied to logits, giving probabilities."""

from harness.calibrators.abstract import AbstractFitted, Calibrator
from harness.calibrators.registry import get, names

__all__ = ["AbstractFitted", "Calibrator", "get", "names"]
