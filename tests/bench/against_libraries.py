"""The family ``study`` against the libraries and the loops over bins that people use for the same numbers.

The loop over bins of equal width is the one of Guo et al. (2017) in torch, which most code of the field has taken over,
for each class that of Mukhoti et al. (2020); here in float64.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise

import calibration
import netcal.metrics
import numpy as np
import torch
from KDEpy import FFTKDE
from sklearn.metrics import accuracy_score, log_loss
from timing import best_ms, print_progress, print_table, random_logits

from harness.metrics import measure, softmax

N_SAMPLES = 10_000

BIN_COUNTS = (5, 10, 15, 20, 25, 50, 100, 200, 500)

TARGET = 1500
"""All peers together take at least so many times as long as `measure`."""

Values = dict[str, float]


def top_label(probs: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    confidence, predicted = torch.from_numpy(probs).max(dim=1)
    return confidence, predicted.eq(torch.from_numpy(labels))


def bins_by_mask(probability: torch.Tensor, outcome: torch.Tensor, n_bins: int) -> Iterator[tuple[float, float]]:
    """Yield the share and the error of each bin that is not empty."""
    for low, high in pairwise(torch.linspace(0, 1, n_bins + 1, dtype=torch.float64)):
        inside = probability.gt(low.item()) * probability.le(high.item())
        share = inside.double().mean().item()
        if share > 0:
            yield share, torch.abs(probability[inside].mean() - outcome[inside].double().mean()).item()


def error_by_mask(probability: torch.Tensor, outcome: torch.Tensor, n_bins: int) -> float:
    return sum(share * error for share, error in bins_by_mask(probability, outcome, n_bins))


def error_by_count(probability: np.ndarray, outcome: np.ndarray, n_bins: int) -> float:
    """Bins of floor(N / M) samples, the last one with the rest."""
    order = np.argsort(probability, kind="stable")
    size, total = len(order) // n_bins, 0.0
    for b in range(n_bins):
        inside = order[b * size : (b + 1) * size if b < n_bins - 1 else None]
        total += len(inside) / len(order) * abs(probability[inside].mean() - outcome[inside].mean())
    return total


def expected(probs: np.ndarray, labels: np.ndarray) -> Values:
    return {f"ECE_{n_bins}": error_by_mask(*top_label(probs, labels), n_bins) for n_bins in BIN_COUNTS}


def largest(probs: np.ndarray, labels: np.ndarray) -> Values:
    confidence, right = top_label(probs, labels)
    return {f"MCE_{n_bins}": max(e for _, e in bins_by_mask(confidence, right, n_bins)) for n_bins in BIN_COUNTS}


def classwise(probs: np.ndarray, labels: np.ndarray) -> Values:
    columns, right = torch.from_numpy(probs).T, torch.from_numpy(labels)
    return {
        f"cwCE_{n_bins}": float(np.mean([error_by_mask(p, right.eq(k), n_bins) for k, p in enumerate(columns)]))
        for n_bins in BIN_COUNTS
    }


def adaptive(probs: np.ndarray, labels: np.ndarray) -> Values:
    return {
        f"cwACE_{n_bins}": float(np.mean([error_by_count(p, labels == k, n_bins) for k, p in enumerate(probs.T)]))
        for n_bins in BIN_COUNTS
    }


def equal_mass(name: str, mode: str, probs: np.ndarray, labels: np.ndarray) -> Values:
    return {
        f"{name}_{n_bins}": float(calibration.get_ece_em(probs, labels, num_bins=n_bins, mode=mode))
        for n_bins in BIN_COUNTS
    }


def kernel_density(probs: np.ndarray, labels: np.ndarray) -> Values:
    """The procedure of the authors of Mix-n-Match: KDEpy's densities and a loop over their grid."""
    confidence, right = (column.numpy() for column in top_label(probs, labels))
    grid, bandwidth = np.linspace(-0.6, 1.6, 2**14), confidence[right].std() * (2 * len(right)) ** -0.2

    def density(values: np.ndarray) -> np.ndarray:
        mirrored = np.concatenate([-values[values < 0.5], values, 2 - values[values >= 0.5]])
        estimate = FFTKDE(bw=bandwidth, kernel="triweight").fit(mirrored).evaluate(grid)
        return 2 * np.where((grid > 0) & (grid < 1), estimate, 0.0)

    of_right, of_all = density(confidence[right]), density(confidence)
    integrand = np.zeros_like(grid)
    for i in range(grid.size):
        if max(of_right[i], of_all[i]) > 1e-6:
            integrand[i] = abs(grid[i] - min(right.mean() * of_right[i] / of_all[i], 1.0)) * of_all[i]
        elif i > 1:
            integrand[i] = integrand[i - 1]
    inside = (grid >= 0) & (grid <= 1)
    return {"KDECE": float(np.trapezoid(integrand[inside]) / np.trapezoid(of_all[inside]))}


def max_mean(probs: np.ndarray, labels: np.ndarray) -> Values:
    return {"MMCE": float(netcal.metrics.MMCE().measure(probs, labels))}


def unbinned(probs: np.ndarray, labels: np.ndarray) -> Values:
    """What takes a line or two each."""
    calibrated = 1 - error_by_mask(*top_label(probs, labels), 15)
    confidence, right = (column.numpy() for column in top_label(probs, labels))
    order = np.argsort(confidence)
    squares = ((probs - np.eye(probs.shape[1])[labels]) ** 2).sum(axis=1)
    acc = float(accuracy_score(labels, probs.argmax(axis=1)))
    return {
        "KSCE": float(np.abs(np.cumsum(confidence[order] - right[order])).max() / len(labels)),
        "NLL": float(log_loss(labels, probs, labels=np.arange(probs.shape[1]))),
        "Brier": float(squares.mean() / probs.shape[1]),
        "Brier_sum": float(squares.mean()),
        "acc": acc,
        "correct_confidence": float(confidence[right].mean()),
        "incorrect_confidence": float(confidence[~right].mean()),
        "HCS": 2 * acc * calibrated / (acc + calibrated),
    }


PEERS: Mapping[str, Callable[[np.ndarray, np.ndarray], Values]] = {
    "MMCE: netcal": max_mean,
    "ECE_em: uncertainty-calibration": partial(equal_mass, "ECE_em", "top-label"),
    "cwCE_em: uncertainty-calibration": partial(equal_mass, "cwCE_em", "marginal"),
    "KDECE: KDEpy and a loop over its grid": kernel_density,
    "ECE: a mask for each bin": expected,
    "MCE: a mask for each bin": largest,
    "cwCE: a mask for each class and bin": classwise,
    "cwACE: a sort and a loop for each class": adaptive,
    "the rest: scikit-learn and numpy": unbinned,
}


def rows_of(n_classes: int) -> Iterator[list[str]]:
    """Yield a row for each peer, for all of them, for all but netcal, and for `measure`."""
    logits, labels = random_logits(N_SAMPLES, n_classes)
    probs = softmax(logits)
    ours, values, their_ms, cells = partial(measure, probs, labels), measure(probs, labels), {}, {}
    measure_ms = best_ms(ours)
    for name, peer in PEERS.items():
        print_progress(f"against libraries, K = {n_classes}, {name}")
        found = {}
        (their_ms[name],) = best_ms(lambda f=peer, d=found: d.update(f(probs, labels)), rounds=3, at_most_s=2)
        measure_ms += best_ms(ours)
        difference = max(abs(found[member] - values[member]) for member in found)
        cells[name] = (f"{len(found)}", f"{difference:.0e}")
    totals = {"all of them": sum(their_ms.values()), "all but netcal's MMCE": sum(list(their_ms.values())[1:])}
    for name, time_ms in (their_ms | totals).items():
        n_values, difference = cells.get(name, ("", ""))
        target = f"{TARGET:,}x" if name == "all of them" else ""
        yield [name, n_values, difference, f"{time_ms:,.1f}", f"{time_ms / min(measure_ms):,.0f}x", target]
    yield ["measure", f"{len(values)}", "", f"{min(measure_ms):.1f}", "1x", ""]


def against_libraries() -> None:
    columns = ("", "numbers", "differ by", "ms", "of measure", "target")
    for n_classes in (10, 100):
        rows = list(rows_of(n_classes))
        print_table(f"The same numbers by libraries and loops; N = {N_SAMPLES:,}, K = {n_classes}", columns, rows)
