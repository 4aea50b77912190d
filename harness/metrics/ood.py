"""Out-of-distribution detection: how well a score tells the images of another set from in-distribution ones.

OoD is the positive class everywhere, and a larger score means more out-of-distribution. Of each score and threshold
only two counts matter, `Detection`, so a score is sorted once and every detector is exact in how it treats ties.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.special import entr

from harness.metrics.checks import require_logits, require_two_sets
from harness.metrics.measurement import Family, Measurement
from harness.metrics.wording import HENDRYCKS, TAO


class Detection(NamedTuple):
    """How many samples are called OoD at each threshold, the thresholds being the distinct scores, highest first.

    Attributes:
        n_ood: OoD samples that score at least the threshold; the last number is that of all.
        n_in: In-distribution samples that score at least the threshold; the last number is that of all.
    """

    n_ood: Int64[np.ndarray, " thresholds"]
    n_in: Int64[np.ndarray, " thresholds"]


def measure_ood(
    probs: Float64[np.ndarray, "n classes"],
    ood_probs: Float64[np.ndarray, "n_ood classes"],
    energies: Float64[np.ndarray, " n"],
    ood_energies: Float64[np.ndarray, " n_ood"],
) -> dict[str, float]:
    """Return AUROC, AUPR and FPR95 of predictive entropy, of least confidence and of energy.

    Args:
        probs: Class probabilities of the in-distribution samples, float64, shape (n, classes), n >= 1.
        ood_probs: Class probabilities of the OoD samples, float64, shape (n_ood, classes), n_ood >= 1.
        energies: `energy` of the in-distribution samples, shape (n,).
        ood_energies: `energy` of the OoD samples, shape (n_ood,).

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong.

    Example:
        >>> values = measure_ood(
        ...     np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[0.6, 0.4]]), np.array([-3.0, -1.0]), np.array([-0.5])
        ... )
        >>> values["ood_auroc"], values["ood_auroc_energy"]
        (0.5, 1.0)
    """
    require_two_sets(probs, ood_probs, energies, ood_energies)
    detections = {
        "": detect(predictive_entropy(probs), predictive_entropy(ood_probs)),
        "_max_prob": detect(least_confidence(probs), least_confidence(ood_probs)),
        "_energy": detect(energies, ood_energies),
    }
    return {
        f"ood_{name}{score}": measurement(detection)
        for score, detection in detections.items()
        for name, measurement in (("auroc", auroc), ("aupr", aupr), ("fpr95", fpr95))
    }


def predictive_entropy(probs: Float64[np.ndarray, "n classes"]) -> Float64[np.ndarray, " n"]:
    """Return the entropy of each row in nats, in [0, log classes], larger is more OoD.

    ``-sum_k p_k log p_k`` with ``0 log 0 = 0``.

    Args:
        probs: Class probabilities, shape (n, classes).

    Example:
        >>> predictive_entropy(np.array([[0.5, 0.5], [0.0, 1.0]])).round(6).tolist()
        [0.693147, 0.0]
    """
    return entr(probs).sum(axis=1)


def least_confidence(probs: Float64[np.ndarray, "n classes"]) -> Float64[np.ndarray, " n"]:
    """Return ``1 - max_k p_k`` of each row, in [0, 1 - 1 / classes], larger is more OoD.

    Args:
        probs: Class probabilities, shape (n, classes).

    Example:
        >>> least_confidence(np.array([[0.5, 0.5], [0.25, 0.75]])).tolist()
        [0.5, 0.25]

    Reference:
        Hendrycks, Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural
        Networks", ICLR 2017; there the score is ``max_k p_k``, larger is more in-distribution.
    """
    return 1 - probs.max(axis=1)


def energy(logits: Float[np.ndarray, "n classes"]) -> Float64[np.ndarray, " n"]:
    """Return the free energy of each row at temperature 1, any finite number, larger is more OoD.

    ``-log sum_k exp z_k``; computed in float64 whatever the dtype of the logits.

    Args:
        logits: Finite class scores, shape (n, classes).

    Raises:
        TypeError: If the dtype is not floating point.
        ValueError: If the shape is wrong or a value is NaN or infinite.

    Example:
        >>> energy(np.array([[0.0, 0.0], [1000.0, 0.0]])).round(6).tolist()
        [-0.693147, -1000.0]

    Reference:
        Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020, equation 3 with T = 1; the
        authors score with the negative, larger is more in-distribution.
    """
    require_logits(logits)
    scores = logits.astype(np.float64)
    highest = scores.max(axis=1)
    return -highest - np.log(np.exp(scores - highest[:, np.newaxis]).sum(axis=1))


def detect(scores: Float64[np.ndarray, " n"], ood_scores: Float64[np.ndarray, " n_ood"]) -> Detection:
    """Return the counts at every threshold.

    Args:
        scores: Scores of the in-distribution samples, shape (n,), n >= 1, finite, larger is more OoD.
        ood_scores: Scores of the OoD samples, shape (n_ood,), n_ood >= 1, finite.

    Example:
        >>> detection = detect(np.array([0.1, 0.4]), np.array([0.4, 0.8]))
        >>> detection.n_ood.tolist(), detection.n_in.tolist()
        ([1, 2, 2], [0, 1, 2])
    """
    merged = np.concatenate((scores, ood_scores))
    order = np.argsort(-merged)
    ranked = merged[order]
    ends_group = np.append(ranked[1:] != ranked[:-1], True)
    n_ood = np.cumsum(order >= scores.size)[ends_group]
    return Detection(n_ood, n_in=np.flatnonzero(ends_group) + 1 - n_ood)


def auroc(detection: Detection) -> float:
    """Return the chance that an OoD sample scores above an in-distribution one, in [0, 1], higher is better.

    The area under the ROC curve, as the Mann-Whitney statistic: the share of the pairs, a tie counting one half.

    Args:
        detection: Counts of `detect`.

    Example:
        >>> auroc(detect(np.array([0.1, 0.4]), np.array([0.4, 0.8])))
        0.875
    """
    n_above = np.append(0, detection.n_ood[:-1])
    n_in_tied = np.diff(detection.n_in, prepend=0)
    twice_won = np.sum(n_in_tied * (n_above + detection.n_ood))  # in integers, so exact up to the division
    return float(twice_won / (2 * detection.n_in[-1] * detection.n_ood[-1]))


def aupr(detection: Detection) -> float:
    """Return the average precision with OoD as the positive class, in (0, 1], higher is better.

    ``sum_t (R_t - R_(t-1)) P_t`` over the distinct scores t from the highest, with precision P and recall R of calling
    OoD what scores at least t: a sum of steps, without interpolation. It depends on the shares of the two classes:
    scores that say nothing give that of OoD.

    Args:
        detection: Counts of `detect`.

    Example:
        >>> aupr(detect(np.array([0.1, 0.4]), np.array([0.4, 0.8])))
        0.8333333333333333

    Reference:
        ``average_precision_score`` of scikit-learn.
    """
    recall_step = np.diff(detection.n_ood, prepend=0) / detection.n_ood[-1]
    precision = detection.n_ood / (detection.n_ood + detection.n_in)
    return float(np.sum(recall_step * precision))


def fpr95(detection: Detection) -> float:
    """Return the share of in-distribution samples called OoD where 95 % of OoD are, in [0, 1], lower is better.

    The threshold is the largest score that at least 95 % of the OoD samples reach, ``100 n >= 95 n_ood`` in integers,
    so that no rounding decides; nothing is interpolated, and samples that tie with the threshold are called OoD.

    Args:
        detection: Counts of `detect`.

    Example:
        >>> fpr95(detect(np.array([0.1, 0.4]), np.array([0.4, 0.8])))
        0.5

    Reference:
        Liang, Li, Srikant, "Enhancing the Reliability of Out-of-distribution Image Detection in Neural
        Networks", ICLR 2018; there in-distribution is the positive class.
    """
    chosen = int(np.searchsorted(100 * detection.n_ood, 95 * detection.n_ood[-1]))
    return float(detection.n_in[chosen] / detection.n_in[-1])


def _rows(suffix: str, score: str, formula: str, source: str) -> tuple[Measurement, ...]:
    """Return the rows of one score of out-of-distribution detection."""
    ending = f"OoD positive, score {formula}"
    return (
        Measurement(
            name=f"ood_auroc{suffix}",
            higher_is_better=True,
            definition=f"chance that an image of the other set has a higher {score} than a test image",
            formula=f"share of the pairs whose OoD sample has the higher score, a tie counts 1/2; {ending}",
            source=source,
            function=auroc,
        ),
        Measurement(
            name=f"ood_aupr{suffix}",
            unit="1",
            higher_is_better=True,
            definition=f"average precision of finding the images of the other set by their {score}",
            formula=f"sum_t (R_t - R_(t-1)) P_t over the distinct scores t, highest first; {ending}",
            source=source,
            function=aupr,
        ),
        Measurement(
            name=f"ood_fpr95{suffix}",
            unit="fraction",
            definition=f"share of the test images taken for others where 95 % of the others are found by their {score}",
            formula=f"share of in-distribution with score >= t, the largest that 95 % of OoD reach; {ending}",
            source=source,
            function=fpr95,
        ),
    )


OOD_FAMILY = Family(
    "ood",
    version=1,
    measurements=(
        *_rows("", "predictive entropy", "-sum_k p_k log p_k (nat)", TAO),
        *_rows("_max_prob", "lack of confidence", "1 - max_k p_k", HENDRYCKS),
        *_rows(
            "_energy",
            "energy",
            "-log sum_k exp z_k of the logits z",
            "Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020",
        ),
    ),
    function=measure_ood,
)
"""The family that compares predictions of two sets of images; `measure_ood` computes it."""
