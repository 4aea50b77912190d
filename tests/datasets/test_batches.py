"""Pickled batches: what is read, and that everything else is refused by the name of the file and the key."""

import os

import numpy as np
import pytest

from harness.datasets.batches import check_labels, read_batch
from harness.errors import DataError
from harness.pickles.unpickler import MAX_OPCODES

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.fixture
def read(tmp_path, write_pickle):
    """Write a batch and read it."""

    def read(content, writer="4"):
        path = write_pickle(tmp_path / "data_batch_1", content, writer)
        return read_batch(path.read_bytes(), path, "labels", 4)

    return read


@pytest.mark.parametrize(
    "labels",
    [[0, 7, 300], [np.int64(0), np.int64(7), np.int64(300)], np.array([0, 7, 300]), np.array([0, 7, 300], "u2")],
    ids=["list", "list of numpy", "array", "uint16"],
)
def test_batch_of_every_writer_is_read(read, writer, labels):
    batch = read({"data": PIXELS, "labels": labels, "batch_label": "training batch 1 of 5", "more": [b"x.png"]}, writer)
    assert np.array_equal(batch.pixels, PIXELS)
    assert batch.labels.tolist() == [0, 7, 300]
    assert batch.title == "training batch 1 of 5"


def test_keys_may_be_bytes(read, writer):
    batch = read({b"data": PIXELS, b"labels": [0, 1, 2], b"batch_label": b"testing batch 1 of 1"}, writer)
    assert batch.labels.tolist() == [0, 1, 2]
    assert batch.title == "testing batch 1 of 1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([PIXELS, [0, 1, 2]], "not a batch: expected a mapping, got a list"),
        ({"labels": [0]}, r"expected a batch with the key 'data', it has 'labels'; is it a file of images\?"),
        ({"data": PIXELS, "fine": 1}, "expected a batch with the key 'labels', it has 'data', 'fine'"),
        ({}, "expected a batch with the key 'data', it has none"),
        ({"data": [1, 2]}, "key 'data': expected a numpy array, got a list"),
        ({"data": PIXELS.astype("f4")}, r"key 'data': expected uint8 of shape \(images, 4\), got float32 of"),
        ({"data": PIXELS.T}, r"key 'data': expected uint8 of shape \(images, 4\), got uint8 of shape \(4, 3\)"),
        ({"data": PIXELS.ravel()}, r"key .data.: .*got uint8 of shape \(12,\)"),
        ({"data": PIXELS, "labels": (0, 1, 2)}, "key 'labels': expected a numpy array, got a tuple"),
        ({"data": PIXELS, "labels": np.zeros((3, 1), int)}, r"key 'labels': expected integers of shape \(images,\)"),
        ({"data": PIXELS, "labels": np.zeros(3)}, r"key 'labels': .*got float64 of shape \(3,\)"),
        ({"data": PIXELS, "labels": [0, 1, 2.5]}, "key 'labels': expected a list of class numbers, it holds 2.5"),
        ({"data": PIXELS, "labels": [0, True, 2]}, "key 'labels': expected a list of class numbers, it holds a bool"),
        ({"data": PIXELS, "labels": [0, -1, 2]}, "key 'labels': expected a list of class numbers, it holds -1"),
        ({"data": PIXELS, "labels": [0, 1 << 70, 2]}, "key 'labels': expected a list of class numbers, it holds 118"),
        ({"data": PIXELS, "labels": [0, [1], 2]}, "key 'labels': expected a list of class numbers, it holds a list"),
        ({"data": PIXELS, "labels": [0, 1]}, "keys 'data' and 'labels': .*got 3 images and 2 labels"),
        ({"data": PIXELS[:0], "labels": []}, "keys 'data' and 'labels': .*got 0 images and 0 labels"),
    ],
)
def test_other_content_is_refused(read, content, message):
    with pytest.raises(DataError, match=rf"data_batch_1: {message}"):
        read(content)


def test_payload_does_not_run(read, writer, tmp_path):
    sentinel = tmp_path / "ran"
    for content in ({"data": PIXELS, "labels": Call(os.system, f"touch {sentinel}")}, Call(os.mkdir, str(sentinel))):
        with pytest.raises(DataError, match=r"data_batch_1: not a sound pickled batch: it asks for posix\.\w+, "):
            read(content, writer)
    assert not sentinel.exists()


def test_damaged_batch_is_refused(tmp_path, write_pickle):
    path = write_pickle(tmp_path / "data_batch_1", {"data": PIXELS, "labels": [0, 1, 2]}, "4")
    with pytest.raises(DataError, match="data_batch_1: not a sound pickled batch"):
        read_batch(path.read_bytes()[:-5], path, "labels", 4)


def test_largest_batches_have_fewer_opcodes_than_are_read():
    """A batch of downsampled ImageNet has 128,117 labels; a numpy scalar takes eight opcodes, a number one."""
    n_labels, opcodes_of_a_scalar = 128_117, 8
    assert n_labels * opcodes_of_a_scalar < MAX_OPCODES / 4


def test_labels_out_of_range_are_refused():
    check_labels(np.array([1, 5]), range(1, 6), "FILE")
    with pytest.raises(DataError, match=r"FILE: expected labels in 1\.\.5, got 0\.\.5"):
        check_labels(np.array([0, 5]), range(1, 6), "FILE")
    with pytest.raises(DataError, match=r"FILE: expected labels in 1\.\.5, got 1\.\.6"):
        check_labels(np.array([1, 6]), range(1, 6), "FILE")
