"""Architecture search on networks that were all measured: what a search finds, after how many evaluations.

A :class:`Benchmark` is made of a population of a store; a :class:`Searcher` asks for networks and is told their values;
:func:`compare` runs several of them many times. docs/search.md says how to add one.
"""

from harness.search.benchmark import ACCURACY, FRONT, HCS, Benchmark, Objective
from harness.search.candidates import Candidates, Unasked
from harness.search.comparison import (
    ALGORITHMS,
    N_EVALUATIONS,
    N_RUNS,
    RANDOM,
    Comparison,
    Mean,
    compare,
    mean_over_runs,
    run_search,
)
from harness.search.evolution import RegularisedEvolution
from harness.search.front import hypervolume, hypervolumes
from harness.search.local_search import LocalSearch
from harness.search.random_search import RandomSearch
from harness.search.scalar import Scalarisation
from harness.search.searcher import Searcher, SearcherFactory
from harness.search.surrogate import SurrogateSearch

__all__ = [
    "ACCURACY",
    "ALGORITHMS",
    "FRONT",
    "HCS",
    "N_EVALUATIONS",
    "N_RUNS",
    "RANDOM",
    "Benchmark",
    "Candidates",
    "Comparison",
    "LocalSearch",
    "Mean",
    "Objective",
    "RandomSearch",
    "RegularisedEvolution",
    "Scalarisation",
    "Searcher",
    "SearcherFactory",
    "SurrogateSearch",
    "Unasked",
    "compare",
    "hypervolume",
    "hypervolumes",
    "mean_over_runs",
    "run_search",
]
