"""The halves that NATS-Bench lists: as a split of test images, and as the two parts of CIFAR-10's training images."""

import json

import numpy as np
import pytest
import torch

from harness.datasets import DATASETS, DataFolder, ImageSet, Library, Normalisation, seeds_of, split_names, splits_of
from harness.datasets.choices import Choices
from harness.datasets.nats_splits import TEST_HALVES, TRAINING_HALVES, nats_split, read_halves
from harness.errors import DataError

N = 6
SOUND = {"xvalid": ["int", ["4", "1", "3"]], "xtest": ["int", ["0", "2", "5"]]}


@pytest.fixture
def write(tmp_path):
    def write(content=SOUND, name="cifar100-test-split.txt"):
        (tmp_path / "splits").mkdir(exist_ok=True)
        (tmp_path / "splits" / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path

    return write


def read(root, *, released_only=False, n=N):
    return nats_split("cifar100", n, DataFolder(root, released_labels_only=released_only))


def test_calibrators_are_fitted_on_one_half_and_scored_on_the_other(write):
    found = read(write())
    assert found.fit.tolist() == [1, 3, 4]
    assert found.evaluation.tolist() == [0, 2, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a sound JSON file: "),
        ([], r'expected an object with \'xvalid\': \["int", \[indices\]\]; is it a split of NATS-Bench\?'),
        ({"xvalid": SOUND["xvalid"]}, "expected an object with 'xtest'"),
        (SOUND | {"xvalid": ["str", ["1"]]}, "expected an object with 'xvalid'"),
        (SOUND | {"xvalid": ["int", []]}, "expected an object with 'xvalid'"),
        (SOUND | {"xvalid": ["int", ["4", "1", "6"]]}, r"xvalid: expected indices of the .*, '0'\.\.'5', got '6'"),
        (SOUND | {"xvalid": ["int", ["4", "1", "-3"]]}, "xvalid: .* got '-3'"),
        (SOUND | {"xvalid": ["int", [4, 1, 3]]}, "xvalid: .* got '4'"),
        (SOUND | {"xvalid": ["int", ["4", "1", "٣"]]}, "xvalid: .* got '٣'"),
        (
            SOUND | {"xvalid": ["int", ["4", "1"]]},
            "each of the 6 test images of cifar100 once .* image 3 is listed 0 t",
        ),
        (SOUND | {"xvalid": ["int", ["4", "1", "3", "5"]]}, "1 are not: image 5 is listed 2 times"),
    ],
)
def test_other_content_is_refused(write, content, message):
    with pytest.raises(DataError, match=rf"cifar100-test-split\.txt: .*{message}"):
        read(write(content))


def test_an_index_with_a_leading_zero_is_refused_though_it_is_short_enough(write):
    listed = {"xvalid": ["int", ["4", "01", "3", *map(str, range(6, 12))]], "xtest": SOUND["xtest"]}
    with pytest.raises(DataError, match=r"'0'\.\.'11', got '01'"):
        read(write(listed), n=12)


def test_halves_of_other_images_are_refused(write):
    with pytest.raises(DataError, match="each of the 7 test images of cifar100 once in xvalid or xtest, 1 are not"):
        read(write(), n=7)
    with pytest.raises(DataError, match=r"expected indices of the test images of cifar100, '0'\.\.'4', got '5'"):
        read(write(), n=5)


def test_other_files_than_the_released_ones_are_refused(write):
    with pytest.raises(DataError, match="expected the public release with MD5 16f51963f0ccd95cb6c08c33ca4c1665, got"):
        read(write(), released_only=True)
    with pytest.raises(DataError, match="say released_labels_only=false to use a variant of your own"):
        nats_split("cifar100", N, DataFolder(write(), released_only=False))


def test_missing_file_is_asked_for(tmp_path):
    places = "splits/cifar100-test-split.txt or nas-benchmark/cifar100-test-split.txt or cifar100-test-split.txt"
    with pytest.raises(DataError, match=rf"looked for {places} in data_root=.*D-X-Y/AutoDL-Projects"):
        read(tmp_path)


def test_it_is_the_split_of_two_data_sets_and_has_no_seed():
    assert split_names() == ("random20", "nats")
    assert [name for name in DATASETS if "nats" in splits_of(name)] == ["cifar100", "ImageNet16-120"]
    assert seeds_of("nats", [1, 2]) == (0,)
    with pytest.raises(ValueError, match="split of digits among random20, got 'nats'"):
        Choices().split("nats", 0, "digits", Library().load("digits", "test"))


@pytest.mark.parametrize(("dataset", "n"), [("cifar100", 10_000), ("ImageNet16-120", 6_000)])
def test_real_halves_are_equal_and_complete(real_data, dataset, n):
    part = nats_split(dataset, n, DataFolder(real_data))
    assert len(part.fit) == len(part.evaluation) == n // 2
    assert sorted([*part.fit, *part.evaluation]) == list(range(n))
    listed = json.loads((real_data / "splits" / TEST_HALVES[dataset].name).read_text())
    assert part.fit.tolist() == sorted(map(int, listed["xvalid"][1]))


def test_cifar10_valid_parts_the_training_images(write, monkeypatch, rng):
    pixels = torch.from_numpy(rng.randint(0, 256, (N, 3, 2, 2), dtype=np.uint8))
    norm = Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))

    def whole(part, _folder):
        return ImageSet(f"cifar10/{part}", pixels, torch.arange(N), 10, norm)

    monkeypatch.setattr("harness.datasets.cifar10.load", whole)
    content = {"train": SOUND["xvalid"], "valid": SOUND["xtest"]}
    folder = DataFolder(write(content, TRAINING_HALVES.name), released_labels_only=False)
    parts = {part: DATASETS["cifar10-valid"](part, folder) for part in ("train", "valid", "test")}
    assert {part: images.labels.tolist() for part, images in parts.items()} == {
        "train": [1, 3, 4],
        "valid": [0, 2, 5],
        "test": list(range(N)),
    }
    assert all(images.name == f"cifar10-valid/{part}" for part, images in parts.items())
    assert torch.equal(parts["valid"].images, pixels[[0, 2, 5]])
    with pytest.raises(ValueError, match="a part of cifar10-valid among train, valid, test, got 'half'"):
        DATASETS["cifar10-valid"]("half", folder)


def test_real_halves_of_the_training_images(real_data):
    halves = read_halves(TRAINING_HALVES, 50_000, "training images of cifar10", DataFolder(real_data))
    assert len(halves.first) == len(halves.second) == 25_000
    assert halves.first[:4].tolist() == [0, 5, 7, 11]
