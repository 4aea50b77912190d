"""Regularised evolution: children of the better ones of a population from which the oldest drop out."""

from collections import deque
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float64

from harness.search.candidates import Candidates, Unasked
from harness.search.scalar import Scalarisation


class _Member(NamedTuple):
    """A network of the population."""

    place: int
    values: Float64[np.ndarray, " objectives"]


@final
class RegularisedEvolution:
    """Asks for a random neighbour of the best of a random sample of the population; the oldest member makes room.

    The population begins with random networks: as many as it has members, or a quarter of a small table. Where all
    neighbours of the best of the sample were asked for, a neighbour of the next best is asked for; where those of all
    were, a random network. Of several objectives each sample is judged with weights of its own.

    Args:
        candidates: The networks.
        rng: Generator of all that is random.
        n_population: Members of the population.
        n_sample: How many of them compete to be the parent.

    Reference:
        Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019, algorithm 1.
    """

    def __init__(
        self, candidates: Candidates, rng: np.random.Generator, *, n_population: int = 20, n_sample: int = 5
    ) -> None:
        if not 1 <= n_sample <= n_population:
            raise ValueError(f"n_sample: expected 1 to n_population = {n_population}, got {n_sample}")
        self._unasked, self._rng = Unasked(candidates, rng), rng
        self._scalarisation = Scalarisation(candidates.n_objectives, rng)
        self._n_start = min(n_population, max(1, len(candidates) // 4))
        self._n_sample = n_sample
        self._members: deque[_Member] = deque(maxlen=n_population)

    def ask(self) -> int:
        """Return the place of a child, or at the start of a random network."""
        if len(self._members) >= self._n_start:
            for parent in self._parents():
                around = self._unasked.neighbours(parent)
                if around:
                    return self._unasked.take(around[0])
        return self._unasked.take_next()

    def tell(self, place: int, values: Float64[np.ndarray, " objectives"]) -> None:
        """Take the network into the population; the oldest one leaves a full one."""
        self._scalarisation.see(values)
        self._members.append(_Member(place, values))

    @property
    def population(self) -> list[int]:
        """Places of the members, the oldest first."""
        return [member.place for member in self._members]

    def _parents(self) -> list[int]:
        """Return the places of a random sample of the population, the best first."""
        self._scalarisation.redraw()
        n = len(self._members)
        drawn = self._rng.choice(n, min(self._n_sample, n), replace=False)
        sample = [self._members[i] for i in drawn]
        scores = self._scalarisation.of(np.stack([member.values for member in sample]))
        return [sample[i].place for i in np.argsort(-scores, kind="stable")]
