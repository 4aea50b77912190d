"""CIFAR-10 and CIFAR-100 in both released forms, made up by the tests and, where it is at hand, of real pixels."""

import hashlib
import io
import os

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from harness.datasets import DataFolder, cifar, cifar10, cifar100
from harness.datasets.registry import DATASETS
from harness.errors import DataError

MODULES = {"cifar10": cifar10, "cifar100": cifar100}
N = 4  # images in each made-up file


class Made:
    """A made-up data set: what it should be read as, and how it is written in either form."""

    def __init__(self, root, name, rng, write_pickle):
        self.root, self.release, self.write_pickle = root, MODULES[name].RELEASE, write_pickle
        self.pixels = {part: rng.randint(0, 256, (self.n(part), 3072), dtype=np.uint8) for part in ("train", "test")}
        self.labels = {part: rng.randint(0, self.release.label_classes[-1], self.n(part)) for part in self.pixels}

    def n(self, part):
        return N * len(self.release.parts[part].binary)

    def files(self, part, form):
        for i, name in enumerate(getattr(self.release.parts[part], form)):
            rows = slice(N * i, N * (i + 1))
            yield i + 1, name, self.pixels[part][rows], self.labels[part][rows]

    def write_binary(self, part, folder=None):
        folder = self.root / self.release.binary_folder if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        for _, name, pixels, labels in self.files(part, "binary"):
            coarse = [labels % 20] * (len(self.release.label_classes) - 1)
            np.column_stack([*coarse, labels, pixels]).astype(np.uint8).tofile(folder / name)
        return folder

    def write_python(self, part, writer, folder=None, **changed):
        folder = self.root / self.release.python_folder if folder is None else folder
        kind, n_files = self.release.parts[part].kind, len(self.release.parts[part].python)
        for number, name, pixels, labels in self.files(part, "python"):
            content = {"batch_label": f"{kind} batch {number} of {n_files}", "data": pixels}
            content[self.release.label_key] = labels.tolist()
            self.write_pickle(folder / name, content | changed, writer)
        return folder

    def load(self, part, *, released_only=False, root=None):
        return DATASETS[self.release.name](part, DataFolder(root or self.root, released_only))


@pytest.fixture(params=MODULES)
def made(request, tmp_path, rng, write_pickle):
    return Made(tmp_path, request.param, rng, write_pickle)


@pytest.fixture
def made10(tmp_path, rng, write_pickle):
    return Made(tmp_path, "cifar10", rng, write_pickle)


def assert_is(images, made, part):
    assert images.name == f"{made.release.name}/{part}"
    assert images.n_classes == made.release.label_classes[-1]
    assert images.images.dtype == torch.uint8
    assert np.array_equal(images.images.numpy().reshape(-1, 3072), made.pixels[part])
    assert images.images.shape == (made.n(part), 3, 32, 32)
    assert images.labels.tolist() == made.labels[part].tolist()


@pytest.mark.parametrize("part", ["train", "test"])
def test_both_forms_give_the_same_tensors(made, part, writer):
    made.write_python(part, writer)
    from_python = made.load(part)
    assert_is(from_python, made, part)
    made.write_binary(part)
    from_binary = made.load(part)
    assert_is(from_binary, made, part)
    assert from_python.images_hash == from_binary.images_hash
    assert from_python.labels_hash == from_binary.labels_hash


@pytest.mark.parametrize("part", ["train", "test"])
def test_files_may_lie_directly_in_the_folder(made, part):
    python = made.write_python(part, "2", made.root / "python")
    binary = made.write_binary(part, made.root / "binary")
    for folder in (python, binary):
        assert_is(made.load(part, root=folder), made, part)


def test_a_folder_by_the_name_of_a_file_is_anothers(made):
    for name in ("test", "test_batch"):
        (made.root / name).mkdir()
    with pytest.raises(DataError, match=rf"{made.release.name}: looked for .*, none is there; unpack https://"):
        made.load("test")


def test_constants_are_those_of_training_and_of_the_published_study(made):
    made.write_binary("test")
    images = made.load("test")
    train = {
        "cifar10": ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
        "cifar100": ((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
    }
    mean, std = train[made.release.name]
    assert images.normalisation.mean == pytest.approx([m / 255 for m in mean])
    assert images.normalisation.std == pytest.approx([s / 255 for s in std])
    quirk = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    imagenet = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert images.published is not None
    assert images.published.post == quirk
    assert images.published.pre == (quirk if made.release.name == "cifar10" else imagenet)


def test_missing_files_are_asked_for(made):
    with pytest.raises(DataError, match=rf"^{made.release.name}: say where its files are with data_root=FOLDER"):
        MODULES[made.release.name].load("test", DataFolder())
    with pytest.raises(DataError, match=r"none is there; unpack https://www\.cs\.toronto\.edu/~kriz/"):
        made.load("test")
    with pytest.raises(ValueError, match=rf"a part of {made.release.name} among train, test, got 'valid'"):
        made.load("valid")


@pytest.mark.parametrize("form", ["binary", "python"])
def test_incomplete_folder_is_refused(made10, form):
    folder = made10.write_binary("train") if form == "binary" else made10.write_python("train", "2")
    (folder / ("data_batch_3.bin" if form == "binary" else "data_batch_3")).unlink()
    with pytest.raises(DataError, match=r"data_batch_3(\.bin)?: cannot be read: .*is the download unpacked completely"):
        made10.load("train")


@pytest.mark.parametrize("form", ["binary", "python"])
def test_other_files_than_the_released_ones_are_refused(made, form):
    folder = made.write_binary("test") if form == "binary" else made.write_python("test", "2")
    with pytest.raises(DataError) as caught:
        made.load("test", released_only=True)
    name = next(iter(getattr(made.release.parts["test"], form)))
    size = r"expected 30,7[34]0,000 bytes, got 12,29\d; fetch the file again"
    md5 = rf"expected the public release with MD5 {made.release.parts['test'].python.get(name)}, got "
    assert caught.match(rf"{folder / name}: {size if form == 'binary' else md5}")


@pytest.mark.parametrize("released_only", [True, False])
@pytest.mark.parametrize(("n_bytes", "left"), [(-1, "3,07[23]"), (1, "1"), (3000, "3,000")])
def test_cut_binary_file_is_refused(made, released_only, n_bytes, left):
    path = next(made.write_binary("test").iterdir())
    content = path.read_bytes()
    path.write_bytes(content[:n_bytes] if n_bytes < 0 else content + bytes(n_bytes))
    rows = rf"expected rows of 3,07[34] bytes, [12] of them labels, .*, {left} more than \d rows; fetch the file again"
    size = r"expected 30,7[34]0,000 bytes, got"
    with pytest.raises(DataError, match=rf"{path}: {size if released_only else rows}"):
        made.load("test", released_only=released_only)


def test_empty_binary_file_is_refused(made):
    path = next(made.write_binary("test").iterdir())
    path.write_bytes(b"")
    with pytest.raises(DataError, match=rf"{path}: it is empty; expected 30,7[34]0,000 bytes as released; fetch"):
        made.load("test")


def test_binary_file_with_other_labels_is_refused(made):
    path = next(made.write_binary("test").iterdir())
    content = bytearray(path.read_bytes())
    for position, n_classes in enumerate(made.release.label_classes):
        changed = content.copy()
        changed[position] = n_classes
        path.write_bytes(changed)
        labels = rf"expected labels in 0\.\.{n_classes - 1}, got \d+\.\.{n_classes}$"
        with pytest.raises(DataError, match=rf"{path}, byte {position + 1} of each row: {labels}"):
            made.load("test")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": np.zeros((N, 768), np.uint8)}, r"key 'data': expected uint8 of shape \(images, 3072\)"),
        ({"data": np.zeros((N, 3072))}, "key 'data': expected uint8 of shape .*got float64"),
        ({"labels": [0, 1, 2, 10]}, r"key 'labels': expected labels in 0\.\.9, got 0\.\.10"),
        ({"labels": [0]}, f"keys 'data' and 'labels': .*got {N} images and 1 labels"),
        (
            {"batch_label": "training batch 2 of 5"},
            "expected the testing batch 1 of 1, it says that it is the tr",
        ),
    ],
)
def test_python_file_with_other_content_is_refused(made10, changed, message, writer):
    made10.write_python("test", writer, **changed)
    with pytest.raises(DataError, match=rf"test_batch[:,] {message}"):
        made10.load("test")


def test_batches_in_another_order_are_refused(made10, writer):
    folder = made10.write_python("train", writer)
    second, third = folder / "data_batch_2", folder / "data_batch_3"
    second.rename(folder / "other")
    third.rename(second)
    (folder / "other").rename(third)
    message = "data_batch_2: expected the training batch 2 of 5, it says that it is the training batch 3 of 5; was it"
    with pytest.raises(DataError, match=message):
        made10.load("train")


def test_batch_with_a_title_of_its_own_may_be_anything(made10):
    made10.write_python("test", "4", batch_label="relabelled by hand")
    assert_is(made10.load("test"), made10, "test")


def test_payload_does_not_run(made10, tmp_path):
    sentinel = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {sentinel}",)

    made10.write_python("test", "4", labels=Payload())
    with pytest.raises(DataError, match=r"test_batch: not a sound pickled batch: it asks for posix\.system, "):
        made10.load("test")
    assert not sentinel.exists()


@pytest.fixture(scope="module")
def real(real_data):
    """All real labels, the exact pixels of the first images, and of the other test images those of their JPEGs."""
    subset = np.load(real_data / "cifar10" / "cifar10_lossless_subset.npz")
    rows = {}
    for part, columns in (("train", ["label", "index"]), ("test", ["label", "index", "jpeg"])):
        table = read_table(real_data, columns, ("split", "=", part))
        exact = subset[f"{part}_images"]
        pixels = np.zeros((len(table), 32, 32, 3), np.uint8)
        pixels[: len(exact)] = exact
        if part == "test":
            pixels[len(exact) :] = [decoded(jpeg) for jpeg in table["jpeg"][len(exact) :]]
        flat = pixels.transpose(0, 3, 1, 2).reshape(len(table), 3072)
        rows[part] = np.column_stack([table["label"].to_numpy(np.uint8), flat])
    return rows


def read_table(real_data, columns, *filters):
    path = real_data / "cifar10" / "cifar10_jpeg.parquet"
    return pq.read_table(path, columns=columns, filters=list(filters)).to_pandas().sort_values("index")


def decoded(jpeg: bytes) -> np.ndarray:
    """Return the pixels of an image whose end marker was left out to save space."""
    return np.asarray(Image.open(io.BytesIO(jpeg + b"\xff\xd9")))


def release_of(folder, part) -> cifar.Release:
    """Return CIFAR-10 with the MD5s of made-up files, so that its other checks can be seen."""
    expected = cifar10.RELEASE.parts[part]
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in expected.binary}
    return cifar10.RELEASE._replace(parts={part: expected._replace(binary=md5)})


def write_rows(folder, rows):
    if len(rows) == 10_000:
        rows.tofile(folder / "test_batch.bin")
    else:
        for i in range(5):
            rows[10_000 * i : 10_000 * (i + 1)].tofile(folder / f"data_batch_{i + 1}.bin")
    return DataFolder(folder)


@pytest.mark.parametrize("part", ["train", "test"])
def test_real_labels_and_first_images_are_the_released_content(real, tmp_path, part):
    folder = write_rows(tmp_path, real[part])
    images = cifar.read(release_of(tmp_path, part), part, folder)
    assert len(images) == len(real[part])
    assert torch.bincount(images.labels).tolist() == [len(images) // 10] * 10
    with pytest.raises(DataError, match=r"_batch(_1)?\.bin: expected the public release with MD5"):
        cifar10.load(part, folder)


def flip(rows):
    """Give the last image another label."""
    rows[-1, 0] = (rows[-1, 0] + 1) % 10


def swap(rows):
    """Exchange two images of one class."""
    first, second = np.flatnonzero(rows[:, 0] == rows[0, 0])[:2]
    rows[[first, second]] = rows[[second, first]]


def exchange_channels(rows):
    rows[0, 1:] = rows[0, 1:].reshape(3, 1024)[::-1].ravel()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (flip, "the SHA-256 of the testing labels in order"),
        (swap, "the SHA-256 of the first 1,000 testing images"),
        (exchange_channels, "the SHA-256 of the first 1,000 testing images"),
    ],
)
def test_changed_real_content_is_refused(real, tmp_path, change, what):
    rows = real["test"].copy()
    change(rows)
    folder = write_rows(tmp_path, rows)
    release = release_of(tmp_path, "test")
    with pytest.raises(DataError, match=rf"{tmp_path}: expected the public release with {what} "):
        cifar.read(release, "test", folder)
    accepted = cifar.read(release, "test", DataFolder(tmp_path, released_only=False))
    assert np.array_equal(accepted.labels.numpy(), rows[:, 0])


def test_real_images_are_red_green_and_blue_in_rows(real, real_data, tmp_path):
    """The exact pixels are those of another source of the same images, a little blurred by its compression."""
    images = cifar10.load("test", DataFolder(write_rows(tmp_path, real["test"]).root, released_only=False))
    table = read_table(real_data, ["jpeg", "index"], ("split", "=", "test"), ("index", "<", 50))
    theirs = np.stack([decoded(jpeg) for jpeg in table["jpeg"]]).transpose(0, 3, 1, 2)
    assert np.abs(images.images[:50].numpy().astype(int) - theirs).mean() < 8
    assert np.abs(images.images[:50].numpy().astype(int) - theirs[:, ::-1]).mean() > 16


def test_real_test_labels_of_cifar100_are_the_released_ones(real_data, tmp_path):
    labels = np.load(real_data / "labels" / "original_test_labels__cifar100_test_set_original_labels.npy")
    expected = cifar100.RELEASE.parts["test"]
    for changed in (False, True):
        labels[-1] = (labels[-1] + changed) % 100
        rows = np.zeros((10_000, 3074), np.uint8)
        rows[:, 1] = labels
        rows.tofile(tmp_path / "test.bin")
        md5 = {"test.bin": hashlib.md5(rows.tobytes()).hexdigest()}
        release = cifar100.RELEASE._replace(parts={"test": expected._replace(binary=md5)})
        if changed:
            with pytest.raises(DataError, match="public release with the SHA-256 of the testing labels in order"):
                cifar.read(release, "test", DataFolder(tmp_path))
        else:
            assert cifar.read(release, "test", DataFolder(tmp_path)).labels.tolist() == labels.tolist()


@pytest.mark.parametrize("shut", ["", "cifar-10-batches-bin"])
def test_a_folder_that_this_user_may_not_enter(open_folder, as_nobody, shut):
    (open_folder / "cifar-10-batches-bin").mkdir()
    (open_folder / shut).chmod(0o000)
    message = rf"^cifar10: looked for .*data_root={open_folder}: .* cannot be reached: Permission denied; .* \(x\)"
    with as_nobody(), pytest.raises(DataError, match=message):
        cifar10.load("test", DataFolder(open_folder))
    (open_folder / shut).chmod(0o755)
