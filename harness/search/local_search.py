"""Local search: walks to the first better neighbour, and starts elsewhere where there is none."""

from typing import final

import numpy as np
from jaxtyping import Float64

from harness.search.candidates import Candidates, Unasked
from harness.search.scalar import Scalarisation


@final
class LocalSearch:
    """Asks for the neighbours of the network it stands on, in random order, and moves to the first that is better.

    Where none of them is, it starts at a random network, of several objectives with other weights. Networks that an
    earlier walk asked for are not walked to again.

    Args:
        candidates: The networks.
        rng: Generator of all that is random.

    Reference:
        White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021, algorithm 1,
        which evaluates all neighbours before it moves; moving at once takes fewer evaluations.
    """

    def __init__(self, candidates: Candidates, rng: np.random.Generator) -> None:
        self._unasked = Unasked(candidates, rng)
        self._scalarisation = Scalarisation(candidates.n_objectives, rng)
        self._standing: Float64[np.ndarray, " objectives"] | None = None
        self._around: list[int] = []

    def ask(self) -> int:
        """Return the place of a neighbour that is left, or of a network to start from."""
        if self._around:
            return self._unasked.take(self._around.pop())
        self._standing = None
        self._scalarisation.redraw()
        return self._unasked.take_next()

    def tell(self, place: int, values: Float64[np.ndarray, " objectives"]) -> None:
        """Move to the network if it is better, or the start of a walk."""
        self._scalarisation.see(values)
        if self._standing is None or self._is_better(values, self._standing):
            self._standing, self._around = values, self._unasked.neighbours(place)

    def _is_better(
        self, values: Float64[np.ndarray, " objectives"], standing: Float64[np.ndarray, " objectives"]
    ) -> bool:
        new, old = self._scalarisation.of(np.stack([values, standing]))
        return bool(new > old)
