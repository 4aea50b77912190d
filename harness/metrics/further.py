"""Rows of the dictionary for the label families that are computed only where they are asked for by name.

Data only, like `harness.metrics.dictionary`, which takes them in.
"""

from harness.metrics import accuracy, debiased, decomposition, selective, sharpness, signed
from harness.metrics.measurement import Measurement

_EQUAL_WIDTH = "over the bins (b/M, (b+1)/M]; empty bins add 0"
_KUMAR = "Kumar, Liang, Ma, Verified Uncertainty Calibration, NeurIPS 2019"
_GUO = "Guo et al., On Calibration of Modern Neural Networks, ICML 2017"
_GEIFMAN = "Geifman, Uziel, El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019"
_HENDRYCKS = (
    "Hendrycks, Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks, "
    "ICLR 2017"
)


def _decomposed(name: str, score: str, *, unit: str, upper: float | None, null: str) -> tuple[Measurement, ...]:
    """Return the rows of one score of the confidence and of its parts."""
    where = f"S = {score}; q* = isotonic regression of r on c, a = mean r"
    source = (
        "Dimitriadis, Gneiting, Jordan, Stable reliability diagrams for probabilistic classifiers, PNAS 2021 (CORP)"
    )
    parts = (
        ("", f"S(c){null}", False, decomposition.total),
        ("_miscalibration", f"S(c) - S(q*){null}", False, decomposition.miscalibration),
        ("_discrimination", "S(a) - S(q*)", True, decomposition.discrimination),
        ("_uncertainty", "S(a)", None, decomposition.uncertainty),
    )
    return tuple(
        Measurement(
            name=f"{name}{part}",
            family="decomposition",
            unit=unit,
            upper=upper,
            higher_is_better=higher_is_better,
            definition=f"{formula}; {where}",
            source=source,
            function=function,
        )
        for part, formula, higher_is_better, function in parts
    )


FURTHER: tuple[Measurement, ...] = (
    Measurement(
        name="ECE_l2_15",
        family="debiased",
        n_bins=15,
        definition=f"sqrt(sum_b n_b/N (mean c - mean r)^2) {_EQUAL_WIDTH}",
        source=_KUMAR,
        function=debiased.root_mean_square_calibration_error,
    ),
    Measurement(
        name="ECE_em_l2_debiased_15",
        family="debiased",
        n_bins=15,
        definition="sqrt(max(0, sum_b n_b/N ((mean c - mean r)^2 - mean r (1 - mean r)/(n_b - 1)))) over the bins of "
        "ECE_em_15; bins of one sample add 0",
        source=_KUMAR,
        function=debiased.debiased_calibration_error,
    ),
    Measurement(
        name="ECE_em_sweep",
        family="debiased",
        definition="ECE_em_M with the M before the first, counting from 2, where the accuracy of a bin is below that "
        "of the bin before; M = N if there is none",
        source="Roelofs et al., Mitigating Bias in Calibration Error Estimation, AISTATS 2022",
        function=debiased.sweep_calibration_error,
    ),
    Measurement(
        name="over_confidence_15",
        family="signed",
        n_bins=15,
        definition=f"sum_b n_b/N max(mean c - mean r, 0) {_EQUAL_WIDTH}; with under_confidence_15 it sums to ECE_15",
        source=_GUO,
        function=signed.over_confidence,
    ),
    Measurement(
        name="under_confidence_15",
        family="signed",
        n_bins=15,
        definition=f"sum_b n_b/N max(mean r - mean c, 0) {_EQUAL_WIDTH}; with over_confidence_15 it sums to ECE_15",
        source=_GUO,
        function=signed.under_confidence,
    ),
    *_decomposed("Brier_top", "mean (q - r)^2", unit="probability^2", upper=1.0, null=""),
    *_decomposed(
        "NLL_top",
        "mean -log q where r = 1, -log(1 - q) where r = 0",
        unit="nat",
        upper=None,
        null=", null where it is infinite",
    ),
    Measurement(
        name="acc_top5",
        family="accuracy",
        unit="fraction",
        higher_is_better=True,
        definition="share of labels among the five highest p_k, of equal ones the first; null where K <= 5",
        source="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015",
        function=accuracy.top5_accuracy,
    ),
    Measurement(
        name="acc_worst_class",
        family="accuracy",
        unit="fraction",
        higher_is_better=True,
        definition="min_k of the mean r where label = k, over the k that occur",
        source="Sagawa et al., Distributionally Robust Neural Networks, ICLR 2020, with classes as groups",
        function=accuracy.worst_class_accuracy,
    ),
    Measurement(
        name="acc_class_gap",
        family="accuracy",
        unit="fraction",
        definition="max_k - min_k of the mean r where label = k, over the k that occur",
        source="Own definition, from acc_worst_class",
        function=accuracy.class_accuracy_gap,
    ),
    Measurement(
        name="misclassification_auroc",
        family="selective",
        higher_is_better=True,
        definition="share of the pairs whose right prediction has the higher c, a tie counts 1/2; null where all are "
        "right or all wrong",
        source=_HENDRYCKS,
        function=selective.misclassification_auroc,
    ),
    Measurement(
        name="AURC",
        family="selective",
        unit="fraction",
        definition="mean over n = 1..N of the share of errors among the n highest c, mean over the orders of equal c",
        source=_GEIFMAN,
        function=selective.risk_coverage_area,
    ),
    Measurement(
        name="E_AURC",
        family="selective",
        unit="fraction",
        definition="AURC less its value with every error ranked last, which is exact, not e + (1 - e) log(1 - e)",
        source=_GEIFMAN,
        function=selective.excess_risk_coverage_area,
    ),
    Measurement(
        name="mean_entropy",
        family="sharpness",
        unit="nat",
        upper=None,
        higher_is_better=None,
        definition="mean of -sum_k p_k log p_k",
        source="Shannon, A Mathematical Theory of Communication, Bell System Technical Journal, 1948",
        function=sharpness.mean_entropy,
    ),
    Measurement(
        name="mean_margin",
        family="sharpness",
        higher_is_better=None,
        definition="mean of the highest less the second highest p_k",
        source="Scheffer, Decomain, Wrobel, Active Hidden Markov Models for Information Extraction, IDA 2001",
        function=sharpness.mean_margin,
    ),
    Measurement(
        name="mean_confidence",
        family="sharpness",
        higher_is_better=None,
        definition="mean c",
        source=_GUO,
        function=sharpness.mean_confidence,
    ),
    Measurement(
        name="net_over_confidence",
        family="sharpness",
        lower=-1.0,
        higher_is_better=None,
        definition="mean c - mean r; 0 is best, over_confidence_15 - under_confidence_15",
        source=_GUO,
        function=sharpness.net_over_confidence,
    ),
)
"""Their rows, in the order of the families table."""
