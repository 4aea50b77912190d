"""What a row chooses of the test images of its data set: where it fits calibrators, what it scores, with which labels.

Splits and label sets that files list are read once and kept.
"""

from dataclasses import dataclass, field

from harness.datasets import label_sets, nats_splits, splits
from harness.datasets.folder import DataFolder
from harness.datasets.images import AnyTestSet
from harness.datasets.label_sets import ORIGINAL, LabelSet
from harness.datasets.splits import Split


def splits_of(dataset: str) -> tuple[str, ...]:
    """Return the names of the splits of a data set."""
    return (*splits.RANDOM, *([splits.NATS] if dataset in nats_splits.TEST_HALVES else []))


def label_sets_of(dataset: str) -> tuple[str, ...]:
    """Return the names of the label sets of a data set."""
    return label_sets.names() if dataset in label_sets.FILES else (ORIGINAL,)


@dataclass(frozen=True)
class Choices:
    """The splits and label sets of data sets.

    Attributes:
        folder: The folder of the user's data.
    """

    folder: DataFolder = field(default_factory=DataFolder)
    _splits: dict[object, Split] = field(default_factory=dict, init=False, repr=False, compare=False)
    _label_sets: dict[object, LabelSet] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type["Choices"], tuple[DataFolder]]:
        return Choices, (self.folder,)

    def split(self, name: str, seed: int, dataset: str, test: AnyTestSet) -> Split:
        """Return a split of the test images of a data set.

        Args:
            name: One of :func:`splits_of`.
            seed: Its seed; 0 where it has none.
            dataset: The data set.
            test: Its test images.

        Raises:
            ValueError: There is no such split of the data set, or there are too few images for it.
            DataError: Its file is missing, damaged, or parts other images.
        """
        n = len(test.labels)
        key = (name, seed, dataset, n)
        if key not in self._splits:
            if name not in splits_of(dataset):
                raise ValueError(f"expected a split of {dataset} among {', '.join(splits_of(dataset))}, got {name!r}")
            is_random = name in splits.RANDOM
            found = splits.split(name, n, seed) if is_random else nats_splits.nats_split(dataset, n, self.folder)
            self._splits[key] = found
        return self._splits[key]

    def label_set(self, name: str, dataset: str, test: AnyTestSet) -> LabelSet:
        """Return a label set of the test images of a data set; see :func:`harness.datasets.label_sets.label_set`."""
        key = (name, dataset, test.labels_hash)
        if key not in self._label_sets:
            self._label_sets[key] = label_sets.label_set(name, dataset, test, self.folder)
        return self._label_sets[key]
