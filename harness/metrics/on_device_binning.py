"""Binned errors of many rows of probabilities at once on a device, with the cuts of :mod:`harness.metrics.binning`.

A row is one binary event of one model. Each function takes all rows and all bin counts of the study at once: cuts are
positions of shape (..., N_CUTS), the M + 1 cuts of each bin count M one after the other. Nothing is added to shared
places in an order that the device chooses, so the numbers are those of every run.
"""

import functools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float64, Int64, Shaped

from harness.metrics.binning import BIN_COUNTS, equal_width_edges

N_CUTS = sum(n_bins + 1 for n_bins in BIN_COUNTS)
"""Number of cuts of all bin counts together."""


class _Cuts(NamedTuple):
    """Where bins begin and end, for a number of samples: the M + 1 cuts of each bin count M, one after the other.

    Attributes:
        edges: The edges of the equal-width bins.
        of_mass: The positions among samples where `numpy.array_split` cuts; N behind the last of fewer chunks than M.
        bin_count: The bin count that each cut belongs to.
        bin: Which of its cuts it is, from 0 to M.
    """

    edges: Float64[torch.Tensor, " cuts"]
    of_mass: Int64[torch.Tensor, " cuts"]
    bin_count: Int64[torch.Tensor, " cuts"]
    bin: Int64[torch.Tensor, " cuts"]


class RankedRows(NamedTuple):
    """Predicted probabilities of binary events, each row ascending; equal ones keep the order of the samples.

    Attributes:
        probability: Predicted probabilities in [0, 1].
        outcome: Whether each event happened.
        excess: Running sums of (probability - outcome) from 0 on, as in `harness.metrics.predictions.Ranked`.
    """

    probability: Float64[torch.Tensor, "*rows n"]
    outcome: Bool[torch.Tensor, "*rows n"]
    excess: Float64[torch.Tensor, "*rows running"]


def rank_rows(probability: Float64[torch.Tensor, "*rows n"], outcome: Bool[torch.Tensor, "..."]) -> RankedRows:
    """Return each row in ascending order of probability; the outcomes may be common to the first dimensions."""
    ranked, order = probability.contiguous().sort(dim=-1, stable=True)
    happened = outcome.expand(ranked.shape).gather(-1, order)
    return RankedRows(ranked, happened, excess=running_sums(ranked - happened.double()))


def equal_width_cuts(rows: RankedRows) -> Int64[torch.Tensor, "*rows cuts"]:
    """Return the cuts of `harness.metrics.binning.equal_width_cuts` of each row and bin count."""
    edges = _cuts(rows.probability.shape[-1], rows.probability.device).edges
    wanted = edges.expand(*rows.probability.shape[:-1], -1).contiguous()
    return torch.searchsorted(rows.probability, wanted, right=True)


def equal_mass_cuts(rows: RankedRows) -> Int64[torch.Tensor, "*rows cuts"]:
    """Return the cuts of `harness.metrics.binning.equal_mass_cuts` of each row and bin count."""
    n_samples = rows.probability.shape[-1]
    chunks = _cuts(n_samples, rows.probability.device).of_mass
    behind = chunks.clamp(max=n_samples - 1)
    before = (behind - 1).clamp(min=0)
    midpoints = (rows.probability.index_select(-1, before) + rows.probability.index_select(-1, behind)) / 2
    is_inner = (chunks > 0) & (chunks < n_samples)
    return torch.where(is_inner, torch.searchsorted(rows.probability, midpoints, right=True), chunks)


def equal_count_cuts(rows: RankedRows, *, n_zeros: Int64[torch.Tensor, "*rows 1"]) -> Int64[torch.Tensor, "*rows cuts"]:
    """Return the cuts of `harness.metrics.binning.equal_count_cuts` of each row and bin count."""
    n_samples = rows.probability.shape[-1]
    cuts = _cuts(n_samples, rows.probability.device)
    inner = n_zeros + (n_samples - n_zeros) // cuts.bin_count * cuts.bin
    return torch.where(cuts.bin == cuts.bin_count, n_samples, inner)


def binned_errors(rows: RankedRows, cuts: Int64[torch.Tensor, "*rows cuts"]) -> Float64[torch.Tensor, "*rows counts"]:
    """Return `harness.metrics.binning.binned_error` of each row and bin count."""
    gaps = _bins(rows.excess.gather(-1, cuts))
    return torch.stack([of_count.abs().sum(dim=-1) for of_count in gaps], dim=-1) / rows.probability.shape[-1]


def largest_binned_errors(
    rows: RankedRows, cuts: Int64[torch.Tensor, "*rows cuts"]
) -> Float64[torch.Tensor, "*rows counts"]:
    """Return ``max_b |mean p - mean y|`` of each row and bin count; the gap of an empty bin is 0."""
    gaps, sizes = _bins(rows.excess.gather(-1, cuts)), _bins(cuts)
    means = [gap.abs() / size.clamp(min=1) for gap, size in zip(gaps, sizes, strict=True)]
    return torch.stack([of_count.amax(dim=-1) for of_count in means], dim=-1)


def largest_running_errors(rows: RankedRows) -> Float64[torch.Tensor, "*rows"]:
    """Return the largest running error of each row, taken where a group of equal probabilities ends."""
    ends_group = F.pad(rows.probability[..., 1:] != rows.probability[..., :-1], (0, 1), value=True)
    return (rows.excess[..., 1:].abs() * ends_group).amax(dim=-1) / rows.probability.shape[-1]


def running_sums(values: Float64[torch.Tensor, "*rows n"]) -> Float64[torch.Tensor, "*rows running"]:
    """Return the running sums of each row from 0 on, one more than there are values, in the same order in every run.

    Example:
        >>> running_sums(torch.tensor([1.0, 2.0], dtype=torch.float64)).tolist()
        [0.0, 1.0, 3.0]
    """
    if values.numel() == values.shape[-1]:  # one row alone, which a GPU would add up in an order that varies
        return running_sums(torch.stack((values, values)))[0]
    return F.pad(values.cumsum(dim=-1), (1, 0))


@functools.lru_cache(maxsize=8)
def _cuts(n_samples: int, device: torch.device) -> _Cuts:
    """Return the cuts of a number of samples, which every model of a study has in common."""
    edges = torch.cat([torch.from_numpy(equal_width_edges(n_bins)) for n_bins in BIN_COUNTS])
    bin_count = torch.tensor(BIN_COUNTS).repeat_interleave(torch.tensor(BIN_COUNTS) + 1)
    of_bin = torch.cat([torch.arange(n_bins + 1) for n_bins in BIN_COUNTS])
    n_chunks = bin_count.clamp(max=n_samples)
    of_mass = of_bin * (n_samples // n_chunks) + torch.minimum(of_bin, n_samples % n_chunks)
    parts = (edges, of_mass.clamp(max=n_samples), bin_count, of_bin)
    return _Cuts(*(part.to(device) for part in parts))


def _bins(values: Shaped[torch.Tensor, "*rows cuts"]) -> list[torch.Tensor]:
    """Return for each bin count how much the values grow from cut to cut: one number for each bin."""
    return [of_count.diff(dim=-1) for of_count in values.split([n_bins + 1 for n_bins in BIN_COUNTS], dim=-1)]
