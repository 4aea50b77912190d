import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from harness import datasets
from harness.datasets import CONDITIONS, DATASETS, UNSHIFTED, ImageSet, Library, Normalisation
from harness.errors import DataError

NORM = Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


def test_digits_are_all_of_the_real_images_each_once():
    train, test = (Library().load("digits", part) for part in ("train", "test"))
    assert (len(train), len(test)) == (897, 900)
    seen = torch.cat([train.images, test.images])[:, 0].reshape(1797, -1).numpy()
    levels = np.rint(seen.astype(float) * 16 / 255)
    assert sorted(map(tuple, levels)) == sorted(map(tuple, load_digits().data))


def test_digits_channels_are_equal_and_constants_are_those_of_the_training_images():
    train = Library().load("digits", "train")
    assert torch.equal(train.images[:, 0], train.images[:, 1])
    assert torch.equal(train.images[:, 0], train.images[:, 2])
    pixels = train.images.double() / 255
    assert pixels.mean().item() == pytest.approx(train.normalisation.mean[0], abs=1e-4)
    assert pixels.std().item() == pytest.approx(train.normalisation.std[0], abs=1e-4)


def test_hashes_follow_content_and_order():
    test = Library().load("digits", "test")
    again = Library().load("digits", "test")
    assert test.images_hash == again.images_hash
    swapped = test.subset(torch.arange(len(test)).flip(0))
    assert swapped.images_hash != test.images_hash
    assert swapped.labels_hash != test.labels_hash


def test_data_sets_and_conditions_of_the_study_are_listed():
    assert list(DATASETS) == ["digits", "cifar10", "cifar10-valid", "cifar100", "ImageNet16-120"]
    assert {"svhn", "gaussian_noise", "jpeg_compression", "ood_uniform"} <= set(CONDITIONS)
    assert all(name == condition.name for name, condition in CONDITIONS.items())
    assert Library().conditions == (UNSHIFTED, *CONDITIONS)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"data set among digits, .*ImageNet16-120, got 'mnist'"):
        Library().load("mnist", "test")
    with pytest.raises(ValueError, match=r"train, test, got 'valid'"):
        Library().load("digits", "valid")
    with pytest.raises(ValueError, match=r"split among random20, got 'half'"):
        datasets.split("half", 10, 0)


@pytest.mark.parametrize(
    ("labels", "message"), [([0, 3], r"0\.\.2, got 0\.\.3"), ([-1, 0], r"got -1\.\.0"), ([0], "2 images and 1")]
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(DataError, match=message):
        ImageSet("made/test", images, torch.tensor(labels), 3, NORM)


def test_random20_is_the_published_shuffle_and_parts_all_images():
    part = datasets.split("random20", 10_000, 42)
    assert part.fit[:5].tolist() == [6252, 4684, 1731, 4742, 4521]
    assert len(part.fit) == 2000
    assert sorted([*part.fit, *part.evaluation]) == list(range(10_000))


def test_random20_needs_five_images():
    with pytest.raises(ValueError, match="at least 5 images, got 4"):
        datasets.split("random20", 4, 0)
