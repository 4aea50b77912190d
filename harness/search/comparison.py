"""Many seeded runs of several searches on one benchmark, and how each compares with random search."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from scipy.stats import t
from threadpoolctl import threadpool_limits

from harness.search.benchmark import ACCURACY, Benchmark, Objective
from harness.search.candidates import Candidates
from harness.search.evolution import RegularisedEvolution
from harness.search.local_search import LocalSearch
from harness.search.random_search import RandomSearch
from harness.search.searcher import Searcher, SearcherFactory
from harness.search.surrogate import SurrogateSearch
from harness.statistics.population import Population

RANDOM = "random search"
ALGORITHMS: Mapping[str, SearcherFactory] = {
    RANDOM: RandomSearch,
    "local search": LocalSearch,
    "regularised evolution": RegularisedEvolution,
    "surrogate": SurrogateSearch,
}
"""The searches that are compared unless others are named."""

N_EVALUATIONS, N_RUNS = 150, 200


class Mean(NamedTuple):
    """A mean over runs and its interval, after each evaluation.

    Attributes:
        mean: The mean.
        low: Lower ends; NaN of a single run.
        high: Upper ends.
    """

    mean: Float64[np.ndarray, " evaluations"]
    low: Float64[np.ndarray, " evaluations"]
    high: Float64[np.ndarray, " evaluations"]


def mean_over_runs(scores: Float64[np.ndarray, "runs evaluations"], level: float = 0.95) -> Mean:
    """Return the mean over runs with the interval of Student's t, ``mean +- q s / sqrt(runs)``.

    Args:
        scores: A row per run.
        level: Probability that the interval holds the mean of endlessly many runs, in (0, 1).

    Example:
        >>> [end.round(3).tolist() for end in mean_over_runs(np.array([[1.0], [2.0], [3.0]]))]
        [[2.0], [-0.484], [4.484]]
    """
    n, mean = len(scores), scores.mean(axis=0)
    if n < 2:
        unknown = np.full_like(mean, np.nan)
        return Mean(mean, unknown, unknown)
    reach = t.ppf(0.5 + level / 2, n - 1) * scores.std(axis=0, ddof=1) / np.sqrt(n)
    return Mean(mean, mean - reach, mean + reach)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What some searches came to on a benchmark.

    Attributes:
        benchmark: The networks and what was to be maximised.
        seed: Seed of the runs.
        places: By algorithm the networks that each run asked for, in order.
        scores: By algorithm how far each run had come after each evaluation, as :meth:`Benchmark.scores` defines it.
    """

    benchmark: Benchmark
    seed: int
    places: Mapping[str, Int64[np.ndarray, "runs evaluations"]]
    scores: Mapping[str, Float64[np.ndarray, "runs evaluations"]]

    @property
    def n_runs(self) -> int:
        """Runs of each algorithm."""
        return len(self.scores[RANDOM])

    @property
    def n_evaluations(self) -> int:
        """Networks that each run asked for."""
        return self.scores[RANDOM].shape[1]

    def mean(self, algorithm: str) -> Mean:
        """Return the mean over the runs of an algorithm."""
        return mean_over_runs(self.scores[algorithm])

    def difference(self, algorithm: str) -> Mean:
        """Return the mean over runs of how far an algorithm is from random search with the same seed.

        Below 0 is better of regret, above 0 of hypervolume.
        """
        return mean_over_runs(self.scores[algorithm] - self.scores[RANDOM])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A row per algorithm and number of evaluations.

        Columns: ``networks``, ``objective``, ``measure`` (regret or hypervolume), ``algorithm``, ``evaluations``,
        ``mean``, ``low`` and ``high`` over runs, and ``difference``, ``difference low`` and ``difference high``, those
        of the algorithm minus random search; NaN of random search itself.
        """
        return pd.concat([self._curve(name) for name in self.scores], ignore_index=True)

    def _curve(self, algorithm: str) -> pd.DataFrame:
        mean, low, high = self.mean(algorithm)
        columns = {
            "networks": self.benchmark.name,
            "objective": self.benchmark.objective.name,
            "measure": self.benchmark.objective.measure,
            "algorithm": algorithm,
            "evaluations": np.arange(1, self.n_evaluations + 1),
            "mean": mean,
            "low": low,
            "high": high,
        }
        differences = [np.nan] * 3 if algorithm == RANDOM else self.difference(algorithm)
        names = ("difference", "difference low", "difference high")
        return pd.DataFrame({**columns, **dict(zip(names, differences, strict=True))})


def compare(
    population: Population,
    objective: Objective = ACCURACY,
    *,
    algorithms: Mapping[str, SearcherFactory] = ALGORITHMS,
    n_evaluations: int = N_EVALUATIONS,
    n_runs: int = N_RUNS,
    seed: int = 0,
) -> Comparison:
    """Return how searches come along on a population, against random search.

    Run i of every algorithm has the generator ``numpy.random.default_rng([seed, i])``. Those of this package draw a
    random order of the networks from it first and begin with that, so their first networks are those of random search,
    and the difference of two runs is that of the algorithms.

    Args:
        population: The networks.
        objective: What is to be maximised.
        algorithms: What starts a search, by name; random search is run whether it is named or not.
        n_evaluations: Networks that a run may ask for, at least 1; all of them where there are fewer.
        n_runs: Runs of each algorithm, at least 1; intervals need two.
        seed: Seed of the runs, at least 0.

    Raises:
        ValueError: A number is too small, no network has the terms of the objective, all are equally good, or an
            algorithm asks for a network twice or for one that is not there; the message names it.
    """
    if min(n_evaluations, n_runs) < 1:
        raise ValueError(f"n_evaluations, n_runs: expected at least 1 each, got {n_evaluations} and {n_runs}")
    if seed < 0:
        raise ValueError(f"seed: expected at least 0, got {seed}")
    benchmark = Benchmark.of(population, objective)
    if benchmark.is_flat:
        raise ValueError(
            f"population: expected networks of which some are better by {objective.name}, got {len(benchmark)} of "
            f"{benchmark.name} without a difference"
        )
    places = {}
    with threadpool_limits(1):  # on matrices as small as these several threads take longer than one
        for name, factory in {RANDOM: RandomSearch, **algorithms}.items():
            runs = [
                run_search(benchmark, factory, np.random.default_rng([seed, i]), n_evaluations, name=name)
                for i in range(n_runs)
            ]
            places[name] = np.stack(runs)
    scores = {name: benchmark.scores(of_runs) for name, of_runs in places.items()}
    return Comparison(benchmark, seed, places, scores)


def run_search(
    benchmark: Benchmark,
    factory: SearcherFactory,
    rng: np.random.Generator,
    n_evaluations: int,
    *,
    name: str = "search",
) -> Int64[np.ndarray, " evaluations"]:
    """Return the places of the networks that one run asks for, in order.

    Args:
        benchmark: The networks and their values.
        factory: What starts the search.
        rng: Generator of all that is random in it.
        n_evaluations: Networks that it may ask for; all of them where there are fewer.
        name: What the search is called in messages.

    Raises:
        ValueError: It is no search, asks for a network twice, or for one that is not there; the message names it.
    """
    searcher = _started(factory, benchmark.candidates, rng, name)
    asked: dict[int, None] = {}
    for _ in range(min(n_evaluations, len(benchmark))):
        place = _checked(searcher.ask(), asked, len(benchmark), name)
        asked[place] = None
        searcher.tell(place, benchmark.values[place])
    return np.array(list(asked), dtype=np.int64)


def _started(factory: SearcherFactory, candidates: Candidates, rng: np.random.Generator, name: str) -> Searcher:
    """Return a search that was started, if it is one."""
    if callable(factory):
        searcher = factory(candidates, rng)
        if isinstance(searcher, Searcher):
            return searcher
    raise ValueError(
        f"{name}: expected a class or function that takes candidates and a generator and returns a search with ask() "
        f"and tell(), got {factory!r}"
    )


def _checked(place: object, asked: Mapping[int, None], n: int, name: str) -> int:
    """Return what a search asked for if it is a network that it did not ask for before."""
    problem = "which is no integer"
    if hasattr(place, "__index__") and not isinstance(place, bool):
        number = operator.index(place)  # pyright: ignore[reportArgumentType] - it has __index__
        if 0 <= number < n and number not in asked:
            return number
        problem = "for the second time" if number in asked else "which is not there"
    raise ValueError(
        f"{name}: expected ask() to return a place in 0..{n - 1} that it did not return before, got {place!r} "
        f"as number {len(asked) + 1}, {problem}"
    )
