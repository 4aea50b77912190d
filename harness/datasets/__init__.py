"""Data sets and conditions as tensors: images, labels, normalisation constants, content hashes, and splits.

One file per data set or condition, listed in :mod:`harness.datasets.registry`; a :class:`Library` reads them from where
the user has them.
"""

from harness.datasets.choices import Choices, label_sets_of, splits_of
from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import (
    AnyImages,
    AnyTestSet,
    BareImages,
    BareTestSet,
    ImageSet,
    Normalisation,
    PublishedNormalisation,
    ShiftedImages,
    content_hash,
)
from harness.datasets.label_sets import ORIGINAL, LabelSet
from harness.datasets.label_sets import names as label_set_names
from harness.datasets.library import UNSHIFTED, AbstractLibrary, Library
from harness.datasets.registry import CONDITIONS, DATASETS
from harness.datasets.splits import RANDOM as RANDOM_SPLITS
from harness.datasets.splits import Split, seeds_of, split, split_names

__all__ = [
    "CONDITIONS",
    "DATASETS",
    "ORIGINAL",
    "RANDOM_SPLITS",
    "UNSHIFTED",
    "AbstractLibrary",
    "AnyImages",
    "AnyTestSet",
    "BareImages",
    "BareTestSet",
    "Choices",
    "Condition",
    "DataFolder",
    "ImageSet",
    "LabelSet",
    "Library",
    "Normalisation",
    "PublishedNormalisation",
    "ShiftedImages",
    "Split",
    "content_hash",
    "label_set_names",
    "label_sets_of",
    "seeds_of",
    "split",
    "split_names",
    "splits_of",
]
