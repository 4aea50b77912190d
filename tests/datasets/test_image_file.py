"""Conditions of the user's own: what a file of images may be, and what is said of every other."""

import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.datasets import DataFolder, ImageSet, Library, Normalisation
from harness.datasets.image_file import image_file_condition
from harness.errors import DataError

IMAGES = np.random.RandomState(0).randint(0, 256, (5, 8, 6, 3), dtype=np.uint8)
LABELS = np.array([0, 2, 1, 1, 0])
TEST = ImageSet(
    "made/test",
    torch.zeros(2, 3, 8, 6, dtype=torch.uint8),
    torch.zeros(2, dtype=torch.int64),
    3,
    Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
)


def shown(path: Path):
    return image_file_condition("mine", path).make(TEST, 0, DataFolder())


@pytest.fixture
def npy(tmp_path):
    """Write one array."""

    def write(array):
        np.save(tmp_path / "mine.npy", array)
        return tmp_path / "mine.npy"

    return write


@pytest.fixture
def npz(tmp_path):
    """Write several arrays."""

    def write(**arrays):
        np.savez(tmp_path / "mine.npz", **arrays)
        return tmp_path / "mine.npz"

    return write


@pytest.mark.parametrize("images", [IMAGES, np.asfortranarray(IMAGES), IMAGES[::-1]], ids=["C", "Fortran", "view"])
def test_images_are_read_with_their_channels_first(npy, npz, images):
    for path in (npy(images), npz(images=images)):
        condition = image_file_condition("mine", path)
        assert (condition.name, condition.severities) == ("mine", (0,))
        assert condition.serves("any data set")
        found = condition.make(TEST, 0, DataFolder())
        assert (found.name, found.labels) == ("made/test/mine", None)
        assert found.images.is_contiguous()
        assert np.array_equal(found.images.numpy(), images.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("dtype", ["int64", "uint8", "uint16", ">i4"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_labels_are_read(tmp_path, dtype, save):
    save(tmp_path / "mine.npz", images=IMAGES, labels=LABELS.astype(dtype))
    found = shown(tmp_path / "mine.npz")
    assert found.labels is not None
    assert found.labels.dtype == torch.int64
    assert found.labels.tolist() == LABELS.tolist()


def test_library_knows_it_by_its_name(npy):
    path = npy(np.zeros((2, 8, 8, 3), np.uint8))
    library = Library(image_files={"mine": path})
    assert library.conditions[-1] == "mine"
    assert library.shifted("digits", "mine", 0).images.shape == (2, 3, 8, 8)


def test_planning_reads_only_headers(npy):
    path = npy(np.zeros((4000, 8, 6, 3), np.uint8))
    image_file_condition("mine", path)  # what is imported on first use is not counted
    tracemalloc.start()
    try:
        image_file_condition("mine", path)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((5, 10), "f4"),
            r"got float32 of shape \(5, 10\); these look like logits or probabilities: .*measure",
        ),
        (IMAGES / 255, r"got float64 of .*; turn values in 0\.\.1 into bytes with numpy\.rint\(255 \* images\)"),
        (IMAGES.astype("i8"), r"got int64 of .*; turn values in 0\.\.255 into bytes with images\.astype\('uint8'\)"),
        (
            IMAGES.transpose(0, 3, 1, 2),
            r"\(5, 3, 8, 6\); move the channels to the end with images\.transpose\(0, 2, 3, 1",
        ),
        (IMAGES[..., 0], r"\(5, 8, 6\); give grey images three equal channels with numpy\.repeat"),
        (IMAGES[..., :1], r"\(5, 8, 6, 1\); give grey images three equal channels with numpy\.repeat"),
        (IMAGES[..., [0, 1, 2, 2]], r"\(5, 8, 6, 4\); give each pixel its three channels, red, green and blue"),
        (IMAGES[None], r"\(1, 5, 8, 6, 3\); give each pixel its three channels"),
        (LABELS, r"int64 of shape \(5,\); give the pixels of whole images"),
        (IMAGES[:0], r"and at least one, got uint8 of shape \(0, 8, 6, 3\)"),
        (IMAGES[:, :0], r"and at least one, got uint8 of shape \(5, 0, 6, 3\)"),
    ],
)
def test_other_arrays_than_images_are_refused(npy, npz, images, message):
    for path in (npy(images), npz(images=images)):
        start = rf"{path}: images: expected uint8 images of shape \(images, height, width, 3\).*"
        with pytest.raises(DataError, match=start + message):
            image_file_condition("mine", path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:4], "labels: expected one for each of the 5 images, got 4; write both from the same list"),
        (
            LABELS.astype(float),
            r"labels: expected integers of shape \(images,\), got float64 of shape \(5,\); give the",
        ),
        (LABELS.astype(bool), r"labels: expected integers of shape \(images,\), got bool of shape \(5,\)"),
        (LABELS[:, None], r"labels: expected integers of shape \(images,\), got int64 of shape \(5, 1\)"),
        (np.eye(3, dtype=int)[LABELS], r"labels: expected integers .*got int64 of shape \(5, 3\)"),
        (np.array(["a"] * 5), r"labels: expected integers .*got <U1 of shape \(5,\)"),
    ],
)
def test_other_labels_are_refused_at_planning(npz, labels, message):
    with pytest.raises(DataError, match=rf"mine\.npz: {message}"):
        image_file_condition("mine", npz(images=IMAGES, labels=labels))


@pytest.mark.parametrize(
    ("labels", "found"), [([0, 0, 0, 0, 3], r"0\.\.3"), ([-1, 0, 0, 0, 0], r"-1\.\.0"), ([1 << 63] * 5, r"9223372")]
)
def test_labels_of_other_classes_are_refused(npz, labels, found):
    path = npz(images=IMAGES, labels=np.array(labels))
    with pytest.raises(DataError, match=rf"mine\.npz: labels: expected classes of made/test, 0\.\.2, got {found}"):
        shown(path)


def test_images_of_another_size_are_refused(npy, npz):
    for path in (npy(IMAGES[:, :6]), npz(images=IMAGES[:, :6])):
        with pytest.raises(
            DataError, match=rf"{path}: images: expected 8x6 pixels as in made/test, got 6x6; resize them"
        ):
            shown(path)


@pytest.mark.parametrize(
    ("arrays", "listed"),
    [
        ({"labels": LABELS}, "labels"),
        ({"images": IMAGES, "label": LABELS}, "images, label"),
        ({"images": IMAGES, "labels": LABELS, "logits": LABELS}, "images, labels, logits"),
        ({}, "none"),
    ],
)
def test_other_names_of_arrays_are_refused(npz, arrays, listed):
    with pytest.raises(
        DataError, match=rf"mine\.npz: expected the array images and optionally labels, got {listed}; wri"
    ):
        image_file_condition("mine", npz(**arrays))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"mine: .*no\.npy: there is no such file; expected a \.npy or \.npz file"):
        image_file_condition("mine", tmp_path / "no.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(DataError, match=r"folder\.npy: there is no such file"):
        image_file_condition("mine", tmp_path / "folder.npy")
    for name, got in (("mine.png", r"\.png"), ("mine", "no suffix")):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(
            DataError, match=rf"{name}: expected a \.npy or \.npz file, got {got}; write the images with"
        ):
            image_file_condition("mine", tmp_path / name)


def test_pickled_arrays_are_never_unpickled(tmp_path):
    sentinel = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return Path.touch, (sentinel,)

    np.save(tmp_path / "mine.npy", np.array([Payload()], object), allow_pickle=True)
    np.savez(tmp_path / "mine.npz", images=np.array([Payload()], object))
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Payload()))
    for name in ("mine.npy", "mine.npz", "raw.npy"):
        with pytest.raises(DataError, match=name):
            shown(tmp_path / name)
    assert not sentinel.exists()


def test_file_that_has_changed_since_it_was_planned_is_checked_again(npz):
    condition = image_file_condition("mine", npz(images=IMAGES, labels=LABELS))
    npz(images=IMAGES, labels=LABELS[:3])
    with pytest.raises(DataError, match="labels: expected one for each of the 5 images, got 3"):
        condition.make(TEST, 0, DataFolder())
    npz(images=IMAGES.astype(float))
    with pytest.raises(DataError, match="images: expected uint8 images"):
        condition.make(TEST, 0, DataFolder())


def test_false_claims_are_refused_before_anything_believes_them(tmp_path):
    """A member of five images that says it has 2 to the 50."""
    np.savez(tmp_path / "sound.npz", images=IMAGES)
    with zipfile.ZipFile(tmp_path / "sound.npz") as archive:
        content = archive.read("images.npy")
    forged = content.replace(b"(5, 8, 6, 3), }" + b" " * 15, f"({1 << 50}, 8, 6, 3), }}".encode())
    assert len(forged) == len(content)
    assert forged != content
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("images.npy", forged)
    with pytest.raises(
        DataError, match=r"mine\.npz: not a sound \.npz file: images\.npy: uint8 of .* does not fit its"
    ):
        image_file_condition("mine", tmp_path / "mine.npz")
    (tmp_path / "mine.npy").write_bytes(forged)
    with pytest.raises(DataError, match=r"mine\.npy: not a sound \.npy file"):
        image_file_condition("mine", tmp_path / "mine.npy")


def test_nothing_else_comes_of_damage(npy, npz):
    rng = np.random.RandomState(0)
    for path in (npy(IMAGES), npz(images=IMAGES, labels=LABELS)):
        content = path.read_bytes()
        n_refused = 0
        for _ in range(100):
            changed = bytearray(content[: rng.randint(1, len(content))] if rng.rand() < 0.3 else content)
            for _ in range(3):
                changed[rng.randint(min(128, len(changed)))] = rng.choice(list(b"([{'\\:,09LufO|<>\n\x00"))
            path.write_bytes(changed)
            try:
                shown(path)
            except DataError:
                n_refused += 1
        assert n_refused > 30


def test_encrypted_archive_is_refused(npz):
    path = npz(images=IMAGES)
    content = bytearray(path.read_bytes())
    for marker in (b"PK\x03\x04", b"PK\x01\x02"):
        at = content.index(marker) + (6 if marker[2] == 3 else 8)
        content[at : at + 2] = struct.pack("<H", struct.unpack_from("<H", content, at)[0] | 1)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"mine\.npz: not a sound \.npz file: .*encrypted"):
        image_file_condition("mine", path)


def test_bytes_behind_the_array_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 4, 4, 3), np.uint8))
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(
        DataError, match=r"a\.npy: not a sound \.npy file: 4 bytes follow its uint8 of shape \(2, 4, 4, 3\)"
    ):
        image_file_condition("mine", path)


def test_a_folder_that_this_user_may_not_enter(open_folder, as_nobody):
    folder = open_folder / "shut"
    folder.mkdir(mode=0o000)
    with as_nobody(), pytest.raises(DataError, match=rf"mine: {folder}/a\.npy cannot be reached: Permission denied"):
        image_file_condition("mine", folder / "a.npy")
