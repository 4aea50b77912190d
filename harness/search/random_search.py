"""Random search: networks in a random order, which is what every other search is held against."""

from typing import final

import numpy as np
from jaxtyping import Float64

from harness.search.candidates import Candidates, Unasked


@final
class RandomSearch:
    """Asks for networks in a random order.

    Args:
        candidates: The networks.
        rng: Generator of the order.
    """

    def __init__(self, candidates: Candidates, rng: np.random.Generator) -> None:
        self._unasked = Unasked(candidates, rng)

    def ask(self) -> int:
        """Return the place of the next network."""
        return self._unasked.take_next()

    def tell(self, place: int, values: Float64[np.ndarray, " objectives"]) -> None:
        """Learn nothing."""
