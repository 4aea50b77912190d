"""Post-hoc calibrators: fitted on logits and labels, applied to logits, giving probabilities."""

from harness.calibrators.abstract import AbstractCalibrator, AbstractFitted
from harness.calibrators.registry import get, names

__all__ = ["AbstractCalibrator", "AbstractFitted", "get", "names"]
