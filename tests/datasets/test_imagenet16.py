"""ImageNet16-120 from made-up batches of all 1,000 classes."""

import hashlib

import numpy as np
import pytest

from harness.datasets import DataFolder, imagenet16
from harness.errors import DataError


@pytest.fixture
def batches(rng):
    """Eleven files of five images each, two of which show the first or last of the 120 classes."""
    return {
        name: {
            "data": rng.randint(0, 256, (5, 768), dtype=np.uint8),
            "labels": [121, 1, 1000, 120, 500 + rng.randint(100)],
            "mean": np.zeros(768),
        }
        for files in imagenet16.PARTS.values()
        for name in files
    }


def write(folder, batches, write_pickle, writer="3", **changed):
    for name, batch in batches.items():
        write_pickle(folder / name, batch | changed, writer)


def load(part, root, *, released_only=False):
    return imagenet16.load(part, DataFolder(root, released_only))


@pytest.mark.parametrize("part", ["train", "test"])
def test_first_120_classes_are_read_in_order(batches, tmp_path, write_pickle, writer, part):
    write(tmp_path / "ImageNet16", batches, write_pickle, writer)
    images = load(part, tmp_path)
    files = imagenet16.PARTS[part]
    expected = np.concatenate([batches[name]["data"][[1, 3]] for name in files]).reshape(-1, 3, 16, 16)
    assert np.array_equal(images.images.numpy(), expected)
    assert images.labels.tolist() == [0, 119] * len(files)
    assert (images.name, images.n_classes, images.published) == (f"ImageNet16-120/{part}", 120, None)
    assert images.normalisation.mean == pytest.approx([122.68 / 255, 116.66 / 255, 104.01 / 255])
    assert images.normalisation.std == pytest.approx([63.22 / 255, 61.26 / 255, 65.09 / 255])


def test_files_may_lie_directly_in_the_folder(batches, tmp_path, write_pickle):
    write(tmp_path, batches, write_pickle)
    assert len(load("test", tmp_path)) == 2


def test_other_files_than_the_released_ones_are_refused(batches, tmp_path, write_pickle):
    write(tmp_path, batches, write_pickle)
    md5 = hashlib.md5((tmp_path / "val_data").read_bytes()).hexdigest()
    message = f"val_data: expected the public release with MD5 3410e3017fdaefba8d5073aaa65e4bd6, got {md5}; fetch"
    with pytest.raises(DataError, match=message):
        load("test", tmp_path, released_only=True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": [0, 1, 2, 3, 4]}, r"val_data, key 'labels': expected labels in 1\.\.1000, got 0\.\.4"),
        ({"labels": [1, 2, 3, 4, 1001]}, r"val_data, key 'labels': expected labels in 1\.\.1000, got 1\.\.1001"),
        ({"labels": [121] * 5}, r"expected images of the classes 1\.\.120, there is none"),
        ({"data": np.zeros((5, 3072), np.uint8)}, r"val_data: key 'data': expected uint8 of shape \(images, 768\)"),
    ],
)
def test_other_content_is_refused(batches, tmp_path, write_pickle, changed, message):
    write(tmp_path, batches, write_pickle, **changed)
    with pytest.raises(DataError, match=message):
        load("test", tmp_path)


def test_missing_files_are_asked_for(batches, tmp_path, write_pickle):
    with pytest.raises(DataError, match=r"looked for ImageNet16/val_data or val_data in .*AutoDL-Projects"):
        load("test", tmp_path)
    with pytest.raises(ValueError, match="a part of ImageNet16-120 among train, test, got 'valid'"):
        load("valid", tmp_path)
    write(tmp_path, batches, write_pickle)
    (tmp_path / "train_data_batch_10").unlink()
    with pytest.raises(DataError, match="train_data_batch_10: cannot be read"):
        load("train", tmp_path)
