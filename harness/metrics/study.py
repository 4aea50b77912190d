"""Family ``study``: the 50 measurements of the benchmark study for one set of predictions, and what explains them.

The confidences and the probabilities of each class are sorted once; everything binned shares them.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.binning import BIN_COUNTS
from harness.metrics.classwise_at_once import classwise_measurements
from harness.metrics.kernel import kernel_density_calibration_error, max_mean_calibration_error
from harness.metrics.predictions import rank_top_label
from harness.metrics.proper import brier_loss_sum, negative_log_likelihood
from harness.metrics.top_label import (
    accuracy,
    correct_confidence,
    equal_mass_calibration_error,
    expected_calibration_error,
    harmonic_calibration_score,
    incorrect_confidence,
    kolmogorov_smirnov_calibration_error,
    max_calibration_error,
)
from harness.metrics.undefined import Undefined

_RankedT = TypeVar("_RankedT")


def study(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> dict[str, float | Undefined]:
    """Return every measurement of the family by its name; what each means is in `harness.metrics.dictionary`.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    top = rank_top_label(probs, labels)
    classwise = classwise_measurements(probs, labels)
    brier_sum = brier_loss_sum(probs, labels)
    return {
        **_for_each_bin_count("ECE", expected_calibration_error, top),
        **_for_each_bin_count("ECE_em", equal_mass_calibration_error, top),
        **_named("cwCE", classwise),
        **_named("cwCE_em", classwise),
        **_for_each_bin_count("MCE", max_calibration_error, top),
        "KSCE": kolmogorov_smirnov_calibration_error(top),
        "KDECE": kernel_density_calibration_error(top),
        "MMCE": max_mean_calibration_error(top),
        "NLL": negative_log_likelihood(probs, labels),
        "Brier": brier_sum / probs.shape[1],
        **_named("cwACE", classwise),
        "Brier_sum": brier_sum,
        "acc": accuracy(top),
        "correct_confidence": correct_confidence(top),
        "incorrect_confidence": incorrect_confidence(top),
        "HCS": harmonic_calibration_score(top),
    }


def _for_each_bin_count(
    name: str, error: Callable[[_RankedT, int], float | Undefined], ranked: _RankedT
) -> dict[str, float | Undefined]:
    return {f"{name}_{n_bins}": error(ranked, n_bins) for n_bins in BIN_COUNTS}


def _named(name: str, values: Mapping[str, float | Undefined]) -> dict[str, float | Undefined]:
    return {f"{name}_{n_bins}": values[f"{name}_{n_bins}"] for n_bins in BIN_COUNTS}
