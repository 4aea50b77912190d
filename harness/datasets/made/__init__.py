"""Test images of any data set, corrupted here; see :mod:`harness.datasets.made.corruptions`."""

from harness.datasets.made.corruptions import CONDITIONS, CORRUPTIONS, SEVERITIES, Corruption, corrupted

__all__ = ["CONDITIONS", "CORRUPTIONS", "SEVERITIES", "Corruption", "corrupted"]
