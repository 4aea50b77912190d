"""The classwise measurements at all bin counts at once: the same numbers as :mod:`harness.metrics.classwise`, faster.

Each class is sorted once, a block of classes at a time, and running sums give every binning of every bin count by
differences. Equal probabilities come in the order of their outcomes; where that matters, which is where a bin of equal
count parts them, the class is done again by the plain functions.
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer

from harness.metrics.binning import BIN_COUNTS, binned_error, equal_count_cuts, equal_width_edges
from harness.metrics.predictions import rank, sort_events
from harness.metrics.undefined import Undefined

_BLOCK = 1 << 17
"""About as many probabilities are worked on at a time as fit into a processor's cache."""


class _Cuts(NamedTuple):
    """Where all bins of all bin counts begin and end, for a number of samples.

    Attributes:
        edges: The distinct edges of all equal-width bins, ascending.
        of_edges: The position among them of each edge of each bin count, one after the other.
        of_mass: The position among samples of each equal-mass cut where no probabilities are equal, 0 and N included.
        starts: Where the cuts of each bin count begin in ``of_edges``.
        mass_starts: Where they begin in ``of_mass``.
        count_of: Which bin count each cut of equal count belongs to.
        bin_of_count: Which of its cuts it is.
        count_starts: Where the cuts of each bin count begin among those of equal count.
        count_ends: Where they end.
    """

    edges: Float64[np.ndarray, " edges"]
    of_edges: Int64[np.ndarray, " all_edges"]
    of_mass: Int64[np.ndarray, " mass_cuts"]
    starts: Int64[np.ndarray, " counts"]
    mass_starts: Int64[np.ndarray, " counts"]
    count_of: Int64[np.ndarray, " count_cuts"]
    bin_of_count: Int64[np.ndarray, " count_cuts"]
    count_starts: Int64[np.ndarray, " counts"]
    count_ends: Int64[np.ndarray, " counts"]


def classwise_measurements(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]
) -> dict[str, float | Undefined]:
    """Return ``cwCE_M``, ``cwCE_em_M`` and ``cwACE_M`` at every bin count M.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.
    """
    n_samples, n_classes = probs.shape
    cuts = _cuts(n_samples)
    size = max(1, _BLOCK // n_samples)
    sums = np.zeros((3, len(BIN_COUNTS)))
    for start in range(0, n_classes, size):
        block = range(start, min(start + size, n_classes))
        sums += _block_errors(probs, labels, block, cuts)
    means = sums / n_classes
    found: dict[str, float | Undefined] = {}
    for name, values in zip(("cwCE", "cwCE_em", "cwACE"), means.tolist(), strict=True):
        found |= {f"{name}_{n_bins}": value for n_bins, value in zip(BIN_COUNTS, values, strict=True)}
    for n_bins in BIN_COUNTS:
        if n_samples < n_bins:
            found[f"cwACE_{n_bins}"] = Undefined(f"N = {n_samples} is less than M = {n_bins}")
    return found


@functools.lru_cache(maxsize=8)
def _cuts(n_samples: int) -> _Cuts:
    """Return the cuts of a number of samples, which every model of a study has in common."""
    edges_of = [equal_width_edges(n_bins) for n_bins in BIN_COUNTS]
    edges, of_edges = np.unique(np.concatenate(edges_of), return_inverse=True)
    lengths = [n_bins + 1 for n_bins in BIN_COUNTS]
    mass_of = [_equal_mass_positions(n_samples, min(n_bins, n_samples)) for n_bins in BIN_COUNTS]
    return _Cuts(
        edges=edges,
        of_edges=of_edges,
        of_mass=np.concatenate(mass_of),
        starts=np.cumsum([0, *map(len, edges_of)])[:-1],
        mass_starts=np.cumsum([0, *map(len, mass_of)])[:-1],
        count_of=np.repeat(np.arange(len(BIN_COUNTS)), lengths),
        bin_of_count=np.concatenate([np.arange(length) for length in lengths]),
        count_starts=np.cumsum([0, *lengths])[:-1],
        count_ends=np.cumsum(lengths) - 1,
    )


def _equal_mass_positions(n_samples: int, n_chunks: int) -> Int64[np.ndarray, " cuts"]:
    """Return where ``numpy.array_split`` cuts, 0 and the end included."""
    chunk_size, n_larger = divmod(n_samples, n_chunks)
    chunk = np.arange(n_chunks + 1)
    return chunk * chunk_size + np.minimum(chunk, n_larger)


def _block_errors(
    probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"], block: range, cuts: _Cuts
) -> Float64[np.ndarray, "3 counts"]:
    """Return the sums over some classes of each error at each bin count: equal width, equal mass, equal count."""
    outcome = labels == np.arange(block.start, block.stop)[:, np.newaxis]
    ranked, happened = sort_events(probs[:, block.start : block.stop].T, outcome)  # (classes of the block, n)
    excess = np.zeros((len(block), ranked.shape[1] + 1))
    np.subtract(ranked, happened, out=excess[:, 1:])
    np.cumsum(excess[:, 1:], axis=1, out=excess[:, 1:])
    width = np.stack([np.searchsorted(row, cuts.edges, side="right") for row in ranked])
    of_width = _errors(excess, width[:, cuts.of_edges], cuts.starts)
    of_mass = _errors(excess, _equal_mass(ranked, cuts.of_mass), cuts.mass_starts)
    of_count = _equal_count_errors(ranked, excess, width[:, 0], cuts)
    for row, n_bins in zip(*np.nonzero(np.isnan(of_count)), strict=True):
        plain = rank(probs[:, block.start + row], outcome[row])
        of_count[row, n_bins] = binned_error(plain, equal_count_cuts(plain, BIN_COUNTS[n_bins]))
    return np.stack([of_width.sum(axis=0), of_mass.sum(axis=0), of_count.sum(axis=0)])


def _errors(
    excess: Float64[np.ndarray, "classes running"],
    cuts: Int64[np.ndarray, "classes cuts"],
    starts: Int64[np.ndarray, " counts"],
) -> Float64[np.ndarray, "classes counts"]:
    """Return the error of each class at each bin count, whose cuts stand one after the other from ``starts`` on."""
    gaps = np.abs(np.diff(np.take_along_axis(excess, cuts, axis=1), axis=1, append=0.0))
    gaps[:, [*(starts[1:] - 1), -1]] = 0.0  # between the last cut of a bin count and the first of the next
    return np.add.reduceat(gaps, starts, axis=1) / (excess.shape[1] - 1)


def _equal_mass(
    ranked: Float64[np.ndarray, "classes n"], positions: Int64[np.ndarray, " cuts"]
) -> Int64[np.ndarray, "classes cuts"]:
    """Return the cuts at the midpoints between chunks: those of the chunks, but behind all that equal a midpoint."""
    n_samples = ranked.shape[1]
    inner = np.clip(positions, 1, n_samples - 1)
    before, behind = ranked[:, inner - 1], ranked[:, inner]
    midpoints = (before + behind) / 2
    cuts = np.broadcast_to(positions, (len(ranked), len(positions))).copy()
    moved: Bool[np.ndarray, "classes cuts"] = (midpoints >= behind) & (positions > 0) & (positions < n_samples)
    for row in np.flatnonzero(moved.any(axis=1)):
        at = moved[row]
        cuts[row, at] = np.searchsorted(ranked[row], midpoints[row, at], side="right")
    return cuts


def _equal_count_errors(
    ranked: Float64[np.ndarray, "classes n"],
    excess: Float64[np.ndarray, "classes running"],
    n_zeros: Int64[np.ndarray, " classes"],
    cuts: _Cuts,
) -> Float64[np.ndarray, "classes counts"]:
    """Return the error with bins of equal count, NaN where a bin parts equal probabilities."""
    n_samples = ranked.shape[1]
    zeros = n_zeros[:, np.newaxis]
    sizes = (n_samples - zeros) // np.array(BIN_COUNTS)  # (classes, counts)
    at = zeros + sizes[:, cuts.count_of] * cuts.bin_of_count
    at[:, cuts.count_ends] = n_samples
    found = _errors(excess, at, cuts.count_starts)
    inner = np.clip(at, 1, n_samples - 1)
    same = np.take_along_axis(ranked, inner - 1, axis=1) == np.take_along_axis(ranked, inner, axis=1)
    parts = same & (at > zeros) & (at < n_samples)
    found[np.logical_or.reduceat(parts, cuts.count_starts, axis=1)] = np.nan
    return found
