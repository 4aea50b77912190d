"""The data sets and conditions that a user has: the known ones, with the folder of their files, and files of one's own.

A library reads each part once and keeps it; what it sends to a worker is only where things are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from harness.datasets import registry
from harness.datasets.choices import Choices
from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.image_file import image_file_condition
from harness.datasets.images import AnyImages, AnyTestSet, ImageSet, ShiftedImages

UNSHIFTED = "unshifted"


@runtime_checkable
class AbstractLibrary(Protocol):
    """Where rows get what they depend on: from the user's data, or from what a store kept of them."""

    def load(self, name: str, part: str) -> AnyTestSet:
        """Return the test images of a data set."""
        ...

    def shifted(self, dataset: str, condition: str, severity: int) -> AnyImages:
        """Return what networks of a data set are shown under a condition other than ``unshifted``."""
        ...

    def serves(self, condition: str, dataset: str) -> bool:
        """Return whether networks of a data set can be shown a condition; ``unshifted`` serves every one."""
        ...

    @property
    def choices(self) -> Choices:
        """The splits and label sets of the test images."""
        ...


@dataclass(frozen=True)
class Library:
    """What networks can be shown.

    Attributes:
        folder: Where the files of data sets lie.
        image_files: Conditions of one's own: files of images by the name that their rows shall carry.
    """

    folder: DataFolder = field(default_factory=DataFolder)
    image_files: Mapping[str, Path] = field(default_factory=dict)
    _held: dict[object, ImageSet | ShiftedImages] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type["Library"], tuple[DataFolder, dict[str, Path]]]:
        return Library, (self.folder, dict(self.image_files))

    def load(self, name: str, part: str) -> ImageSet:
        """Return one part of a data set.

        Args:
            name: One of :data:`harness.datasets.DATASETS`.
            part: ``train`` or ``test``; ``cifar10-valid`` also has ``valid``.

        Raises:
            ValueError: The data set or its part is unknown.
            DataError: Its files are missing, damaged, or not the released ones.
        """
        if name not in registry.DATASETS:
            raise ValueError(f"expected a data set among {', '.join(registry.DATASETS)}, got {name!r}")
        found = self._held.get((name, part))
        if not isinstance(found, ImageSet):
            found = self._held[name, part] = registry.DATASETS[name](part, self.folder)
        return found

    def shifted(self, dataset: str, condition: str, severity: int) -> ShiftedImages:
        """Return what networks of a data set are shown under a condition other than ``unshifted``.

        Args:
            dataset: The data set that the networks were trained on.
            condition: A name of :attr:`conditions`.
            severity: One of its severities.

        Raises:
            ValueError: The condition is unknown, or has no such severity.
            DataError: Its files are missing, damaged, or do not fit the data set.
        """
        known = self.condition(condition)
        if severity not in known.severities:
            raise ValueError(f"{condition}: expected a severity among {known.severities}, got {severity}")
        found = self._held.get((dataset, condition, severity))
        if not isinstance(found, ShiftedImages):
            found = known.make(self.load(dataset, "test"), severity, self.folder)
            self._held[dataset, condition, severity] = found
        return found

    def condition(self, name: str) -> Condition:
        """Return the condition of a name.

        Raises:
            ValueError: There is none, or it is ``unshifted``, which needs no making.
        """
        if name in self.image_files:
            return image_file_condition(name, self.image_files[name])
        if name not in registry.CONDITIONS:
            raise ValueError(f"expected a condition among {', '.join(self.conditions)}, got {name!r}")
        return registry.CONDITIONS[name]

    def serves(self, condition: str, dataset: str) -> bool:
        """Return whether networks of a data set can be shown a condition; ``unshifted`` serves every one.

        Raises:
            ValueError: The condition is unknown.
            DataError: It is a file of images that cannot be read.
        """
        return condition == UNSHIFTED or self.condition(condition).serves(dataset)

    @property
    def choices(self) -> Choices:
        """The splits and label sets of the test images."""
        return self._choices

    @cached_property
    def _choices(self) -> Choices:
        return Choices(self.folder)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of all conditions, ``unshifted`` first."""
        return (UNSHIFTED, *registry.CONDITIONS, *self.image_files)
