"""Damage by accident: flipped bits and lost ends of every file that a data set is read from.

Released files are held against their hashes, so any change is refused by the name of the file. A variant of one's own
has no known hash: a change is refused by name, or gives something sound that is not what it was.
"""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from harness.datasets import (
    CONDITIONS,
    DataFolder,
    ImageSet,
    LabelSet,
    Library,
    Normalisation,
    ShiftedImages,
    Split,
    cifar10,
    cifar100,
    cifar_corrupted,
    imagenet16,
    label_sets,
    nats_splits,
    svhn,
)
from harness.errors import DataError

EXAMPLES = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEADER_BITS = 8 * 200  # where formats say what they hold
N = 4
RNG = np.random.RandomState(0)
PIXELS = RNG.randint(0, 256, (5 * N, 32, 32, 3), dtype=np.uint8)
LABELS = np.array([3, 0, 9, 1])
TEST = ImageSet(
    "cifar10/test",
    torch.from_numpy(PIXELS[:N].transpose(0, 3, 1, 2).copy()),
    torch.from_numpy(LABELS),
    10,
    Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
)
FLAT = PIXELS[:N].reshape(N, -1)
VOTES = [
    {
        "id": i,
        "given_original_label": int(LABELS[i]),
        "our_guessed_label": 5,
        "mturk": {"given": 1, "guessed": 4 - i, "neither": i, "both": 0},
    }
    for i in range(3)
]


class Kind(NamedTuple):
    """A kind of file: where it lies, how it is written, and how what is in it is read."""

    file: str
    write: Callable[[Path], object]
    read: Callable[[DataFolder], object]


def dumped(content):
    return lambda path: path.write_bytes(pickle.dumps(content, protocol=2))


def corrupted(folder):
    return CONDITIONS["fog"].make(TEST, 2, folder)


def corrected(folder):
    return label_sets.label_set("errors_relabelled", "cifar10", TEST, folder)


ORIGINAL = "labels/original_test_labels__cifar10_test_set_original_labels.npy"
FINE = {"data": FLAT, "fine_labels": LABELS.tolist(), "batch_label": "testing batch 1 of 1"}
HALVES = {"xvalid": ["int", ["0", "3"]], "xtest": ["int", ["1", "2"]]}
KINDS = {
    "cifar binary": Kind(
        "cifar-10-batches-bin/test_batch.bin",
        lambda path: np.column_stack([LABELS, FLAT]).astype(np.uint8).tofile(path),
        lambda folder: cifar10.load("test", folder),
    ),
    "cifar pickle": Kind("cifar-100-python/test", dumped(FINE), lambda folder: cifar100.load("test", folder)),
    "ImageNet16": Kind(
        "ImageNet16/val_data",
        dumped({"data": FLAT[:, :768], "labels": [1, 120, 121, 7]}),
        lambda folder: imagenet16.load("test", folder),
    ),
    "SVHN": Kind(
        "test_32x32.mat",
        lambda path: savemat(path, {"X": PIXELS[:N].transpose(1, 2, 3, 0)}),
        lambda folder: CONDITIONS["svhn"].make(TEST, 0, folder),
    ),
    "SVHN compressed": Kind(
        "svhn/test_32x32.mat",
        lambda path: savemat(path, {"X": PIXELS[:N].transpose(1, 2, 3, 0)}, do_compression=True),
        lambda folder: CONDITIONS["svhn"].make(TEST, 0, folder),
    ),
    "corruption": Kind("CIFAR-10-C/fog.npy", lambda path: np.save(path, PIXELS), corrupted),
    "labels of corruptions": Kind(
        "CIFAR-10-C/labels.npy", lambda path: np.save(path, np.tile(LABELS, 5).astype("u1")), corrupted
    ),
    "original labels": Kind(ORIGINAL, lambda path: np.save(path, LABELS.astype("u2")), corrected),
    "votes": Kind("labels/mturk__cifar10_mturk.json", lambda path: path.write_text(json.dumps(VOTES)), corrected),
    "halves": Kind(
        "splits/cifar100-test-split.txt",
        lambda path: path.write_text(json.dumps(HALVES)),
        lambda folder: nats_splits.nats_split("cifar100", N, folder),
    ),
    "own images": Kind(
        "own.npz",
        lambda path: np.savez(path, images=PIXELS[:N], labels=LABELS),
        lambda folder: Library(folder, {"own": folder.root / "own.npz"}).condition("own").make(TEST, 0, folder),
    ),
}
# The labels of corruptions are held against those of the test images, and images of one's own against nothing.
HASHED = [name for name in KINDS if name not in ("labels of corruptions", "own images")]


@pytest.fixture
def root(tmp_path):
    for kind in KINDS.values():
        (tmp_path / kind.file).parent.mkdir(exist_ok=True)
        kind.write(tmp_path / kind.file)
    return tmp_path


@pytest.fixture
def only(root):
    """The folder with no other file from which the same could be read."""

    def keep(name):
        if name == "SVHN":
            (root / KINDS["SVHN compressed"].file).unlink()
        return root / KINDS[name].file

    return keep


@pytest.fixture
def published(root, monkeypatch):
    """The files of the test as if they were the released ones."""

    def md5(file):
        return hashlib.md5((root / file).read_bytes()).hexdigest()

    for module, form, file in ((cifar10, "binary", "cifar binary"), (cifar100, "python", "cifar pickle")):
        part = module.RELEASE.parts["test"]._replace(n_images=N, labels=None, first_images=None)
        part = part._replace(**{form: {Path(KINDS[file].file).name: md5(KINDS[file].file)}})
        monkeypatch.setattr(module, "RELEASE", module.RELEASE._replace(parts={"test": part}))
    monkeypatch.setitem(imagenet16.PARTS, "test", {"val_data": md5("ImageNet16/val_data")})
    monkeypatch.setitem(cifar_corrupted.CIFAR10_C.md5, "fog", md5("CIFAR-10-C/fog.npy"))
    halves = nats_splits.TEST_HALVES["cifar100"]._replace(md5=md5("splits/cifar100-test-split.txt"))
    monkeypatch.setitem(nats_splits.TEST_HALVES, "cifar100", halves)
    files = label_sets.CIFAR10_LABELS._replace(
        original_md5=md5(ORIGINAL), votes_md5=md5("labels/mturk__cifar10_mturk.json")
    )
    monkeypatch.setitem(label_sets.FILES, "cifar10", files)
    return lambda name: monkeypatch.setattr(svhn, "MD5", md5(KINDS[name].file))


def content_of(found):
    """What rows would depend on, which must also be sound."""
    if isinstance(found, Split):
        assert sorted([*found.fit, *found.evaluation]) == list(range(N))
        return found.content_hash
    if isinstance(found, LabelSet):
        assert found.labels.min() >= 0
        assert found.labels.max() < 10
        assert len(found.labels) == N
        return found.content_hash
    assert isinstance(found, ImageSet | ShiftedImages)
    assert found.images.dtype == torch.uint8
    assert len(found.images) == N or isinstance(found, ShiftedImages) or found.name.startswith("ImageNet16")
    if found.labels is not None:
        assert found.labels.min() >= 0
        assert len(found.labels) == len(found.images)
    return (found.images_hash, found.labels_hash)


bits = st.one_of(st.integers(0, HEADER_BITS), st.integers(0, 1 << 20))


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


def refused_or_read(path, folder, read):
    """What is read of a damaged file, or None where it is refused; nothing but a refusal by its name passes."""
    try:
        return content_of(read(folder))
    except DataError as error:
        assert path.name in str(error)  # noqa: PT017 - sound content is an outcome as well
        return None


@pytest.mark.parametrize("name", HASHED)
def test_any_change_of_a_released_file_is_refused_by_name(root, only, published, name):
    path, read = only(name), KINDS[name].read
    published(name if name.startswith("SVHN") else "SVHN compressed")
    content, folder = path.read_bytes(), DataFolder(root)
    assert content_of(read(folder))

    @EXAMPLES
    @given(bit=bits, end=st.integers(0, 1 << 20), is_cut=st.booleans())
    def damage(bit, end, is_cut):
        path.write_bytes(content[: end % len(content)] if is_cut else flipped(content, bit))
        assert refused_or_read(path, folder, read) is None

    damage()


@pytest.mark.parametrize("name", KINDS)
def test_a_flipped_bit_of_a_variant_gives_sound_content_or_a_refusal(root, only, name):
    path, read = only(name), KINDS[name].read
    content, folder = path.read_bytes(), DataFolder(root, released_only=False, released_labels_only=False)
    assert content_of(read(folder))

    @EXAMPLES
    @given(bit=bits)
    def damage(bit):
        path.write_bytes(flipped(content, bit))
        refused_or_read(path, folder, read)

    damage()


@pytest.mark.parametrize("name", KINDS)
def test_a_variant_that_lost_its_end_is_refused(root, only, name):
    path, read = only(name), KINDS[name].read
    content, folder = path.read_bytes(), DataFolder(root, released_only=False, released_labels_only=False)
    whole_rows = {len(content) * n // N for n in range(1, N)} if name == "cifar binary" else set()

    @EXAMPLES
    @given(end=st.one_of(st.integers(0, len(content) - 1), st.integers(max(0, len(content) - 40), len(content) - 1)))
    def damage(end):
        path.write_bytes(content[:end])
        if end not in whole_rows:  # of which it is a smaller data set
            assert refused_or_read(path, folder, read) is None

    damage()
