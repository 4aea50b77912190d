"""Small tables to search, made up: values by hand, sizes and topologies whose best network is known."""

import numpy as np
import pandas as pd
import pytest

from harness import spaces
from harness.search import ACCURACY, Benchmark
from harness.statistics.population import PRE, Population


def table_of(values, space="sss", indices=None, calibrator=PRE, **further):
    """Networks of a space with an accuracy each, and further measurements."""
    of_space = spaces.get(space)
    indices = np.arange(len(values)) if indices is None else np.asarray(indices)
    scores = pd.DataFrame({"acc": np.asarray(values, dtype=float), **further}, index=indices)
    return Population(
        whose="clean",
        space=space,
        dataset="made-up",
        setting={"source": "made-up", "hp": "200"},
        rule="one network of each isomorphism class",
        n_left_out=0,
        n_space=len(of_space.representatives()),
        networks=pd.DataFrame(index=pd.Index(indices, name="arch_index")),
        scores={calibrator: scores},
    )


def linear_table(n=400, seed=0):
    """Topologies whose accuracy is a sum over their edges, with an error that goes against it."""
    space = spaces.get("tss")
    indices = np.sort(np.random.default_rng(seed).choice(space.representatives(), n, replace=False))
    gain = np.random.default_rng(seed + 1).random((6, 5))
    codes = space.stacks().operations[indices]
    accuracy = gain[np.arange(6), codes].sum(axis=1) / 6
    error = accuracy**2 / 4 + 0.02 * np.random.default_rng(seed + 2).random(n)
    return table_of(accuracy, "tss", indices, ECE_15=error)


def benchmark_of(values, objective=ACCURACY, **options):
    return Benchmark.of(table_of(values, **options), objective)


@pytest.fixture(scope="session")
def make():
    """The makers of tables, for tests to name."""

    class Make:
        table = staticmethod(table_of)
        linear = staticmethod(linear_table)
        benchmark = staticmethod(benchmark_of)

    return Make
