"""How a row is made, by protocol: ``clean``, as it should be done, and ``paper``, as the published study did it.

The two differ in what networks are shown, in the calibrators, in the images that are scored and in arithmetic. Their
rows are kept apart by the column ``protocol`` and by their fingerprints.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from harness import calibrators
from harness.calibrators import Calibrator
from harness.datasets import ORIGINAL, AnyTestSet, Normalisation, Split, seeds_of
from harness.metrics import Measured, measure_as_published, measure_with_reasons
from harness.values import Study, Variant


class AbstractProtocol(ABC):
    """What the rows of a protocol have in common."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name by which a study asks for it."""

    @property
    @abstractmethod
    def takes_first_seed_only(self) -> bool:
        """Whether only the first stored seed of a network is evaluated."""

    @abstractmethod
    def variants(self, study: Study) -> list[Variant]:
        """Return the rows that a unit of a study must have."""

    @abstractmethod
    def normalisation(self, test: AnyTestSet, calibrator: str) -> Normalisation:
        """Return the constants with which images are shown for the rows of a calibrator."""

    @abstractmethod
    def shifted_normalisation(self, test: AnyTestSet, calibrator: str) -> Normalisation:
        """Return the constants with which images of other conditions are shown for the rows of a calibrator."""

    @abstractmethod
    def calibrator(self, name: str) -> Calibrator:
        """Return the calibrator of that name."""

    @abstractmethod
    def scored(self, part: Split, calibrator: str) -> Int64[np.ndarray, " n_scored"]:
        """Return the indices of the test images on which the rows of a calibrator are scored."""

    @abstractmethod
    def measure(
        self, probs: Float64[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"], families: Sequence[str]
    ) -> Measured:
        """Return the measurements of some families."""


class CleanProtocol(AbstractProtocol):
    """The constants of the training; before and after calibration scored on the same images; all seeds; float64."""

    @property
    def name(self) -> str:
        """``clean``."""
        return "clean"

    @property
    def takes_first_seed_only(self) -> bool:
        """No: every stored seed is a row of its own."""
        return False

    def variants(self, study: Study) -> list[Variant]:
        """Return every combination of split, split seed, label set and calibrator."""
        return [
            Variant(split, split_seed, label_set, calibrator)
            for split in study.splits
            for split_seed in seeds_of(split, study.split_seeds)
            for label_set in study.label_sets
            for calibrator in study.calibrators
        ]

    def normalisation(self, test: AnyTestSet, calibrator: str) -> Normalisation:
        """Return the constants of the training."""
        return test.normalisation

    def shifted_normalisation(self, test: AnyTestSet, calibrator: str) -> Normalisation:
        """Return the constants of the training, on which the network relies whatever it is shown."""
        return test.normalisation

    def calibrator(self, name: str) -> Calibrator:
        """Return the calibrator of that name."""
        return calibrators.get(name)

    def scored(self, part: Split, calibrator: str) -> Int64[np.ndarray, " n_scored"]:
        """Return the evaluation part."""
        return part.evaluation

    def measure(
        self, probs: Float64[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"], families: Sequence[str]
    ) -> Measured:
        """Return the measurements as they are defined."""
        return measure_with_reasons(probs, labels, families)


class PaperProtocol(AbstractProtocol):
    """The published study, bug for bug, so that its numbers can be matched.

    Its own constants, for cifar100 others after calibration than before; before calibration all test images are
    scored, after it 80 % of them; the temperature of lowest 15-bin ECE on a grid; float32; the first stored seed.
    """

    SPLIT = ("random20", 42)
    LABEL_SET = ORIGINAL

    @property
    def name(self) -> str:
        """``paper``."""
        return "paper"

    @property
    def takes_first_seed_only(self) -> bool:
        """Yes: ``dataset_seed[dataset][0]`` of the record."""
        return True

    def variants(self, study: Study) -> list[Variant]:
        """Return the one split of the study with each calibrator that it had."""
        known = calibrators.names(protocol=self.name)
        return [Variant(*self.SPLIT, self.LABEL_SET, name) for name in study.calibrators if name in known]

    def normalisation(self, test: AnyTestSet, calibrator: str) -> Normalisation:
        """Return the published constants of the data set, for cifar100 others after calibration than before."""
        if test.published is None:
            return test.normalisation
        return test.published.pre if calibrator == "none" else test.published.post

    def shifted_normalisation(self, test: AnyTestSet, calibrator: str) -> Normalisation:
        """Return the published constants of cifar10, with which the study showed SVHN and CIFAR-10-C."""
        return test.normalisation if test.published is None else test.published.post

    def calibrator(self, name: str) -> Calibrator:
        """Return the study's form of the calibrator of that name."""
        return calibrators.get(name, protocol=self.name)

    def scored(self, part: Split, calibrator: str) -> Int64[np.ndarray, " n_scored"]:
        """Return all images before calibration, and the evaluation part after it."""
        return np.arange(len(part.fit) + len(part.evaluation)) if calibrator == "none" else part.evaluation

    def measure(
        self, probs: Float64[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"], families: Sequence[str]
    ) -> Measured:
        """Return the measurements as the study's code computed them, in float32."""
        return measure_as_published(probs.astype(np.float32), labels, families)


PROTOCOLS: dict[str, AbstractProtocol] = {protocol.name: protocol for protocol in (CleanProtocol(), PaperProtocol())}
"""Every protocol by its name."""
