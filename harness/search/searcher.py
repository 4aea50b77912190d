"""What a search is: something that asks for a network, is told its values, and asks for the next."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from harness.search.candidates import Candidates


@runtime_checkable
class Searcher(Protocol):
    """A search in the middle of its work; ``ask`` and ``tell`` take turns."""

    def ask(self) -> int:
        """Return the place of the network to evaluate next, one that was not asked for before."""
        ...

    def tell(self, place: int, values: Float64[np.ndarray, " objectives"]) -> None:
        """Take note of what the network that was asked for came to: a value per objective, higher is better."""
        ...


SearcherFactory = Callable[[Candidates, np.random.Generator], Searcher]
"""Starts a search among some networks; all chance must come from the generator, so that a run can be repeated."""
