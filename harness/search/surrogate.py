"""Search by a surrogate: a linear model of what was seen says which networks to look at next."""

from typing import final

import numpy as np
from jaxtyping import Float64
from sklearn import config_context
from sklearn.linear_model import BayesianRidge

from harness.search.candidates import Candidates, Unasked
from harness.search.scalar import Scalarisation


@final
class SurrogateSearch:
    """Asks for networks that are the best by models drawn from what a linear regression leaves open.

    After some random networks a Bayesian ridge regression of the values on the choices is fitted. Coefficients are
    drawn from its posterior, and for each draw the best network by it that was not asked for is asked for next
    (Thompson sampling); then the model is fitted again. Of several objectives each fit is to weights of its own.

    Args:
        candidates: The networks.
        rng: Generator of all that is random.
        n_start: Random networks before the first fit, at least 2; a quarter of a small table.
        n_between: Networks from one fit to the next, at least 1.

    Reference:
        Russo et al., "A Tutorial on Thompson Sampling", Foundations and Trends in Machine Learning 11 (2018).
    """

    def __init__(
        self, candidates: Candidates, rng: np.random.Generator, *, n_start: int = 15, n_between: int = 5
    ) -> None:
        if n_start < 2 or n_between < 1:
            raise ValueError(f"n_start, n_between: expected at least 2 and 1, got {n_start} and {n_between}")
        self._unasked, self._rng = Unasked(candidates, rng), rng
        self._scalarisation = Scalarisation(candidates.n_objectives, rng)
        self._indicators = candidates.indicators
        self._n_start, self._n_between = min(n_start, max(2, len(candidates) // 4)), n_between
        self._places: list[int] = []
        self._values: list[Float64[np.ndarray, " objectives"]] = []
        self._proposals: list[int] = []

    def ask(self) -> int:
        """Return the place of the next network that the model proposes, or of a random one before the first fit."""
        if len(self._places) < self._n_start:
            return self._unasked.take_next()
        if not self._proposals:
            self._proposals = self._propose()
        return self._unasked.take(self._proposals.pop())

    def tell(self, place: int, values: Float64[np.ndarray, " objectives"]) -> None:
        """Keep the values for the next fit."""
        self._scalarisation.see(values)
        self._places.append(place)
        self._values.append(values)

    def _propose(self) -> list[int]:
        """Return the networks to ask for until the next fit, the last of them first."""
        self._scalarisation.redraw()
        targets = self._scalarisation.of(np.stack(self._values))
        with config_context(assume_finite=True, skip_parameter_validation=True):  # a third of the time of a fit
            model = BayesianRidge().fit(self._indicators[self._places], targets)
        n = min(self._n_between, len(self._unasked))
        draws = self._rng.multivariate_normal(
            model.coef_, model.sigma_, size=n, method="eigh", check_valid="ignore"
        )  # a rounding can make the smallest eigenvalues negative
        scores = draws @ self._indicators.T  # draws networks
        scores[:, self._unasked.is_asked] = -np.inf
        return self._best_of_each(scores)

    @staticmethod
    def _best_of_each(scores: Float64[np.ndarray, "draws networks"]) -> list[int]:
        """Return the best network by each draw, none of them twice."""
        best = []
        for i in range(len(scores)):
            best.append(int(scores[i].argmax()))
            scores[:, best[-1]] = -np.inf
        return best[::-1]
