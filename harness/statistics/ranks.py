"""How far two rankings of the same networks agree: Kendall's tau-b and Spearman's rank correlation."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64, Int8, Integer
from scipy.stats import kendalltau, rankdata, spearmanr

_LEAST = 2
_NOTHING_LEFT = 1e-12
_FEW = 300
"""Up to so many networks each pair of them is looked at."""
_MOST_SIGNS = 1 << 22


def kendall_tau(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> float:
    """Return Kendall's tau-b in [-1, 1] over the networks of which both values are known; NaN where it is undefined.

    ``(C - D) / sqrt((C + D + X) (C + D + Y))`` of C concordant and D discordant pairs, X tied in the first values alone
    and Y in the second alone. It is undefined of fewer than two networks, and where one of the rankings has no order.

    Args:
        first: One value per network, NaN where there is none.
        second: The other.

    Example:
        >>> round(kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), 3)
        0.333

    Reference:
        Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945.
    """
    return float(kendall_taus(np.stack([first, second], axis=1), np.array([[0, 1]]))[0])


def spearman_rho(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> float:
    """Return Spearman's rank correlation in [-1, 1], with the same rules as :func:`kendall_tau`.

    Example:
        >>> spearman_rho(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
        0.5
    """
    known = ~(np.isnan(first) | np.isnan(second))
    if not _has_order(first[known]) or not _has_order(second[known]):
        return np.nan  # scipy says the same with a warning
    return float(np.asarray(spearmanr(first[known], second[known]))[0])


def partial_taus(taus: Float64[np.ndarray, "columns columns"], given: int) -> Float64[np.ndarray, "columns columns"]:
    """Return Kendall's partial tau of every two columns, what is left of their agreement once a third is held fixed.

    ``(t_xy - t_xz t_yz) / sqrt((1 - t_xz^2) (1 - t_yz^2))``; NaN where x or y orders the networks as z does. Where z
    is the cause of both and they have nothing else in common it is small, but need not be 0.

    Args:
        taus: Tau-b of every two columns.
        given: Place of the column z.

    Example:
        >>> taus = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]])
        >>> round(float(partial_taus(taus, 2)[0, 1]), 3)
        0.333

    Reference:
        Kendall, "Partial rank correlation", Biometrika 32, 1942.
    """
    of_given = taus[:, given]
    left = 1 - of_given**2
    left[left < _NOTHING_LEFT] = np.nan
    return (taus - np.outer(of_given, of_given)) / np.sqrt(np.outer(left, left))


def kendall_matrix(values: Float64[np.ndarray, "networks columns"]) -> Float64[np.ndarray, "columns columns"]:
    """Return tau-b of every two columns, a symmetric matrix with ones on its diagonal; NaN where it is undefined.

    Each pair of columns is taken over the networks of which both are known, as in :func:`kendall_tau`.

    Args:
        values: A row per network, a column per measurement; NaN where there is no value.

    Example:
        >>> kendall_matrix(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """
    columns = range(values.shape[1])
    pairs = np.array([*combinations(columns, 2), *((i, i) for i in columns)])
    found = np.empty((len(columns), len(columns)))
    found[*pairs.T] = found[*pairs.T[::-1]] = kendall_taus(values, pairs)
    return found


def kendall_taus(
    values: Float64[np.ndarray, "networks columns"], pairs: Integer[np.ndarray, "n_pairs 2"]
) -> Float64[np.ndarray, " n_pairs"]:
    """Return tau-b of chosen pairs of columns; of many networks all cores take part.

    Args:
        values: As in :func:`kendall_matrix`.
        pairs: Numbers of two columns each.
    """
    return _by_signs(values, pairs) if len(values) <= _FEW else _by_sorting(values, pairs)


def _by_signs(
    values: Float64[np.ndarray, "networks columns"], pairs: Integer[np.ndarray, "n_pairs 2"]
) -> Float64[np.ndarray, " n_pairs"]:
    """Return tau-b by its definition, over all pairs of networks: of few networks that takes less than to sort them."""
    first, second = np.triu_indices(len(values), 1)
    differences = values[first] - values[second]
    known = ~np.isnan(differences)
    signs = np.sign(np.where(known, differences, 0.0)).astype(np.int8)
    at_once = max(1, _MOST_SIGNS // max(len(first), 1))
    return np.concatenate(
        [np.empty(0), *(_tau_of_signs(signs, known, pairs[k : k + at_once]) for k in range(0, len(pairs), at_once))]
    )


def _tau_of_signs(
    signs: Int8[np.ndarray, "comparisons columns"],
    known: Bool[np.ndarray, "comparisons columns"],
    pairs: Integer[np.ndarray, "n_pairs 2"],
) -> Float64[np.ndarray, " n_pairs"]:
    x, y = signs[:, pairs[:, 0]], signs[:, pairs[:, 1]]
    both = known[:, pairs[:, 0]] & known[:, pairs[:, 1]]
    untied = [np.count_nonzero(each.astype(bool) & both, axis=0) for each in (x, y)]
    with np.errstate(invalid="ignore"):  # 0 / 0 where one has no order
        return np.sum(x * y, axis=0, dtype=np.int64) / np.sqrt(untied[0] * untied[1])


def _by_sorting(
    values: Float64[np.ndarray, "networks columns"], pairs: Integer[np.ndarray, "n_pairs 2"]
) -> Float64[np.ndarray, " n_pairs"]:
    """Return tau-b as scipy finds it, in O(n log n); each column is ranked once."""
    known = ~np.isnan(values)
    ranks = [_ranks(column, is_known) for column, is_known in zip(values.T, known.T, strict=True)]

    def tau_of(pair: Integer[np.ndarray, " 2"]) -> float:
        i, j = pair
        both = known[:, i] & known[:, j]
        return _tau_b(ranks[i][both], ranks[j][both])

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy and scipy let go of the interpreter while they sort
        return np.array(list(pool.map(tau_of, pairs)), dtype=np.float64)


def _ranks(values: Float64[np.ndarray, " n"], known: Bool[np.ndarray, " n"]) -> Integer[np.ndarray, " n"]:
    """Return the ranks of the known values, equal ones for ties; whole numbers are compared faster."""
    return rankdata(np.where(known, values, np.inf), "dense").astype(np.int64)


def _tau_b(first: Integer[np.ndarray, " n"], second: Integer[np.ndarray, " n"]) -> float:
    return float(np.asarray(kendalltau(first, second))[0]) if len(first) >= _LEAST else np.nan


def _has_order(values: Float64[np.ndarray, " n"]) -> bool:
    return len(values) >= _LEAST and bool(np.ptp(values) > 0)
