"""CIFAR-10-C and CIFAR-100-C, made up for a few images."""

import hashlib
import io

import numpy as np
import pytest
import torch

from harness.datasets import CONDITIONS, DataFolder, ImageSet, Normalisation, cifar_corrupted
from harness.errors import DataError

N = 3
PIXELS = np.random.RandomState(0).randint(0, 256, (5 * N, 32, 32, 3), dtype=np.uint8)
NORM = Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
NAMES = ("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur")
NAMES += ("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression")
RELEASES = {"cifar10": cifar_corrupted.CIFAR10_C, "cifar100": cifar_corrupted.CIFAR100_C}


def images_of(dataset):
    n_classes = int(dataset.removeprefix("cifar"))
    labels = torch.tensor([1, 0, n_classes - 1])
    return ImageSet(f"{dataset}/test", torch.zeros(N, 3, 32, 32, dtype=torch.uint8), labels, n_classes, NORM)


def make(dataset, root, name="fog", severity=1, *, released_only=False):
    return CONDITIONS[name].make(images_of(dataset), severity, DataFolder(root, released_only))


@pytest.fixture
def write(tmp_path):
    """Write the files of a data set."""

    def write(dataset, name="fog", images=PIXELS, labels=None):
        folder = tmp_path / RELEASES[dataset].folder
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{name}.npy", images)
        np.save(folder / "labels.npy", np.tile(images_of(dataset).labels, 5).astype("u1") if labels is None else labels)
        return tmp_path

    return write


@pytest.mark.parametrize("dataset", RELEASES)
@pytest.mark.parametrize("name", NAMES)
def test_each_severity_is_its_part_of_the_file(write, dataset, name):
    root = write(dataset, name)
    assert CONDITIONS[name].severities == (1, 2, 3, 4, 5)
    for severity in CONDITIONS[name].severities:
        shown = make(dataset, root, name, severity)
        expected = PIXELS[N * (severity - 1) : N * severity].transpose(0, 3, 1, 2)
        assert shown.name == f"{dataset}/test/{name} {severity}"
        assert shown.images.is_contiguous()
        assert np.array_equal(shown.images.numpy(), expected)
        assert shown.labels is not None
        assert torch.equal(shown.labels, images_of(dataset).labels)


def test_they_are_for_networks_of_cifar():
    datasets = ("digits", "cifar10", "cifar10-valid", "cifar100", "ImageNet16-120")
    assert set(NAMES) == set(cifar_corrupted.CORRUPTIONS)
    for name in NAMES:
        assert [d for d in datasets if CONDITIONS[name].serves(d)] == ["cifar10", "cifar10-valid", "cifar100"]


def test_another_file_than_the_released_one_is_refused(write):
    root = write("cifar100")
    message = r"CIFAR-100-C/fog\.npy: expected the public release with MD5 4efc7ebd5e82b028bdbe13048e3ea564, got"
    with pytest.raises(DataError, match=message):
        make("cifar100", root, released_only=True)


def test_missing_files_are_asked_for(write, tmp_path):
    with pytest.raises(DataError, match=r"fog: looked for CIFAR-10-C/fog\.npy in .*zenodo\.org/records/2535967"):
        make("cifar10", tmp_path)
    root = write("cifar10")
    (root / "CIFAR-10-C" / "labels.npy").unlink()
    with pytest.raises(DataError, match=r"fog: looked for CIFAR-10-C/labels\.npy in "):
        make("cifar10", root)
    other = ImageSet("ImageNet16-120/test", *(images_of("cifar10").images, images_of("cifar10").labels), 120, NORM)
    with pytest.raises(ValueError, match="fog: expected images of CIFAR-10 or CIFAR-100, got ImageNet16-120/test"):
        CONDITIONS["fog"].make(other, 1, DataFolder(root, released_only=False))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            PIXELS[:-1],
            r"expected uint8 of shape \(15, 32, 32, 3\), 5 severities of the 3 images of cifar10/test, got",
        ),
        (PIXELS[:N], r"got uint8 of shape \(3, 32, 32, 3\); unpack the release again"),
        (PIXELS.transpose(0, 3, 1, 2), r"got uint8 of shape \(15, 3, 32, 32\)"),
        (PIXELS.astype("f4"), r"got float32 of shape \(15, 32, 32, 3\)"),
        (PIXELS[:, :1, :1].astype(object), "not a sound .npy file: "),
    ],
)
def test_other_images_are_refused(write, images, message):
    with pytest.raises(DataError, match=rf"CIFAR-10-C/fog\.npy: .*{message}"):
        make("cifar10", write("cifar10", images=images))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.tile([1, 0, 8], 5), r".*5 of 15 are others, so the images are in another order or of another data set"),
        (np.repeat([1, 0, 9], 5), r"expected the labels of cifar10/test in their order, .* \d+ of 15 are others"),
        (np.array([1, 0, 9]), r"expected 15 integers, the labels of cifar10/test once for each severity, got int64"),
        (np.tile([1.0, 0.0, 9.0], 5), r"expected 15 integers, .* got float64 of shape \(15,\)"),
    ],
)
def test_other_labels_are_refused(write, labels, message):
    with pytest.raises(DataError, match=rf"CIFAR-10-C/labels\.npy: {message}"):
        make("cifar10", write("cifar10", labels=labels))


@pytest.mark.parametrize("order", ["shuffled", "severities of an image together"])
def test_images_in_another_order_are_refused(tmp_path, order, rng):
    """A variant of one's own has no known hash; what is in it must look like the test images."""
    pixels = rng.randint(0, 256, (200, 32, 32, 3), dtype=np.uint8)
    labels = torch.from_numpy(rng.randint(0, 10, 200))
    test = ImageSet("cifar10/test", torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), labels, 10, NORM)
    sound = np.concatenate([pixels // (severity + 1) for severity in range(1, 6)])
    other = rng.permutation(sound) if order == "shuffled" else sound.reshape(5, 200, -1).swapaxes(0, 1)
    (tmp_path / "CIFAR-10-C").mkdir()
    np.save(tmp_path / "CIFAR-10-C" / "labels.npy", np.tile(labels.numpy(), 5))
    for images, is_sound in ((sound, True), (other.reshape(sound.shape), False)):
        np.save(tmp_path / "CIFAR-10-C" / "fog.npy", images)
        for severity in (1, 5):
            if is_sound:
                assert len(CONDITIONS["fog"].make(test, severity, DataFolder(tmp_path, False)).images) == 200
                continue
            with pytest.raises(DataError, match=r"fog\.npy: expected the images of cifar10/test in their order"):
                CONDITIONS["fog"].make(test, severity, DataFolder(tmp_path, False))


def test_truncated_file_is_refused(write):
    path = write("cifar10") / "CIFAR-10-C" / "fog.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"fog\.npy: not a sound \.npy file: "):
        make("cifar10", path.parents[1])


@pytest.mark.parametrize("dataset", RELEASES)
def test_known_hash_of_the_labels_is_that_of_the_real_labels(real_data, dataset):
    """The list of MD5s, which is from others, has the hash of a file that can be made again from the labels."""
    labels = np.load(real_data / "labels" / f"original_test_labels__{dataset}_test_set_original_labels.npy")
    file = io.BytesIO()
    np.save(file, np.tile(labels.astype(np.uint8), 5))
    assert hashlib.md5(file.getvalue()).hexdigest() == RELEASES[dataset].md5["labels"]
