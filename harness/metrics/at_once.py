"""All that is binned, at once: one sort per class and one of the confidences serve every number of bins.

The plain definitions are in `harness.metrics.top_label`, `harness.metrics.classwise` and `harness.metrics.binning`;
this module gives the same numbers for many rows of sorted probabilities together, a row being a class or the
confidences.

Equal probabilities of a row come in the order of their outcomes (`harness.metrics.predictions.sort_events`); where that
matters, which is where a bin of equal count parts them, the class is done again by the plain functions.
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer, UInt8

from harness.metrics.binning import (
    BIN_COUNTS,
    binned_error,
    equal_count_cuts,
    equal_count_positions,
    equal_mass_positions,
    equal_width_edges,
)
from harness.metrics.predictions import Ranked, is_right, rank, sort_events
from harness.metrics.undefined import Undefined

_BLOCK = 1 << 17
"""About as many probabilities are worked on at a time as fit into a processor's cache."""

_N_COUNTS = len(BIN_COUNTS)


class SortedOnce(NamedTuple):
    """What one sort of everything gives.

    Attributes:
        top: The ranked confidences, for what is measured without bins.
        binned: ``ECE_M``, ``ECE_em_M``, ``MCE_M``, ``cwCE_M``, ``cwCE_em_M`` and ``cwACE_M`` at every bin count M.
    """

    top: Ranked
    binned: dict[str, float | Undefined]


class BinnedRows(NamedTuple):
    """Calibration errors of some rows.

    Attributes:
        errors: With bins of equal width, of equal mass and of equal count, at each bin count; NaN where a bin of equal
            count parts equal probabilities.
        worst: The largest error of a bin of equal width, at each bin count.
        excess: Sums of (probability - outcome) of the 0, 1, ..., n lowest.
    """

    errors: Float64[np.ndarray, "rows 3 counts"]
    worst: Float64[np.ndarray, "rows counts"]
    excess: Float64[np.ndarray, "rows running"]


class _Cuts(NamedTuple):
    """Where the bins of all bin counts begin and end, for a number of samples.

    Of each row the cuts stand in one array: those of equal width, one bin count after the other, then those of equal
    mass, then those of equal count.

    Attributes:
        edges: The distinct edges of all equal-width bins, ascending.
        of_edges: The position among them of each edge of each bin count.
        positions: The distinct positions among samples of all cuts of equal mass and of equal count, ascending, from 0
            to N: where they stand in a row without equal probabilities and without zeros.
        of_mass: The place among the positions of each cut of equal mass.
        of_count: The place among the positions of each cut of equal count.
        starts: Where the cuts of each kind and bin count begin.
        ends: Where the last of them stands.
    """

    edges: Float64[np.ndarray, " edges"]
    of_edges: Int64[np.ndarray, " width_cuts"]
    positions: Int64[np.ndarray, " positions"]
    of_mass: Int64[np.ndarray, " mass_cuts"]
    of_count: Int64[np.ndarray, " count_cuts"]
    starts: Int64[np.ndarray, " kinds"]
    ends: Int64[np.ndarray, " kinds"]


def sort_once(probs: Float64[np.ndarray, "n classes"], labels: Integer[np.ndarray, " n"]) -> SortedOnce:
    """Return everything binned, and the ranked confidences.

    Args:
        probs: Class probabilities, shape (n, classes), already checked.
        labels: Classes, shape (n,), already checked.

    Example:
        >>> sort_once(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1])).binned["MCE_5"]
        0.25
    """
    n_samples, n_classes = probs.shape
    confidence = np.zeros(n_samples)
    # One piece of memory for every block, changed in place: fresh memory costs more than the arithmetic on it.
    memory = np.zeros((min(n_classes + 1, max(1, _BLOCK // n_samples)), n_samples + 1))
    *starts, last = range(0, n_classes + 1, len(memory))  # row k of all is class k, the last one the confidences
    errors = []
    for start in starts:
        happened = _sort_block(memory, probs, labels, start, confidence)
        errors.append(binned_rows(memory, happened).errors)
        _mend(errors[-1], probs, labels, start)
    block, row = memory[: n_classes + 1 - last], n_classes - last
    happened = _sort_block(block, probs, labels, last, confidence)
    del confidence  # now in the block, and what follows takes the most memory
    binned = binned_rows(block, happened)
    _mend(binned.errors[:row], probs, labels, last)
    of_classes = np.concatenate((*errors, binned.errors[:row])).mean(axis=0)
    top = Ranked(block[row, 1:].copy(), happened[row].astype(bool), binned.excess[row].copy())
    return SortedOnce(top, _named(binned.errors[row], binned.worst[row], of_classes, n_samples))


def _sort_block(
    block: Float64[np.ndarray, "rows running"],
    probs: Float64[np.ndarray, "n classes"],
    labels: Integer[np.ndarray, " n"],
    start: int,
    confidence: Float64[np.ndarray, " n"],
) -> UInt8[np.ndarray, "rows n"]:
    """Fill a block with the sorted rows from ``start`` on and return their outcomes.

    The confidences, so far the highest probabilities of the classes before, are brought up to the classes of the block.
    """
    n_classes = probs.shape[1]
    stop = min(start + len(block), n_classes)
    rows = block[: stop - start, 1:]
    rows[:] = probs[:, start:stop].T
    np.maximum(confidence, rows.max(axis=0, initial=0.0), out=confidence)
    samples = np.flatnonzero((labels >= start) & (labels < stop))
    events = (labels[samples].astype(np.int64) - start) * block.shape[1] + samples + 1
    if start + len(block) > n_classes:
        block[-1, 1:] = confidence
        right = np.flatnonzero(is_right(probs, labels, confidence))
        events = np.append(events, right + (len(block) - 1) * block.shape[1] + 1)
    block[:, 0] = 0.0
    return sort_events(block, events)


def binned_rows(block: Float64[np.ndarray, "rows running"], happened: UInt8[np.ndarray, "rows n"]) -> BinnedRows:
    """Return the errors of rows of sorted probabilities at every bin count.

    Args:
        block: 0, then the n probabilities of the row, ascending; contiguous, shape (rows, n + 1).
        happened: Their outcomes, 0 or 1, shape (rows, n).

    Example:
        >>> binned = binned_rows(np.array([[0.0, 0.5, 0.75]]), np.array([[0, 1]], dtype=np.uint8))
        >>> binned.errors[0, :, 0].tolist()
        [0.375, 0.375, 0.125]
        >>> binned.excess[0].tolist()
        [0.0, 0.5, 0.25]
    """
    n_rows, n_samples = happened.shape
    cuts = _cuts(n_samples)
    width = _equal_width(block, cuts)
    before, behind = _neighbours(block, cuts.positions[np.newaxis])
    before[:, [0, -1]] = -1.0  # the first and the last position have a probability on one side only
    mass = _equal_mass(block, before, behind, cuts)
    count, parts_equal = _equal_count(block, width[:, :1], before == behind, cuts)
    at = np.concatenate((width, mass, count), axis=1)
    excess = _running_excess(block, happened)
    at_flat = at + np.arange(n_rows)[:, np.newaxis] * (n_samples + 1)
    gaps = np.diff(excess.reshape(-1).take(at_flat), axis=1, append=0.0)
    np.abs(gaps, out=gaps)
    gaps[:, cuts.ends] = 0.0  # between the last cut of a number of bins and the first of the next
    errors = np.add.reduceat(gaps, cuts.starts, axis=1).reshape(n_rows, 3, _N_COUNTS) / n_samples
    errors[:, 2][parts_equal] = np.nan
    return BinnedRows(errors, _worst(gaps, at, cuts), excess)


def _running_excess(
    block: Float64[np.ndarray, "rows running"], happened: UInt8[np.ndarray, "rows n"]
) -> Float64[np.ndarray, "rows running"]:
    """Return the sums of (probability - outcome) of the 0, 1, ..., n lowest of each row.

    By torch, which keeps the sum in a register: `numpy.cumsum` reads it back from memory at each step and takes three
    times as long.
    """
    import torch  # heavy, and most of those who import the metrics do not measure

    excess = np.empty_like(block)
    excess[:, 0] = 0.0
    np.subtract(block[:, 1:], happened, out=excess[:, 1:])
    for row in torch.from_numpy(excess):  # all at once would start threads, and a process forked later would hang
        row.cumsum_(dim=0)
    return excess


def _named(
    of_top: Float64[np.ndarray, "3 counts"],
    worst: Float64[np.ndarray, " counts"],
    of_classes: Float64[np.ndarray, "3 counts"],
    n_samples: int,
) -> dict[str, float | Undefined]:
    """Return the measurements by name: errors of the confidences, their largest, and mean errors of the classes."""
    rows = {
        "ECE": of_top[0],
        "ECE_em": of_top[1],
        "MCE": worst,
        "cwCE": of_classes[0],
        "cwCE_em": of_classes[1],
        "cwACE": of_classes[2],
    }
    found: dict[str, float | Undefined] = {}
    for name, values in rows.items():
        found |= {f"{name}_{n_bins}": value for n_bins, value in zip(BIN_COUNTS, values.tolist(), strict=True)}
    for n_bins in BIN_COUNTS:
        if n_samples < n_bins:
            found[f"cwACE_{n_bins}"] = Undefined(f"N = {n_samples} is less than M = {n_bins}")
    return found


def _mend(
    errors: Float64[np.ndarray, "rows 3 counts"],
    probs: Float64[np.ndarray, "n classes"],
    labels: Integer[np.ndarray, " n"],
    first_class: int,
) -> None:
    """Fill in the errors of the classes of which a bin of equal count parts equal probabilities."""
    parted = np.isnan(errors[:, 2])
    for row in np.flatnonzero(parted.any(axis=1)):
        plain = rank(probs[:, first_class + row], labels == first_class + row)
        for count in np.flatnonzero(parted[row]):
            errors[row, 2, count] = binned_error(plain, equal_count_cuts(plain, BIN_COUNTS[count]))


@functools.lru_cache(maxsize=8)
def _cuts(n_samples: int) -> _Cuts:
    """Return the cuts of a number of samples, which every model of a study has in common."""
    edges_of = [equal_width_edges(n_bins) for n_bins in BIN_COUNTS]
    edges, of_edges = np.unique(np.concatenate(edges_of), return_inverse=True)
    mass_of = [equal_mass_positions(n_samples, n_bins) for n_bins in BIN_COUNTS]
    ends = np.cumsum([*map(len, edges_of), *map(len, mass_of), *(n_bins + 1 for n_bins in BIN_COUNTS)]) - 1
    of_count = _count_positions(n_samples, np.array([0]))
    positions, places = np.unique(np.concatenate((*mass_of, of_count)), return_inverse=True)
    return _Cuts(
        edges=edges,
        of_edges=of_edges,
        positions=positions,
        of_mass=places[: -of_count.size],
        of_count=places[-of_count.size :],
        starts=np.append(0, ends[:-1] + 1),
        ends=ends,
    )


def _equal_width(block: Float64[np.ndarray, "rows running"], cuts: _Cuts) -> Int64[np.ndarray, "rows cuts"]:
    """Return the cuts of the bins of equal width: behind all that equal an edge."""
    of_edges = np.stack([row.searchsorted(cuts.edges, side="right") for row in block[:, 1:]])
    return of_edges.take(cuts.of_edges, axis=1)


def _equal_mass(
    block: Float64[np.ndarray, "rows running"],
    before: Float64[np.ndarray, "rows positions"],
    behind: Float64[np.ndarray, "rows positions"],
    cuts: _Cuts,
) -> Int64[np.ndarray, "rows cuts"]:
    """Return the cuts at the midpoints between chunks: those of the chunks, but behind all that equal a midpoint."""
    midpoints = (before + behind) / 2
    moved = midpoints >= behind
    at = np.tile(cuts.positions[cuts.of_mass], (len(block), 1))
    for row in np.flatnonzero(moved.any(axis=1)):
        positions = cuts.positions.copy()
        positions[moved[row]] = np.searchsorted(block[row, 1:], midpoints[row, moved[row]], side="right")
        at[row] = positions[cuts.of_mass]
    return at


def _equal_count(
    block: Float64[np.ndarray, "rows running"],
    n_zeros: Int64[np.ndarray, "rows 1"],
    equal: Bool[np.ndarray, "rows positions"],
    cuts: _Cuts,
) -> tuple[Int64[np.ndarray, "rows cuts"], Bool[np.ndarray, "rows counts"]]:
    """Return the cuts of bins of floor(n / M), and at which bin counts one of them parts equal probabilities.

    ``equal`` says for every position whether the probabilities on its two sides are.
    """
    n_samples = block.shape[1] - 1
    if n_zeros.any():
        at = _count_positions(n_samples, n_zeros)
        before, behind = _neighbours(block, at)
        parts_equal = (before == behind) & (at > n_zeros) & (at < n_samples)
    else:
        at = cuts.positions[np.newaxis, cuts.of_count]
        parts_equal = equal.take(cuts.of_count, axis=1)
    starts = cuts.starts[2 * _N_COUNTS :] - cuts.starts[2 * _N_COUNTS]
    return np.broadcast_to(at, parts_equal.shape), np.logical_or.reduceat(parts_equal, starts, axis=1)


def _count_positions(n_samples: int, n_zeros: Int64[np.ndarray, "*rows 1"]) -> Int64[np.ndarray, "*rows cuts"]:
    """Return the cuts of equal count of all bin counts, one behind the other."""
    return np.concatenate([equal_count_positions(n_samples, n_zeros, n_bins) for n_bins in BIN_COUNTS], axis=-1)


def _neighbours(
    block: Float64[np.ndarray, "rows running"], at: Int64[np.ndarray, "rows_or_one cuts"]
) -> tuple[Float64[np.ndarray, "rows cuts"], Float64[np.ndarray, "rows cuts"]]:
    """Return the probabilities before and behind each cut; those of the first and the last cut mean nothing.

    One row of cuts is that of all rows.
    """
    inner = np.clip(at, 1, block.shape[1] - 2) + np.arange(len(block))[:, np.newaxis] * block.shape[1]
    return block.reshape(-1).take(inner), block.reshape(-1).take(inner + 1)


def _worst(
    gaps: Float64[np.ndarray, "rows cuts"], at: Int64[np.ndarray, "rows cuts"], cuts: _Cuts
) -> Float64[np.ndarray, "rows counts"]:
    """Return the largest error of a bin of equal width at each bin count."""
    width = slice(0, len(cuts.of_edges))
    counts = np.diff(at[:, width], axis=1, append=0)
    errors = gaps[:, width] / np.maximum(counts, 1)
    return np.maximum.reduceat(errors, cuts.starts[:_N_COUNTS], axis=1)
