"""The dictionary of measurements: one row per column of the store, what it means and which function computes it.

Data only. The store takes its columns from `MEASUREMENTS`, figures their labels and directions. Most are measured of
labelled predictions, by `measure`; those of the family ``ood`` compare two sets of images, by `measure_ood`.
"""

from dataclasses import replace

from harness.metrics import classwise, kernel, ood, proper, top_label
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.further import FURTHER
from harness.metrics.measurement import Measurement


def _for_each_bin_count(binned: Measurement) -> tuple[Measurement, ...]:
    return tuple(
        replace(
            binned,
            name=f"{binned.name}_{n_bins}",
            n_bins=n_bins,
            published=binned.published and f"{binned.published}_{n_bins}",
        )
        for n_bins in BIN_COUNTS
    )


def _of_score(suffix: str, score: str, source: str) -> tuple[Measurement, ...]:
    """Return the rows of one score of out-of-distribution detection."""
    ending = f"OoD positive, score {score}"
    return (
        Measurement(
            name=f"ood_auroc{suffix}",
            family="ood",
            higher_is_better=True,
            definition=f"share of the pairs whose OoD sample has the higher score, a tie counts 1/2; {ending}",
            source=source,
            function=ood.auroc,
        ),
        Measurement(
            name=f"ood_aupr{suffix}",
            family="ood",
            unit="1",
            higher_is_better=True,
            definition=f"sum_t (R_t - R_(t-1)) P_t over the distinct scores t, highest first; {ending}",
            source=source,
            function=ood.aupr,
        ),
        Measurement(
            name=f"ood_fpr95{suffix}",
            family="ood",
            unit="fraction",
            definition=f"share of in-distribution with score >= t, the largest that 95 % of OoD reach; {ending}",
            source=source,
            function=ood.fpr95,
        ),
    )


_EQUAL_WIDTH = "over the bins (b/M, (b+1)/M]; empty bins add 0"
_EQUAL_MASS = (
    "bins cut from the sorted probabilities as array_split does, right closed at the midpoints between neighbouring "
    "chunks; L1, not debiased"
)
_CLASSWISE = "1/K sum_k sum_b n_kb/N |mean p_k - mean [label = k]| over all N samples, "
_GUO = "Guo et al., On Calibration of Modern Neural Networks, ICML 2017"
_KUMAR = "Kumar, Liang, Ma, Verified Uncertainty Calibration, NeurIPS 2019"
_TAO = "Tao et al., A Benchmark Study on Calibration, ICLR 2024"

MEASUREMENTS: tuple[Measurement, ...] = (
    *_for_each_bin_count(
        Measurement(
            name="ECE",
            definition=f"sum_b n_b/N |mean c - mean r| {_EQUAL_WIDTH}",
            source=_GUO,
            function=top_label.expected_calibration_error,
            published="ECE",
            published_in=("tss", "sss"),
        )
    ),
    *_for_each_bin_count(
        Measurement(
            name="ECE_em",
            definition=f"sum_b n_b/N |mean c - mean r|, {_EQUAL_MASS}",
            source=_KUMAR,
            function=top_label.equal_mass_calibration_error,
            published="ECE_em",
            published_in=("tss", "sss"),
        )
    ),
    *_for_each_bin_count(
        Measurement(
            name="cwCE",
            definition=f"{_CLASSWISE}{_EQUAL_WIDTH}; p_k = 0 is in no bin",
            source="Kull et al., Beyond temperature scaling, NeurIPS 2019",
            function=classwise.classwise_calibration_error,
            published="cwCE",
            published_in=("tss", "sss"),
        )
    ),
    *_for_each_bin_count(
        Measurement(
            name="cwCE_em",
            definition=f"{_CLASSWISE}{_EQUAL_MASS}",
            source=_KUMAR,
            function=classwise.classwise_equal_mass_calibration_error,
            published="cwCE_em",
            published_in=("sss",),
        )
    ),
    *_for_each_bin_count(
        Measurement(
            name="MCE",
            definition=f"max_b |mean c - mean r| {_EQUAL_WIDTH}",
            source=_GUO,
            function=top_label.max_calibration_error,
            published="MCE",
            published_in=("tss",),
        )
    ),
    Measurement(
        name="KSCE",
        definition="max_i |sum_{j<=i} (c_j - r_j)| / N, c ascending, i ending a group of equal c",
        source="Gupta et al., Calibration of Neural Networks using Splines, ICLR 2021",
        function=top_label.kolmogorov_smirnov_calibration_error,
        published="KSCE",
        published_in=("tss",),
    ),
    Measurement(
        name="KDECE",
        upper=None,  # 1 but for bandwidths near the step of the grid, where the integrand's previous value is kept
        definition="int |x - acc(x)| f(x) dx / int f(x) dx on [0, 1], acc = min(mean r f1/f, 1); f, f1: triweight "
        "densities of the c of all and of the right, bandwidth std(c of right) (2N)^(-1/5), mirrored at 0 and 1",
        source="Zhang, Kailkhura, Han, Mix-n-Match, ICML 2020",
        function=kernel.kernel_density_calibration_error,
        published="KDECE",
        published_in=("tss",),
    ),
    Measurement(
        name="MMCE",
        definition="sqrt(1/N^2 sum_ij (r_i - c_i)(r_j - c_j) exp(-|c_i - c_j| / 0.4)), all pairs",
        source="Kumar, Sarawagi, Jain, Trainable Calibration Measures For Neural Networks From Kernel Mean "
        "Embeddings, ICML 2018",
        function=kernel.max_mean_calibration_error,
        published="MMCE",
        published_in=("tss",),
    ),
    Measurement(
        name="NLL",
        unit="nat",
        upper=None,
        definition="mean of -log p_label; null where it is infinite",
        source=_GUO,
        function=proper.negative_log_likelihood,
        published="NLL",
        published_in=("tss",),
    ),
    Measurement(
        name="Brier",
        unit="probability^2",
        definition="mean over N and K of (p_k - [label = k])^2",
        source=_TAO,
        function=proper.brier_loss,
        published="Brier",
        published_in=("tss",),
    ),
    *_for_each_bin_count(
        Measurement(
            name="cwACE",
            definition=f"{_CLASSWISE}bins of floor(n/M) sorted positive p_k, the last takes the rest; null if N < M",
            source="Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops 2019",
            function=classwise.classwise_adaptive_calibration_error,
            published="cwCE_em",
            published_in=("tss",),
        )
    ),
    Measurement(
        name="Brier_sum",
        unit="probability^2",
        upper=2.0,
        definition="mean over N of sum_k (p_k - [label = k])^2, K times Brier",
        source="Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review, 1950",
        function=proper.brier_loss_sum,
    ),
    Measurement(
        name="acc",
        unit="fraction",
        higher_is_better=True,
        definition="mean r; of equal probabilities the first class is predicted",
        source=_TAO,
        function=top_label.accuracy,
        published="acc",
        published_in=("tss", "sss"),
    ),
    Measurement(
        name="correct_confidence",
        higher_is_better=None,
        definition="mean c where r = 1; null where there is none",
        source="Jung, Lukasik, Keuper, Neural Architecture Design and Robustness: A Dataset, ICLR 2023",
        function=top_label.correct_confidence,
        published="correct_confidence",
        published_in=("tss",),
    ),
    Measurement(
        name="incorrect_confidence",
        higher_is_better=None,
        definition="mean c where r = 0; null where there is none",
        source="Jung, Lukasik, Keuper, Neural Architecture Design and Robustness: A Dataset, ICLR 2023",
        function=top_label.incorrect_confidence,
        published="incorrect_confidence",
        published_in=("tss",),
    ),
    Measurement(
        name="HCS",
        unit="1",
        higher_is_better=True,
        definition="(1+b) acc (1 - ECE_15) / (b acc + 1 - ECE_15) with b = 1; null where acc = 1 - ECE_15 = 0",
        source=_TAO,
        function=top_label.harmonic_calibration_score,
    ),
    *FURTHER,
    *_of_score("", "-sum_k p_k log p_k (nat)", _TAO),
    *_of_score(
        "_max_prob",
        "1 - max_k p_k",
        "Hendrycks, Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural "
        "Networks, ICLR 2017",
    ),
    *_of_score(
        "_energy",
        "-log sum_k exp z_k of the logits z",
        "Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020",
    ),
)
"""Every measurement, in the order in which `measure` and `measure_ood` return theirs and the store writes them."""
