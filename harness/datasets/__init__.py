"""Data sets and conditions as tensors: images, labels, normalisation constants, content hashes, and splits.

One file per data set or condition, listed in :mod:`harness.datasets.registry`; a :class:`Library` reads them from where
the user has them.
"""

from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, Normalisation, PublishedNormalisation, ShiftedImages
from harness.datasets.library import UNSHIFTED, Library
from harness.datasets.registry import CONDITIONS, DATASETS
from harness.datasets.splits import Split, split, split_names

__all__ = [
    "CONDITIONS",
    "DATASETS",
    "UNSHIFTED",
    "Condition",
    "DataFolder",
    "ImageSet",
    "Library",
    "Normalisation",
    "PublishedNormalisation",
    "ShiftedImages",
    "Split",
    "split",
    "split_names",
]
