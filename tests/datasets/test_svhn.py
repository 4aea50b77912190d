"""SVHN from made-up files of MATLAB."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from scipy.io import savemat

from harness.datasets import CONDITIONS, DataFolder, ImageSet, Normalisation, mat_file
from harness.errors import DataError

SVHN = CONDITIONS["svhn"]
IMAGES = np.random.RandomState(0).randint(0, 256, (32, 32, 3, 5), dtype=np.uint8)
TEST = ImageSet(
    "cifar10/test",
    torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
    torch.zeros(2, dtype=torch.int64),
    10,
    Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
)


def make(root, *, released_only=False):
    return SVHN.make(TEST, 0, DataFolder(root, released_only))


@pytest.mark.parametrize("folder", ["", "svhn", "SVHN"])
@pytest.mark.parametrize("compressed", [False, True])
def test_images_are_read_with_their_channels_first(tmp_path, folder, compressed):
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "test_32x32.mat"
    savemat(path, {"X": IMAGES, "y": np.ones((5, 1))}, do_compression=compressed)
    shown = make(tmp_path)
    assert (shown.name, shown.labels) == ("cifar10/test/svhn", None)
    assert shown.images.shape == (5, 3, 32, 32)
    assert shown.images.is_contiguous()
    assert all(np.array_equal(shown.images[i].permute(1, 2, 0), IMAGES[..., i]) for i in range(5))


def test_it_is_for_networks_of_cifar():
    assert SVHN.severities == (0,)
    assert [name for name in ("digits", "cifar10", "cifar10-valid", "cifar100") if SVHN.serves(name)] == [
        "cifar10",
        "cifar10-valid",
        "cifar100",
    ]


def test_another_file_than_the_released_one_is_refused(tmp_path):
    savemat(tmp_path / "test_32x32.mat", {"X": IMAGES})
    with pytest.raises(DataError, match=r"test_32x32\.mat: expected the public release with MD5 eb5a983be6a3154"):
        make(tmp_path, released_only=True)


def test_missing_file_is_asked_for(tmp_path):
    with pytest.raises(DataError, match=r"svhn: looked for svhn/test_32x32\.mat or .*; get it from http://ufldl"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"y": np.ones((5, 1))}, "expected the variable X, got y; fetch the file again"),
        ({}, "expected the variable X, got none"),
        ({"X": IMAGES[:16, :16]}, r"X: expected the shape \(32, 32, 3, images\), got \(16, 16, 3, 5\)"),
        ({"X": IMAGES.transpose(3, 0, 1, 2)}, r"X: expected the shape .*, got \(5, 32, 32, 3\)"),
        ({"X": IMAGES[..., :0]}, r"X: expected the shape .*, got \(32, 32, 3, 0\)"),
        ({"X": IMAGES.astype(float)}, "X: expected an array of unsigned bytes, it is of another type"),
        ({"X": IMAGES.astype("i1")}, "X: expected an array of unsigned bytes, it is of another type"),
        ({"X": IMAGES[:1].astype(object)}, "X: expected an array of unsigned bytes, it is of another type"),
        ({"X": IMAGES[:1] + 1j}, "X: expected an array of unsigned bytes, it is of another type"),
        ({"X": "text"}, "X: expected an array of unsigned bytes, it is of another type"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    savemat(tmp_path / "test_32x32.mat", content)
    with pytest.raises(DataError, match=rf"test_32x32\.mat: {message}"):
        make(tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_every_variable_is_passed_on_the_way(tmp_path, compressed):
    before = {"a": 1.5, "y": np.ones((5, 1)), "names": ["a", "bc"], "cell": np.array([1, "x"], object)}
    savemat(tmp_path / "test_32x32.mat", before | {"X": IMAGES}, do_compression=compressed)
    assert make(tmp_path).images.shape == (5, 3, 32, 32)


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_is_refused(tmp_path, compressed):
    """Or is one of the pixels, which only the hash of the file can tell; no other error, and no crash, comes of it."""
    path = tmp_path / "test_32x32.mat"
    savemat(path, {"X": IMAGES[..., :1]}, do_compression=compressed)
    content = path.read_bytes()
    version_7_3 = content[:124] + b"\x00\x02" + content[126:]
    rng = np.random.RandomState(0)
    for damaged in (b"", b"PK", version_7_3, *(content[: rng.randint(len(content))] for _ in range(100))):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"test_32x32\.mat: .*fetch the file again"):
            make(tmp_path)
    n_refused = 0
    for _ in range(300):
        changed = bytearray(content)
        changed[rng.randint(120, 240)] = rng.randint(256)
        path.write_bytes(changed)
        try:
            make(tmp_path)
        except DataError:
            n_refused += 1
    assert n_refused > 100


def test_bomb_is_refused_without_filling_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(mat_file, "_MAX_BYTES", 1 << 20)
    packed = zlib.compress(bytes(64 << 20))
    header = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM"
    (tmp_path / "test_32x32.mat").write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="too large when it is unpacked"):
            make(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
