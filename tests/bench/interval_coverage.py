"""How often bootstrap intervals cover the true value: a simulation, ``make coverage`` (15 minutes on one core).

A population of images is made whose true class probabilities are known: those of logits z are ``softmax(z)``, and the
network says ``softmax(z / T)``. T = 1 is calibrated, T < 1 over-confident. From it test sets are drawn, each gives an
interval, and the share of intervals that hold the true value is printed; 95 % is what they promise.
"""

import argparse
import sys
import time

import numpy as np

from harness.metrics import measure, softmax
from harness.metrics.bootstrap import pivot_interval
from harness.metrics.classwise import classwise_calibration_error
from harness.metrics.kernel import max_mean_calibration_error
from harness.metrics.predictions import Ranked
from harness.metrics.resampling import measure_resamples
from harness.metrics.top_label import (
    equal_mass_calibration_error,
    expected_calibration_error,
    kolmogorov_smirnov_calibration_error,
)

N_CLASSES = 10
N_POPULATION = 1_000_000
N_TEST_SETS = 200
N_RESAMPLES = 500
MEASUREMENTS = ("ECE_15", "ECE_em_15", "cwCE_15", "KSCE", "MMCE", "NLL", "Brier", "acc")


def draw(n_images: int, rng: np.random.Generator) -> np.ndarray:
    """Logits of images whose highest class is the label of about three in five."""
    logits = 1.5 * rng.normal(size=(n_images, N_CLASSES))
    logits[np.arange(n_images), rng.integers(0, N_CLASSES, n_images)] += 3
    return logits


def ranked_in_expectation(probability: np.ndarray, chance: np.ndarray) -> Ranked:
    """Probabilities with, instead of outcomes, the chance of each: measured, they have no noise of outcomes."""
    order = np.argsort(probability)
    gap = probability[order] - chance[order]
    return Ranked(probability[order], chance[order], np.append(0.0, np.cumsum(gap)))


def true_values(temperature: float) -> dict[str, float]:
    """Each measurement of endlessly many images."""
    logits = draw(N_POPULATION, np.random.default_rng(0))
    chances, probs = softmax(logits), softmax(logits / temperature)
    predicted = np.arange(N_POPULATION), probs.argmax(axis=1)
    top = ranked_in_expectation(probs[predicted], chances[predicted])
    classes = [ranked_in_expectation(p, q) for p, q in zip(probs.T, chances.T, strict=True)]
    values = (
        expected_calibration_error(top, 15),
        equal_mass_calibration_error(top, 15),
        classwise_calibration_error(classes, 15),
        kolmogorov_smirnov_calibration_error(top),
        max_mean_calibration_error(top),
        float(-np.mean(np.sum(chances * np.log(probs), axis=1))),
        float(np.mean(np.sum(probs**2 - 2 * probs * chances + chances, axis=1)) / N_CLASSES),
        float(chances[predicted].mean()),
    )
    return dict(zip(MEASUREMENTS, values, strict=True))


def covered(temperature: float, n_images: int, truth: dict[str, float], n_sets: int) -> dict[str, np.ndarray]:
    """Shares over test sets: pivot interval covers, percentile interval covers, flagged reliable; and the mean bias."""
    rng = np.random.default_rng(1)
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in MEASUREMENTS}
    for _ in range(n_sets):
        logits = draw(n_images, rng)
        labels = (rng.random(n_images)[:, np.newaxis] > softmax(logits).cumsum(axis=1)).sum(axis=1)
        labels = np.minimum(labels, N_CLASSES - 1)  # where the cumulated sum ends a rounding below 1
        probs = softmax(logits / temperature)
        estimates = measure(probs, labels)
        replicates = measure_resamples(probs, labels, N_RESAMPLES)
        for name in MEASUREMENTS:
            interval = pivot_interval(estimates[name], replicates[name])
            low, high = np.quantile(replicates[name], (0.025, 0.975))
            pivot = interval.low <= truth[name] <= interval.high
            found[name].append(
                (pivot, low <= truth[name] <= high, interval.is_reliable, estimates[name] - truth[name], interval.bias)
            )
    return {name: np.mean(rows, axis=0) for name, rows in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[2000, 8000], help="images of a test set")
    parser.add_argument("--sets", type=int, default=N_TEST_SETS, help="test sets")
    arguments = parser.parse_args()
    say = sys.stdout.write
    say(f"{arguments.sets} test sets, {N_RESAMPLES} resamples of each, {N_CLASSES} classes; intervals at 95 %\n")
    say(f"{'T':>5} {'images':>7} {'measurement':<12} {'true':>8} {'pivot':>7} {'percentile':>11} {'reliable':>9}")
    say(f" {'error of estimate':>18} {'bootstrap bias':>15}\n")
    for temperature in (1.0, 0.9, 0.7):
        truth = true_values(temperature)
        for n_images in arguments.images:
            start = time.perf_counter()
            of_sets = covered(temperature, n_images, truth, arguments.sets)
            for name, (pivot, percentile, reliable, error, bias) in of_sets.items():
                say(
                    f"{temperature:>5} {n_images:>7,} {name:<12} {truth[name]:>8.4f} {pivot:>7.0%} {percentile:>11.0%} "
                )
                say(f"{reliable:>9.0%} {error:>18.5f} {bias:>15.5f}\n")
            say(f"      {time.perf_counter() - start:.0f} s\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
