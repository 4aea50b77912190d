"""Rows of the dictionary for the family ``study``, each with the function that computes it. Data only."""

from harness.metrics import classwise, kernel, proper, top_label
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.measurement import Measurement, at_bin_counts
from harness.metrics.wording import EQUAL_MASS, EQUAL_WIDTH, GUO, KUMAR, TAO

_CLASSWISE = "1/K sum_k sum_b n_kb/N |mean p_k - mean [label = k]| over all N samples, "
_JUNG = "Jung, Lukasik, Keuper, Neural Architecture Design and Robustness: A Dataset, ICLR 2023"

STUDY_ROWS: tuple[Measurement, ...] = (
    *at_bin_counts(
        Measurement(
            name="ECE",
            definition="gap between confidence and accuracy, averaged over bins of equal width",
            formula=f"sum_b n_b/N |mean c - mean r| {EQUAL_WIDTH}",
            source=GUO,
            function=top_label.expected_calibration_error,
            published="ECE",
            published_in=("tss", "sss"),
        ),
        BIN_COUNTS,
    ),
    *at_bin_counts(
        Measurement(
            name="ECE_em",
            definition="gap between confidence and accuracy, averaged over bins that hold about equally many samples",
            formula=f"sum_b n_b/N |mean c - mean r|, {EQUAL_MASS}",
            source=KUMAR,
            function=top_label.equal_mass_calibration_error,
            published="ECE_em",
            published_in=("tss", "sss"),
        ),
        BIN_COUNTS,
    ),
    *at_bin_counts(
        Measurement(
            name="cwCE",
            definition="gap between the probability of a class and how often it is the label, averaged over bins of "
            "equal width and over classes",
            formula=f"{_CLASSWISE}{EQUAL_WIDTH}; p_k = 0 is in no bin",
            source="Kull et al., Beyond temperature scaling, NeurIPS 2019",
            function=classwise.classwise_calibration_error,
            published="cwCE",
            published_in=("tss", "sss"),
        ),
        BIN_COUNTS,
    ),
    *at_bin_counts(
        Measurement(
            name="cwCE_em",
            definition="gap between the probability of a class and how often it is the label, averaged over bins that "
            "hold about equally many samples and over classes",
            formula=f"{_CLASSWISE}{EQUAL_MASS}",
            source=KUMAR,
            function=classwise.classwise_equal_mass_calibration_error,
            published="cwCE_em",
            published_in=("sss",),
        ),
        BIN_COUNTS,
    ),
    *at_bin_counts(
        Measurement(
            name="MCE",
            definition="largest gap between confidence and accuracy in a bin of equal width",
            formula=f"max_b |mean c - mean r| {EQUAL_WIDTH}",
            source=GUO,
            function=top_label.max_calibration_error,
            published="MCE",
            published_in=("tss",),
        ),
        BIN_COUNTS,
    ),
    Measurement(
        name="KSCE",
        definition="largest gap between the running sums of confidence and of right predictions, without bins",
        formula="max_i |sum_{j<=i} (c_j - r_j)| / N, c ascending, i ending a group of equal c",
        source="Gupta et al., Calibration of Neural Networks using Splines, ICLR 2021",
        function=top_label.kolmogorov_smirnov_calibration_error,
        published="KSCE",
        published_in=("tss",),
    ),
    Measurement(
        name="KDECE",
        upper=None,  # 1 but for bandwidths near the step of the grid, where the integrand's previous value is kept
        definition="gap between confidence and accuracy, both estimated by kernel densities instead of bins",
        formula="int |x - acc(x)| f(x) dx / int f(x) dx on [0, 1], acc = min(mean r f1/f, 1); f, f1: densities of the "
        "c of all and of the right, mirrored at 0 and 1, kernel 35/32 (1 - u^2)^3 / (3h), u = (x - c) / (3h), of "
        "deviation h = std(c of right) (2N)^(-1/5), on 2^14 points from -0.6 to 1.6; where both are below 1e-6 the "
        "integrand keeps its previous value, so that h near the step of 1.3e-4 and below can give values above 1",
        source="Zhang, Kailkhura, Han, Mix-n-Match, ICML 2020",
        function=kernel.kernel_density_calibration_error,
        published="KDECE",
        published_in=("tss",),
    ),
    Measurement(
        name="MMCE",
        definition="gap between confidence and accuracy as a norm in the space of a kernel, without bins",
        formula="sqrt(1/N^2 sum_ij (r_i - c_i)(r_j - c_j) exp(-|c_i - c_j| / 0.4)), all pairs",
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
        definition="negative log-likelihood of the label; null where it is infinite",
        formula="mean of -log p_label",
        source=GUO,
        function=proper.negative_log_likelihood,
        published="NLL",
        published_in=("tss",),
    ),
    Measurement(
        name="Brier",
        unit="probability^2",
        definition="squared error of the class probabilities, averaged over classes",
        formula="mean over N and K of (p_k - [label = k])^2",
        source=TAO,
        function=proper.brier_loss,
        published="Brier",
        published_in=("tss",),
    ),
    *at_bin_counts(
        Measurement(
            name="cwACE",
            definition="as cwCE_em, with bins of the same number of positive probabilities; null if N < M",
            formula=f"{_CLASSWISE}bins of floor(n/M) sorted positive p_k, the last takes the rest",
            source="Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops 2019",
            function=classwise.classwise_adaptive_calibration_error,
            published="cwCE_em",
            published_in=("tss",),
        ),
        BIN_COUNTS,
    ),
    Measurement(
        name="Brier_sum",
        unit="probability^2",
        upper=2.0,
        definition="squared error of the class probabilities, summed over classes: K times Brier",
        formula="mean over N of sum_k (p_k - [label = k])^2",
        source="Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review, 1950",
        function=proper.brier_loss_sum,
    ),
    Measurement(
        name="acc",
        unit="fraction",
        higher_is_better=True,
        definition="share of right predictions; of equal probabilities the first class is predicted",
        formula="mean r",
        source=TAO,
        function=top_label.accuracy,
        published="acc",
        published_in=("tss", "sss"),
    ),
    Measurement(
        name="correct_confidence",
        higher_is_better=None,
        definition="mean confidence of the right predictions; null where there is none",
        formula="mean c where r = 1",
        source=_JUNG,
        function=top_label.correct_confidence,
        published="correct_confidence",
        published_in=("tss",),
    ),
    Measurement(
        name="incorrect_confidence",
        higher_is_better=None,
        definition="mean confidence of the wrong predictions; null where there is none",
        formula="mean c where r = 0",
        source=_JUNG,
        function=top_label.incorrect_confidence,
        published="incorrect_confidence",
        published_in=("tss",),
    ),
    Measurement(
        name="HCS",
        unit="1",
        higher_is_better=True,
        definition="harmonic mean of accuracy and 1 - ECE_15; null where both are 0",
        formula="(1+b) acc (1 - ECE_15) / (b acc + 1 - ECE_15) with b = 1",
        source=TAO,
        function=top_label.harmonic_calibration_score,
    ),
)
"""Its rows, in the order in which the store writes them: first the 50 that the study reports of a phase."""
