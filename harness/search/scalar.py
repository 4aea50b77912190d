"""One number from several objectives: Chebyshev's distance to the best of each, by random weights."""

import numpy as np
from jaxtyping import Float64

_SHARE_OF_SUM = 0.05


class Scalarisation:
    """Makes one number of several values, by weights that a search draws anew when it wants to look elsewhere.

    Values are first brought to [0, 1] by the least and the largest that were seen; with weights w the number is
    ``-max w (1 - v) - 0.05 sum w (1 - v)``, higher is better. Each network of the front is the best by some weights.
    A single value stays as it is.

    Args:
        n_objectives: How many values there are.
        rng: Generator of the weights, uniform over all that are positive and add up to 1.

    Reference:
        Knowles, "ParEGO", IEEE Transactions on Evolutionary Computation 10 (2006), equation 2.
    """

    def __init__(self, n_objectives: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._low, self._high = np.full(n_objectives, np.inf), np.full(n_objectives, -np.inf)
        self.redraw()

    def redraw(self) -> None:
        """Draw other weights."""
        self._weights = self._rng.dirichlet(np.ones(len(self._low)))

    def see(self, values: Float64[np.ndarray, " objectives"]) -> None:
        """Take note of the values of a network."""
        self._low, self._high = np.minimum(self._low, values), np.maximum(self._high, values)

    def of(self, values: Float64[np.ndarray, "networks objectives"]) -> Float64[np.ndarray, " networks"]:
        """Return the number of each of some networks whose values were seen."""
        if len(self._low) == 1:
            return values[:, 0]
        width = self._high - self._low
        lacks = self._weights * (self._high - values) / np.where(width > 0, width, 1.0)
        return -lacks.max(axis=1) - _SHARE_OF_SUM * lacks.sum(axis=1)
