"""A population of networks as a tabular benchmark: every network has been evaluated, so a search only looks up."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from harness.search.candidates import Candidates
from harness.search.front import hypervolume, hypervolumes
from harness.statistics.population import PRE, Population


@dataclass(frozen=True)
class Objective:
    """What a search is after.

    Attributes:
        terms: One measurement, or two for the front of both; ``-ECE_15`` for one of which less is better.
        calibrator: Calibrator of the predictions that were measured.

    Raises:
        ValueError: There is neither one term nor two.

    Example:
        >>> Objective(("acc", "-ECE_15")).name, Objective(("HCS",)).measure
        ('acc and -ECE_15', 'regret')
    """

    terms: tuple[str, ...]
    calibrator: str = PRE

    def __post_init__(self) -> None:
        if not 1 <= len(self.terms) <= 2:
            raise ValueError(f"terms: expected one measurement or two, got {self.terms}")

    @property
    def name(self) -> str:
        """The terms in words."""
        return " and ".join(self.terms)

    @property
    def columns(self) -> tuple[str, ...]:
        """The measurements, without signs."""
        return tuple(term.removeprefix("-") for term in self.terms)

    @property
    def measure(self) -> str:
        """How runs are judged: by ``regret``, or of two terms by ``hypervolume``."""
        return "regret" if len(self.terms) == 1 else "hypervolume"

    def values(self, population: Population) -> Float64[np.ndarray, "networks objectives"]:
        """Return the terms of each network, to be maximised; NaN where it has none."""
        signs = np.array([-1.0 if term.startswith("-") else 1.0 for term in self.terms])
        return signs * population.matrix([(self.calibrator, column) for column in self.columns])


ACCURACY, HCS = Objective(("acc",)), Objective(("HCS",))
FRONT = Objective(("acc", "-ECE_15"))


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Networks and what each of them comes to.

    Attributes:
        name: Search space and data set.
        objective: What is to be maximised.
        candidates: The networks, by index.
        values: The terms of the objective of each of them, higher is better; read-only.
        n_left_out: Networks of the population without a value.
    """

    name: str
    objective: Objective
    candidates: Candidates
    values: Float64[np.ndarray, "networks objectives"]
    n_left_out: int

    @classmethod
    def of(cls, population: Population, objective: Objective) -> "Benchmark":
        """Return the networks of a population that have all terms of an objective.

        Args:
            population: The networks, in any order.
            objective: What is to be maximised.

        Raises:
            ValueError: No network has the terms.
        """
        values = objective.values(population)
        known = np.flatnonzero(~np.isnan(values).any(axis=1))
        if not len(known):
            raise ValueError(
                f"objective: expected measurements that networks of {population.name} have, got {objective.name} "
                f"with calibrator {objective.calibrator}; they have the calibrators {', '.join(population.scores)}"
            )
        index = population.networks.index.to_numpy()
        order = known[np.argsort(index[known])]
        kept = values[order]
        kept.flags.writeable = False
        candidates = Candidates.of(population.space, index[order], len(objective.terms))
        return cls(population.name, objective, candidates, kept, len(population) - len(known))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_flat(self) -> bool:
        """Whether there is nothing to find: all networks are equally good, or the front encloses no area."""
        return not self._most > 0

    def scores(self, places: Int64[np.ndarray, "runs evaluations"]) -> Float64[np.ndarray, "runs evaluations"]:
        """Return how far runs have come after each evaluation.

        Of one term it is the regret: the best value of the table minus the best so far, 0 where the best was found. Of
        two it is the area that the networks so far dominate, counted from the worst of both terms in the table, as a
        share of what all networks dominate: in [0, 1], 1 where the whole front was found.

        Args:
            places: Networks in the order in which each run asked for them.
        """
        values = self.values[places]  # runs evaluations objectives
        if self.objective.measure == "regret":
            return self.values.max() - np.maximum.accumulate(values[..., 0], axis=1)
        areas = np.stack([hypervolumes(run, self._worst) for run in values])
        return np.minimum(areas / self._most, 1.0)

    @property
    def _worst(self) -> Float64[np.ndarray, " objectives"]:
        return self.values.min(axis=0)

    @property
    def _most(self) -> float:
        """The range of the only term, or the area that all networks dominate."""
        if self.objective.measure == "regret":
            return float(self.values.max() - self.values.min())
        return hypervolume(self.values, self._worst)
