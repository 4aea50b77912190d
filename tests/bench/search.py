"""How long the full comparison of searches takes: ``make bench-search`` (about half a minute).

Four algorithms search all 6,466 topologies for accuracy, for the harmonic calibration score and for the front of
accuracy and calibration error, 200 runs each. The numbers of the networks are made up: a share for each operation on
each live edge and some luck. They say how fast a search is, not how good.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd
from timing import print_machine, print_table

from harness import spaces
from harness.search import ACCURACY, FRONT, HCS, N_EVALUATIONS, N_RUNS, compare
from harness.statistics.population import PRE, Population

GAIN = {"none": 0.0, "skip_connect": 0.06, "nor_conv_1x1": 0.1, "nor_conv_3x3": 0.13, "avg_pool_3x3": 0.04}


def made_up(space: str) -> Population:
    """All networks of a space that represent a class, with made-up measurements."""
    of_space = spaces.get(space)
    indices = np.array(of_space.representatives())
    rng = np.random.default_rng(0)
    accuracy = np.array([_quality(space, index) for index in indices]) + 0.01 * rng.normal(size=len(indices))
    error = 0.3 * accuracy * (1 - accuracy) + 0.02 * rng.random(len(indices))
    scores = {"acc": accuracy, "ECE_15": error, "HCS": 2 * accuracy * (1 - error) / (accuracy + 1 - error)}
    return Population(
        whose="clean",
        space=space,
        dataset="made-up",
        setting={"source": f"synthetic-{space}"},
        rule="one network of each isomorphism class",
        n_left_out=0,
        n_space=len(indices),
        networks=pd.DataFrame(index=pd.Index(indices, name="arch_index")),
        scores={PRE: pd.DataFrame(scores, index=indices)},
    )


def _quality(space: str, index: int) -> float:
    features = spaces.get(space).features(int(index))
    if space == "sss":
        return 0.3 + 0.5 * (sum(features.widths) / 320) ** 0.5
    live = zip(features.operations, features.live_edges, strict=True)
    return 0.1 + sum(GAIN[operation] for operation, is_live in live if is_live)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="tss", choices=spaces.names(), help="the networks that are searched")
    parser.add_argument("--runs", type=int, default=N_RUNS, help="runs of each algorithm")
    parser.add_argument("--evaluations", type=int, default=N_EVALUATIONS, help="evaluations of each run")
    arguments = parser.parse_args()
    print_machine()
    population = made_up(arguments.space)
    lines, total = [], 0.0
    for objective in (ACCURACY, HCS, FRONT):
        start, own = time.perf_counter(), time.process_time()
        found = compare(population, objective, n_runs=arguments.runs, n_evaluations=arguments.evaluations)
        seconds, own = time.perf_counter() - start, time.process_time() - own
        total += seconds
        ends = found.curves[found.curves["evaluations"] == found.n_evaluations]
        reached = [f"{name} {mean:.4f}" for name, mean in zip(ends["algorithm"], ends["mean"], strict=True)]
        lines.append((objective.name, f"{seconds:.1f}", f"{own:.1f}", ", ".join(reached)))
    title = f"{arguments.runs} runs of {arguments.evaluations} evaluations on {len(population):,} networks"
    print_table(title, ("objective", "s", "of processor", "regret or hypervolume at the end"), lines)
    sys.stdout.write(f"\nall: {total:.1f} s\n")


if __name__ == "__main__":
    main()
