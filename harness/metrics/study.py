"""Family ``study``: the 50 measurements of the benchmark study for one set of predictions, and what explains them.

The confidences and the probabilities of each class are sorted once; everything binned shares them.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.at_once import sort_once
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.kernel import kernel_density_calibration_error, max_mean_calibration_error
from harness.metrics.measurement import Family
from harness.metrics.proper import brier_loss_sum, negative_log_likelihood
from harness.metrics.study_rows import STUDY_ROWS
from harness.metrics.top_label import (
    accuracy,
    correct_confidence,
    harmonic_calibration_score,
    incorrect_confidence,
    kolmogorov_smirnov_calibration_error,
)
from harness.metrics.undefined import Undefined


def study(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> dict[str, float | Undefined]:
    """Return the measurements of the published study and what explains them.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    top, binned = sort_once(probs, labels)
    brier_sum = brier_loss_sum(probs, labels)
    return {
        **_of_each_bin_count("ECE", binned),
        **_of_each_bin_count("ECE_em", binned),
        **_of_each_bin_count("cwCE", binned),
        **_of_each_bin_count("cwCE_em", binned),
        **_of_each_bin_count("MCE", binned),
        "KSCE": kolmogorov_smirnov_calibration_error(top),
        "KDECE": kernel_density_calibration_error(top),
        "MMCE": max_mean_calibration_error(top),
        "NLL": negative_log_likelihood(probs, labels),
        "Brier": brier_sum / probs.shape[1],
        **_of_each_bin_count("cwACE", binned),
        "Brier_sum": brier_sum,
        "acc": accuracy(top),
        "correct_confidence": correct_confidence(top),
        "incorrect_confidence": incorrect_confidence(top),
        "HCS": harmonic_calibration_score(top),
    }


def _of_each_bin_count(name: str, binned: Mapping[str, float | Undefined]) -> dict[str, float | Undefined]:
    return {f"{name}_{n_bins}": binned[f"{name}_{n_bins}"] for n_bins in BIN_COUNTS}


STUDY = Family("study", version=1, measurements=STUDY_ROWS, function=study)
