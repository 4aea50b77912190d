"""Data sets as tensors: images, labels, normalisation constants, content hashes, and the split of the images.

One file per data set; a file gives ``load(part)`` and is registered in the table below.
"""

from harness.datasets.images import ImageSet, Normalisation
from harness.datasets.registry import load, names
from harness.datasets.splits import Split, split, split_names

__all__ = ["ImageSet", "Normalisation", "Split", "load", "names", "split", "split_names"]
