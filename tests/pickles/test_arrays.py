"""Pickled numpy arrays: read as every version wrote them, and never anything else than plain numbers."""

import contextlib
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from numpy._core.multiarray import _reconstruct
from numpy._core.numeric import _frombuffer

from harness.errors import DataError
from harness.pickles import load_pickle
from harness.pickles.arrays import ARRAY_ANSWERS, plain_array

WHAT = "FILE: not a sound batch"
U1 = np.dtype("u1")
# An array as Python 2.7 wrote it, with every opcode as it lies in the released CIFAR-10.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05U\x01b"
    b"\x87Rq\x06(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87Rq\x08(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89T\x06\x00\x00\x00\x00\x7f\x80\xfe\xff\ntbu."
)


class Call:
    """Pickles as a call of a function, and a state that its result is given."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments, state)

    def __reduce__(self):
        return self.reduced


def begun(*, state=None):
    return Call(_reconstruct, np.ndarray, (0,), b"b", state=state)


def state(*, version=1, shape=(2, 3), dtype=U1, is_fortran=False, data=bytes(6)):
    return version, shape, dtype, is_fortran, data


def load(content: object, protocol: int = 4) -> object:
    raw = content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol)
    return load_pickle(raw, ARRAY_ANSWERS, WHAT, encoding="bytes")


def as_numpy_1(raw: bytes) -> bytes:
    """Return a pickle of numpy 2 with the names of numpy 1, without the frame whose length they change."""
    raw = raw[:2] + raw[11:] if raw[2:3] == pickle.FRAME else raw
    for name in (b"multiarray", b"numeric"):
        old, new = b"numpy.core." + name, b"numpy._core." + name
        raw = raw.replace(b"c" + new + b"\n", b"c" + old + b"\n")
        raw = raw.replace(b"\x8c" + bytes([len(new)]) + new, b"\x8c" + bytes([len(old)]) + old)
    return raw


ARRAYS = [
    np.arange(6, dtype=np.uint8).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)),
    np.arange(24, dtype=np.int64).reshape(2, 3, 4)[:, ::2],
    np.array([[0.5, -1.0], [np.pi, 1e300]]),
    np.array([True, False]),
    np.array(3, dtype=np.int32),
    np.arange(200, dtype=np.uint8),
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_of_every_protocol_are_read(array, protocol):
    raw = pickle.dumps({"data": array}, protocol=protocol)
    assert as_numpy_1(raw) != raw
    for written in (raw, as_numpy_1(raw)):
        read = load(written)
        assert isinstance(read, dict)
        found = plain_array(read["data"], "data")
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)


def test_array_of_python_2_is_read():
    read = load(PYTHON_2)
    assert isinstance(read, dict)
    assert plain_array(read[b"data"], "data").tolist() == [[0, 127, 128], [254, 255, 10]]
    theirs = pickle.loads(PYTHON_2, encoding="bytes")
    assert np.array_equal(theirs[b"data"], plain_array(read[b"data"], "data"))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_scalars_and_short_bytes_are_read(protocol):
    assert load({b"key": np.int64(7), "x": b"\xff"}, protocol) == {b"key": 7, "x": b"\xff"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (begun(state=state(data=bytes(5))), r"a numpy array of uint8 of shape \(2, 3\) has 5 bytes"),
        (begun(state=state(shape=(1 << 62, 4))), r"of shape \(4611686018427387904, 4\) has 6 bytes"),
        (begun(state=state(dtype=np.dtype("f8"))), "a numpy array of float64 .* has 6 bytes"),
        (begun(state=state(shape=(-2, -3))), "the shape of a numpy array is not one"),
        (begun(state=state(shape=(6, True))), "the shape of a numpy array is not one"),
        (begun(state=state(shape=[2, 3])), "the shape of a numpy array is not one"),
        (begun(state=state(shape=(1,) * 9, data=b"1")), "the shape of a numpy array is not one"),
        (begun(state=state(data=[1, 2, 3, 4, 5, 6])), "the content of a numpy array is a list, not bytes"),
        (begun(state=state(data="123456")), "the content of a numpy array is '123456', not bytes"),
        (begun(state=state(dtype="u1")), "the dtype of a numpy array is 'u1', not that of plain numbers"),
        (begun(state=state(dtype=np.dtype("O"))), "dtype 'O8' is not a plain number"),
        (begun(state=state(dtype=np.dtype(">i2"))), "dtype state a tuple is not that of a plain little-endian number"),
        (begun(state=state(dtype=np.dtype("i4,f4"))), "dtype 'V8' is not a plain number"),
        (begun(state=state(version=2)), "the state a tuple is not that of a numpy array"),
        (begun(state=state(is_fortran=2)), "the state a tuple is not that of a numpy array"),
        (begun(state={"shape": (2, 3)}), "the state a dict is not that of a numpy array"),
        (begun(state=(None, {"content": 1})), "the state a tuple is not that of a numpy array"),
        (Call(_reconstruct, np.ndarray, (7,), b"b"), "a numpy array is not begun as numpy begins it"),
        (Call(_reconstruct, 1, (0,), b"b"), "a numpy array is not begun as numpy begins it"),
        (Call(_reconstruct, np.ndarray, (0,)), "a numpy array is not begun as numpy begins it"),
        (Call(_reconstruct, np.recarray, (0,), b"b"), r"asks for numpy(\.rec)?\.recarray"),
        (Call(_frombuffer, bytes(5), U1, (2, 3), "C"), "a numpy array of uint8 .* has 5 bytes"),
        (Call(_frombuffer, bytes(6), U1, (2, 3), "K"), "not made of a buffer, a dtype, a shape and an order C or F"),
        (Call(_frombuffer, bytes(6), U1, (2, 3)), "not made of a buffer, a dtype, a shape and an order C or F"),
        (Call(_frombuffer, bytes(6), "u1", (2, 3), "C"), "the dtype of a numpy array is 'u1'"),
        (Call(_frombuffer, bytes(6), U1, 6, "C"), "the shape of a numpy array is not one"),
        (Call(_frombuffer, 6, U1, (2, 3), "C"), "the content of a numpy array is 6, not bytes"),
        (np.ma.masked_array([1, 2]), r"asks for numpy\.ma\.core\._mareconstruct"),
        (np.array(["text"]), "dtype 'U4' is not a plain number"),
        (np.array([None]), "dtype 'O8' is not a plain number"),
        (np.array([1j]), "dtype 'c16' is not a plain number"),
    ],
)
def test_other_than_plain_arrays_are_refused(content, message):
    with pytest.raises(DataError, match=rf"^{WHAT}: .*{message}"):
        load(content)


def test_state_is_set_once():
    raw = pickle.dumps(begun(state=state()), protocol=4)[:-1]
    again = pickle.dumps((1, (6,), 0, False, b""), protocol=4)[2:-1]
    with pytest.raises(DataError, match="the state of a numpy array is set twice"):
        load(raw + again + b"b.")


@pytest.mark.parametrize("value", [3, [1, 2], None, begun(), np.dtype("u1"), np.float64(2)])
def test_what_is_no_array_is_refused_by_its_name(value):
    with pytest.raises(ValueError, match=r"^key 'data': expected a numpy array, got "):
        plain_array(load(value), "key 'data'")


@pytest.mark.parametrize("name", sorted(ARRAY_ANSWERS))
@pytest.mark.parametrize("change", [{"planted": 1}, (None, {"planted": 1}), (None, {"__class__": 1})])
def test_stand_ins_cannot_be_changed(name, change):
    raw = b"\x80\x04c" + "\n".join(name).encode() + b"\n" + pickle.dumps(change, protocol=4)[2:-1] + b"b."
    with pytest.raises(DataError, match=WHAT):
        load(raw)
    assert not hasattr(ARRAY_ANSWERS[name], "planted")


@pytest.mark.parametrize("name", ["numpy\nload", "numpy\nndarray.tofile", "_codecs\ndecode", "builtins\nbytes"])
def test_other_names_of_the_same_modules_are_refused(name):
    with pytest.raises(DataError, match="refused, nothing of it was run"):
        load(b"\x80\x04c" + name.encode() + b"\n.")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_payload_within_an_array_does_not_run(tmp_path, protocol):
    sentinel = tmp_path / "ran"
    payload = begun(state=state(data=Call(os.system, f"touch {sentinel}")))
    with pytest.raises(DataError, match=r"asks for posix\.system, .*nothing of it was run"):
        load(payload, protocol)
    assert not sentinel.exists()


def test_array_of_a_buffer_that_grew_is_refused():
    """A pickle can append to a bytearray after an array was made of it."""
    array = pickle.dumps(Call(_frombuffer, 0, U1, (2, 3), "C"), protocol=4)[11:-1].replace(b"(K\x00", b"(h\xfa", 1)
    buffer = b"\x96" + struct.pack("<Q", 6) + bytes(6) + b"q\xfa0"
    padding = b"N0" * 125  # so that the memo may have the slot 250
    raw = b"\x80\x05" + padding + buffer + array + b"h\xfa(K\x01K\x02e0."
    with pytest.raises(ValueError, match=r"key 'data': its 8 bytes are not those of uint8 of shape \(2, 3\)"):
        plain_array(load(raw), "key 'data'")


def test_text_that_is_no_bytes_is_refused():
    raw = pickle.dumps(np.zeros(200, np.uint8), protocol=2)
    assert raw.count(bytes(200)) == 1
    euro = "\N{EURO SIGN}".encode()
    forged = raw.replace(b"X\xc8\x00\x00\x00" + bytes(200), b"X" + struct.pack("<I", 202) + euro + bytes(199))
    assert forged != raw
    with pytest.raises(ValueError, match="key 'data': its bytes are written as a text that is not latin1"):
        plain_array(load(forged), "key 'data'")
    with pytest.raises(DataError, match="bytes are not made of a text in latin1"):
        load(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.")


def test_one_text_made_into_bytes_many_times_does_not_fill_the_memory():
    text = b"X" + struct.pack("<I", 1 << 20) + bytes(1 << 20)
    encode = b"c_codecs\nencode\nq\x00" + text + b"q\x01X\x06\x00\x00\x00latin1q\x02\x86R0"
    raw = b"\x80\x02(" + encode + b"h\x00h\x01h\x02\x86R" * 1000 + b"t."
    tracemalloc.start()
    try:
        read = load(raw)
        assert isinstance(read, tuple)
        assert len(read) == 1000
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_damage_is_refused_or_harmless():
    """No changed or missing byte ends in another error; a changed pixel is for the hash of the file to find."""
    raw = pickle.dumps({"data": np.arange(40, dtype=np.uint8)}, protocol=4)
    rng = np.random.RandomState(0)
    n_read = 0
    for _ in range(300):
        changed = bytearray(raw[: rng.randint(1, len(raw))] if rng.rand() < 0.5 else raw)
        changed[rng.randint(len(changed))] = rng.randint(256)
        with contextlib.suppress(DataError):
            n_read += load(bytes(changed)) is not None
    assert 0 < n_read < 150
