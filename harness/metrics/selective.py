"""Family ``selective``: does the confidence tell right predictions from wrong ones, as abstaining on doubt needs?

Only the order of the confidences matters here, not their values. Every function takes the ranked confidences.
"""

import numpy as np
from jaxtyping import Float64, Integer

from harness.metrics.measurement import Family, Measurement
from harness.metrics.ood import auroc, detect
from harness.metrics.predictions import Ranked, rank_top_label
from harness.metrics.undefined import Undefined
from harness.metrics.wording import GEIFMAN, HENDRYCKS


def selective(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> dict[str, float | Undefined]:
    """Return how well the confidence ranks right predictions above wrong ones, three ways.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    top = rank_top_label(probs, labels)
    return {
        "misclassification_auroc": misclassification_auroc(top),
        "AURC": risk_coverage_area(top),
        "E_AURC": excess_risk_coverage_area(top),
    }


def misclassification_auroc(top: Ranked) -> float | Undefined:
    """Return the chance that a right prediction is more confident than a wrong one, in [0, 1], higher is better.

    The share of the pairs of a right and a wrong prediction, a tie counting one half; undefined if there is no pair.

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> misclassification_auroc(rank(np.array([0.5, 0.75, 0.75]), np.array([False, True, False])))
        0.75

    Reference:
        Hendrycks, Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks",
        ICLR 2017; which of the two is called positive does not change it.
    """
    if top.outcome.all() or not top.outcome.any():
        return Undefined(f"no prediction is {'wrong' if top.outcome.all() else 'right'}")
    return auroc(detect(top.probability[~top.outcome], top.probability[top.outcome]))


def risk_coverage_area(top: Ranked) -> float:
    """Return AURC, the share of errors among the most confident samples, averaged over coverages; lower is better.

    ``1 / N sum_n e_n / n``, in [0, 1], e_n being the errors among the n most confident. Within equal confidences e_n
    rises evenly, which makes this the mean over all orders of equal samples.

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> risk_coverage_area(rank(np.array([0.5, 0.75]), np.array([True, False])))
        0.75

    Reference:
        Geifman, Uziel, El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", ICLR 2019,
        section 3; ties are not treated there.
    """
    _, first, counts = np.unique(-top.probability[::-1], return_index=True, return_counts=True)
    n_wrong = np.add.reduceat((~top.outcome[::-1]).astype(np.float64), first)
    return _mean_risk(np.repeat(n_wrong / counts, counts))


def excess_risk_coverage_area(top: Ranked) -> float:
    """Return E-AURC, AURC less that of the best order of the same samples, in [0, 1), lower is better.

    The best order puts every error last. 0 where each right prediction is more confident than each wrong one.

    Args:
        top: Ranked confidences.

    Example:
        >>> from harness.metrics.predictions import rank
        >>> excess_risk_coverage_area(rank(np.array([0.5, 0.75]), np.array([True, False])))
        0.5

    Reference:
        Geifman, Uziel, El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", ICLR 2019,
        section 3; the best AURC is exact here, there also approximated by e + (1 - e) log(1 - e), e the error rate.
    """
    best = _mean_risk(np.sort(~top.outcome).astype(np.float64))
    return max(0.0, risk_coverage_area(top) - best)  # not below 0 by rounding


def _mean_risk(errors: Float64[np.ndarray, " n"]) -> float:
    """Return the mean over n of the share of errors among the first n."""
    return float(np.mean(np.cumsum(errors) / np.arange(1, errors.size + 1)))


SELECTIVE = Family(
    "selective",
    version=1,
    measurements=(
        Measurement(
            name="misclassification_auroc",
            higher_is_better=True,
            definition="chance that a right prediction is more confident than a wrong one; null where all are right or "
            "all wrong",
            formula="share of the pairs whose right prediction has the higher c, a tie counts 1/2",
            source=HENDRYCKS,
            function=misclassification_auroc,
        ),
        Measurement(
            name="AURC",
            unit="fraction",
            definition="area under the risk-coverage curve: share of errors among the most confident samples, averaged "
            "over how many are kept",
            formula="mean over n = 1..N of the share of errors among the n highest c, mean over the orders of equal c",
            source=GEIFMAN,
            function=risk_coverage_area,
        ),
        Measurement(
            name="E_AURC",
            unit="fraction",
            definition="AURC less the least that the same errors allow",
            formula="AURC less its value with every error ranked last, which is exact, not e + (1 - e) log(1 - e)",
            source=GEIFMAN,
            function=excess_risk_coverage_area,
        ),
    ),
    function=selective,
)
