"""What a condition is: a way from the test images of a data set to the images that networks are shown instead."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages


@dataclass(frozen=True, slots=True)
class Condition:
    """A shift of the test images, or images of something else.

    Attributes:
        name: Name by which a study asks for it, and which its rows carry.
        make: Gives the images from the test images of a data set, a severity, and the folder of the user's data; with
            labels where they show its classes, without which only out-of-distribution detection is measured.
        severities: The severities that there are; ``(0,)`` where it has none.
        datasets: The data sets whose networks can be shown it; None for all.
    """

    name: str
    make: Callable[[ImageSet, int, DataFolder], ShiftedImages]
    severities: tuple[int, ...] = (0,)
    datasets: tuple[str, ...] | None = None

    def serves(self, dataset: str) -> bool:
        """Return whether networks of a data set can be shown the condition."""
        return self.datasets is None or dataset in self.datasets
