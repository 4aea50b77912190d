"""``errors_removed`` and ``errors_relabelled``: the test labels of CIFAR-10 and CIFAR-100, with their errors mended.

Each image whose label a classifier doubted was shown to five people, who chose between the given label, the one that
the classifier guessed, both and neither. Fewer than three votes for the given label make an error: 54 in CIFAR-10, 585
in CIFAR-100. ``errors_removed`` leaves all of these out. ``errors_relabelled`` gives those for whose guessed label at
least three voted that label (18 and 318), and leaves out the others, on whose label no majority agreed.

Reference:
    Northcutt, Athalye, Mueller, "Pervasive label errors in test sets destabilize machine learning benchmarks", NeurIPS
    Datasets and Benchmarks 2021, sections 3 to 5: the two are the test set without errors, and its "pruned set" with
    the corrected labels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int64

from harness.datasets.array_files import header_of, map_npy
from harness.datasets.folder import DataFolder
from harness.datasets.images import AnyTestSet, content_hash
from harness.datasets.json_file import read_json
from harness.errors import DataError

ORIGINAL = "original"
"""The labels of the data set itself."""

N_VOTERS = 5
MAJORITY = 3
_CHOICES = ("given", "guessed", "neither", "both")
_SOURCE = "it is in https://github.com/cleanlab/label-errors"


class LabelFiles(NamedTuple):
    """The files on the labels of one data set.

    Attributes:
        original: Below the folder of the release, the labels that it started from.
        original_md5: MD5 of that file.
        votes: Below the folder of the release, how people voted on the doubted ones.
        votes_md5: MD5 of that file.
    """

    original: str
    original_md5: str
    votes: str
    votes_md5: str


CIFAR10_LABELS = LabelFiles(
    "original_test_labels/cifar10_test_set_original_labels.npy",
    "4628c5fffd22eec530997e53da2e9164",
    "mturk/cifar10_mturk.json",
    "d3f2217f2bb7fe18eca521458e936602",
)
CIFAR100_LABELS = LabelFiles(
    "original_test_labels/cifar100_test_set_original_labels.npy",
    "dd8ba88fb8da15b4e4f41fff4187a96a",
    "mturk/cifar100_mturk.json",
    "3db3b8d09dab272e250834d6fdea145d",
)
FILES: Mapping[str, LabelFiles] = {
    "cifar10": CIFAR10_LABELS,
    "cifar10-valid": CIFAR10_LABELS,
    "cifar100": CIFAR100_LABELS,
}
"""The files of each data set whose test labels were looked through."""


@dataclass(frozen=True)
class LabelSet:
    """Labels of all test images of a data set, in their order, and which of them count.

    Attributes:
        labels: Class of each image.
        counts: Whether the image is scored.
    """

    labels: Int64[np.ndarray, " n"]
    counts: Bool[np.ndarray, " n"]

    @cached_property
    def content_hash(self) -> str:
        """A hash of the labels of the images that count, and of which these are."""
        return content_hash(torch.from_numpy(np.where(self.counts, self.labels, -1)))


class Votes(NamedTuple):
    """What people said of some images.

    Attributes:
        images: The images, by their number among the test images.
        guessed: The other label that they were offered.
        for_given: Votes for the label that the data set gives.
        for_guessed: Votes for the other one.
    """

    images: Int64[np.ndarray, " n_doubted"]
    guessed: Int64[np.ndarray, " n_doubted"]
    for_given: Int64[np.ndarray, " n_doubted"]
    for_guessed: Int64[np.ndarray, " n_doubted"]


def names() -> tuple[str, ...]:
    """Return the names of all label sets, ``original`` first."""
    return (ORIGINAL, *_CORRECTIONS)


def label_set(name: str, dataset: str, test: AnyTestSet, folder: DataFolder) -> LabelSet:
    """Return the labels of the test images of a data set.

    Args:
        name: One of :func:`names`.
        dataset: The data set; any for ``original``, else one of :data:`FILES`.
        test: Its test images.
        folder: The folder of the user's data; the release lies in its folder ``label-errors``, or in ``labels``, there
            also with ``__`` for ``/`` in the names of files.

    Raises:
        ValueError: There is no such label set of the data set.
        DataError: Files are missing, damaged, not the released ones, or of other images than these.
    """
    if name not in names() or (name != ORIGINAL and dataset not in FILES):
        listed = names() if dataset in FILES else (ORIGINAL,)
        raise ValueError(f"expected a label set of {dataset} among {', '.join(listed)}, got {name!r}")
    labels = test.labels.numpy()
    if name == ORIGINAL:
        return LabelSet(labels, np.ones(len(labels), dtype=np.bool_))
    files, folder = FILES[dataset], folder.of_labels()
    original = _find(files.original, name, folder)
    _check_original(original, files.original_md5, test, folder)
    path = _find(files.votes, name, folder)
    entries = read_json(folder.read(path, files.votes_md5), path)
    votes = _votes(entries, labels, test.n_classes, path)
    return _CORRECTIONS[name](labels, votes)


def removed(labels: Int64[np.ndarray, " n"], votes: Votes) -> LabelSet:
    """Return the labels without those that are errors."""
    counts = np.ones(len(labels), dtype=np.bool_)
    counts[votes.images[votes.for_given < MAJORITY]] = False
    return LabelSet(labels, counts)


def relabelled(labels: Int64[np.ndarray, " n"], votes: Votes) -> LabelSet:
    """Return the labels with the guessed one where most voted for it, and without the other errors."""
    corrected, counts = labels.copy(), removed(labels, votes).counts
    agreed = votes.for_guessed >= MAJORITY
    corrected[votes.images[agreed]] = votes.guessed[agreed]
    counts[votes.images[agreed]] = True
    return LabelSet(corrected, counts)


_CORRECTIONS: Mapping[str, Callable[[Int64[np.ndarray, " n"], Votes], LabelSet]] = {
    "errors_removed": removed,
    "errors_relabelled": relabelled,
}


def _find(file: str, name: str, folder: DataFolder) -> Path:
    candidates = (f"label-errors/{file}", f"labels/{file}", f"labels/{file.replace('/', '__')}")
    return folder.find(f"labels {name}", candidates, _SOURCE)


def _check_original(path: Path, md5: str, test: AnyTestSet, folder: DataFolder) -> None:
    """Refuse files that are about other images, or the same in another order."""
    folder.read(path, md5)
    found, labels = map_npy(path), test.labels.numpy()
    if found.dtype.kind not in "iu" or found.shape != labels.shape:
        raise DataError(
            f"{path}: expected {len(labels):,} integers, the labels of {test.name}, got {header_of(found)}; "
            "fetch the file again, or leave corrected labels out for this data set"
        )
    other = np.flatnonzero(found != labels)
    if len(other):
        first = other[0]
        raise DataError(
            f"{path}: expected the labels of {test.name} in their order; {len(other):,} of {len(labels):,} are others, "
            f"the first at index {first}: {found[first]}, not {labels[first]}; corrections go by the index, so they "
            "would fall on other images: use the released test images and files"
        )


def _votes(entries: object, labels: Int64[np.ndarray, " n"], n_classes: int, path: Path) -> Votes:
    """Return the votes on images of which the data set has these labels."""
    if not isinstance(entries, list) or not entries:
        raise DataError(
            f"{path}: expected a list of votes, one for each doubted image; is it the file of label-errors?"
        )
    rows = []
    for position, entry in enumerate(entries):
        try:
            rows.append(_vote(entry, labels, n_classes))
        except ValueError as error:
            raise DataError(f"{path}: entry {position}: {error}; fetch the file again") from error
    columns = np.array(rows, dtype=np.int64).T
    index, n_times = np.unique(columns[0], return_counts=True)
    if n_times.max() > 1:
        raise DataError(f"{path}: image {index[n_times > 1][0]} is listed more than once; fetch the file again")
    return Votes(*columns)


def _vote(entry: object, labels: Int64[np.ndarray, " n"], n_classes: int) -> tuple[int, int, int, int]:
    """Return index, guessed label, and votes for the given and the guessed label.

    Raises:
        ValueError: The entry is of another form, or about another image.
    """
    fields = _fields(entry, ("id", "given_original_label", "our_guessed_label", "mturk"), "an object")
    index = _number(fields["id"], len(labels), "id")
    given = _number(fields["given_original_label"], n_classes, f"image {index}: given_original_label")
    guessed = _number(fields["our_guessed_label"], n_classes, f"image {index}: our_guessed_label")
    if given != labels[index]:
        raise ValueError(f"image {index}: expected the given label {labels[index]} of the data set, got {given}")
    if guessed == given:
        raise ValueError(f"image {index}: expected another guessed label than the given {given}")
    choices = _fields(fields["mturk"], _CHOICES, f"image {index}: mturk")
    counts = {choice: _number(choices[choice], N_VOTERS + 1, f"image {index}: {choice}") for choice in _CHOICES}
    if sum(counts.values()) != N_VOTERS:
        raise ValueError(f"image {index}: expected {N_VOTERS} votes, got {sum(counts.values())}")
    return index, guessed, counts["given"], counts["guessed"]


def _fields(value: object, wanted: Sequence[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(wanted) <= set(value):
        raise ValueError(f"expected {what} with {', '.join(wanted)}")
    return value


def _number(value: object, end: int, what: str) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError(f"{what}: expected a whole number in 0..{end - 1}, got {str(value)[:20]}")
    return value
