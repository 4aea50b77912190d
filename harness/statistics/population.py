"""What a question is asked of: the networks of one search space that were trained on one data set, a row each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64

PRE, POST = "none", "temperature"
"""Calibrators of the two phases of the published study."""

Column = tuple[str, str]
"""A calibrator, and a measurement of what it gives."""


@dataclass(frozen=True, eq=False)
class Population:
    """The networks of one search space that were trained on one data set and measured in one setting.

    Attributes:
        whose: Whose numbers they are: ``clean``, ``paper``, or the origin of an imported table.
        space: Search space.
        dataset: Data set.
        setting: What else the rows have in common, such as the split; empty of imported tables.
        rule: Which networks of isomorphic ones are there, in words.
        n_left_out: Networks that this rule left out.
        n_space: Networks of the whole space under this rule.
        networks: A row per network, by ``arch_index``: ``arch_str``, ``kernel_parameters``, ``widths``, ...
        scores: What was measured, by calibrator: a column per measurement, the same rows.
        resamples: What was measured on resamples of the images: by calibrator and measurement, a row per network.
        robust: Accuracy on shifted or attacked images, a column per condition, the same rows.
        robust_resamples: That on resamples of the images, by condition, as far as it was measured.
        detection: Area under the ROC curve of telling other images from those known, a column per condition.
    """

    whose: str
    space: str
    dataset: str
    setting: Mapping[str, str | int]
    rule: str
    n_left_out: int
    n_space: int
    networks: pd.DataFrame
    scores: Mapping[str, pd.DataFrame]
    resamples: Mapping[Column, Float64[np.ndarray, "networks n_resamples"]] = field(default_factory=dict)
    robust: pd.DataFrame = field(default_factory=pd.DataFrame)
    robust_resamples: Mapping[str, Float64[np.ndarray, "networks n_resamples"]] = field(default_factory=dict)
    detection: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __len__(self) -> int:
        return len(self.networks)

    @property
    def is_sample(self) -> bool:
        """Whether other networks of the space could have been here as well."""
        return len(self) < self.n_space

    @property
    def name(self) -> str:
        """Search space and data set in short."""
        return f"{self.space} on {self.dataset}"

    def has(self, column: str, calibrator: str = PRE) -> bool:
        """Return whether any network has a value of a measurement with a calibrator."""
        of_calibrator = self.scores.get(calibrator)
        return of_calibrator is not None and column in of_calibrator and bool(of_calibrator[column].notna().any())

    def values(self, column: str, calibrator: str = PRE) -> Float64[np.ndarray, " networks"]:
        """Return a measurement of each network, NaN where it has none."""
        if not self.has(column, calibrator):
            return np.full(len(self), np.nan)
        return self.scores[calibrator][column].to_numpy(dtype=np.float64)

    def of_resamples(self, column: str, calibrator: str = PRE) -> Float64[np.ndarray, "networks n_resamples"]:
        """Return a measurement of each network on resamples of the images, of none where no such were measured."""
        return self.resamples.get((calibrator, column), np.empty((len(self), 0)))

    def matrix(self, columns: Sequence[Column]) -> Float64[np.ndarray, "networks columns"]:
        """Return several measurements, each given as calibrator and name, side by side."""
        return np.stack([self.values(column, calibrator) for calibrator, column in columns], axis=1)

    def resample_tensor(self, columns: Sequence[Column]) -> Float64[np.ndarray, "networks columns n_resamples"]:
        """Return several measurements on the resamples of the images that all have, NaN of those that lack them."""
        each = [self.of_resamples(column, calibrator) for calibrator, column in columns]
        n_resamples = min((values.shape[1] for values in each if values.shape[1]), default=0)
        unknown = np.full((len(self), n_resamples), np.nan)
        return np.stack([values[:, :n_resamples] if values.shape[1] else unknown for values in each], axis=1)

    def beside(
        self, feature: Float64[np.ndarray, " networks"], columns: Sequence[Column]
    ) -> tuple[Float64[np.ndarray, "networks beside"], Float64[np.ndarray, "networks beside n_resamples"]]:
        """Return a feature without noise and several measurements side by side, and the same on the resamples."""
        noise = self.resample_tensor(columns)
        exact = np.repeat(feature[:, None, None], noise.shape[2], axis=2)
        return np.column_stack([feature, self.matrix(columns)]), np.concatenate([exact, noise], axis=1)

    def chosen(self, rows: Bool[np.ndarray, " networks"] | Int64[np.ndarray, " n_chosen"]) -> "Population":
        """Return some of the networks, by a mask or by their places."""

        def cut(frame: pd.DataFrame) -> pd.DataFrame:
            return frame.iloc[rows] if len(frame) else frame

        return replace(
            self,
            networks=cut(self.networks),
            scores={calibrator: cut(frame) for calibrator, frame in self.scores.items()},
            resamples={key: values[rows] for key, values in self.resamples.items()},
            robust=cut(self.robust),
            robust_resamples={condition: values[rows] for condition, values in self.robust_resamples.items()},
            detection=cut(self.detection),
        )

    def by_accuracy(self) -> Int64[np.ndarray, " networks"]:
        """Return the places of the networks of known accuracy, most accurate first, of equals the smallest index."""
        accuracy = self.values("acc")
        order = np.lexsort((self.networks.index.to_numpy(), -accuracy))
        return order[~np.isnan(accuracy[order])]

    def most_accurate(self, n: int) -> "Population":
        """Return the n most accurate networks, the most accurate first."""
        return self.chosen(self.by_accuracy()[:n])
