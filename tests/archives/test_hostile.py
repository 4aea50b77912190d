"""Crafted records: none runs anything, none fills the memory, each is refused with the name of its file."""

import bz2
import contextlib
import io
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.archives import open_archive, standins
from harness.archives.restricted import decompress, read_pickle
from harness.errors import DataError
from harness.pickles import check_opcodes

MAGIC = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def storage(*, description: object, keys=("0",), data=b"") -> bytes:
    """Return the bytes of a torch storage with a description of one's own."""
    pickles = [1001, {"little_endian": True}, description, list(keys)]
    return MAGIC + b"".join(pickle.dumps(part, protocol=2) for part in pickles) + data


def touch(sentinel: Path) -> Call:
    return Call(os.system, f"touch {sentinel}")


def within_storage(sentinel: Path) -> Call:
    return Call(torch.storage._load_from_bytes, storage(description=touch(sentinel), keys=()))


def test_tuples_within_tuples_do_not_overflow_the_stack(tmp_path):
    path = tmp_path / "000000.pickle.pbz2"
    path.write_bytes(bz2.compress(b"\x80\x02}" + b")" + b"\x85" * 2_000_000 + b"Ns."))
    with pytest.raises(DataError, match="more than 100,000 tuples"):
        read_pickle(path)


def within_storage_without_its_magic(sentinel: Path) -> Call:
    return Call(torch.storage._load_from_bytes, pickle.dumps(touch(sentinel)))


def by_eval(sentinel: Path) -> Call:
    return Call(eval, f"__import__('os').system('touch {sentinel}')")


def as_state(sentinel: Path) -> Call:
    return Call(np.dtype, touch(sentinel))


def as_key(sentinel: Path) -> dict:
    return {touch(sentinel): {}}


PAYLOADS = {
    touch: r"it asks for posix\.system, .*nothing of it was run",
    within_storage: r"the storage of a tensor asks for posix\.system; .*nothing of it was run",
    within_storage_without_its_magic: r"what should be the storage of a tensor is something else; .*nothing of it",
    by_eval: r"it asks for builtins\.eval, .*nothing of it was run",
    as_state: r"it asks for posix\.system, .*nothing of it was run",
    as_key: r"it asks for posix\.system, .*nothing of it was run",
}


@pytest.mark.parametrize(("payload", "message"), PAYLOADS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_payload_is_refused_and_does_not_run(archive, plant, tmp_path, payload, message):
    sentinel = tmp_path / "ran"
    plant(payload(sentinel))
    with pytest.raises(DataError, match=rf"(?s)000012\.pickle\.pbz2: .*{message}"):
        archive.record(12)
    assert not sentinel.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda value: value.__name__)
def test_payload_of_another_protocol_is_refused_as_well(archive, plant, tmp_path, payload, protocol):
    sentinel = tmp_path / "ran"
    plant(pickle.dumps(payload(sentinel), protocol=protocol))
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: .*nothing of it was run"):
        archive.record(12)
    assert not sentinel.exists()


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda value: value.__name__)
def test_payload_is_real(tmp_path, payload):
    """The guard has something to guard against: a plain unpickler runs each of them."""
    sentinel = tmp_path / "ran"
    # It runs, and then has not returned a storage or a dtype.
    with contextlib.suppress(pickle.UnpicklingError, AttributeError, RuntimeError, TypeError, ValueError):
        pickle.loads(pickle.dumps(payload(sentinel)))
    assert sentinel.exists()


def test_getattr_is_refused(plant, tmp_path):
    raw = b"\x80\x04cbuiltins\ngetattr\ncos\nsystem\n\x8c\x08__call__\x86R."
    assert pickle.loads(raw) is not None
    with pytest.raises(DataError, match=r"asks for builtins\.getattr"):
        read_pickle(plant(raw))


@pytest.mark.parametrize("name", ["OrderedDict.fromkeys", "namedtuple", "OrderedDict.__class__"])
def test_other_names_of_an_allowed_module_are_refused(plant, name):
    raw = b"\x80\x04\x8c\x0bcollections\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
    with pytest.raises(DataError, match=rf"asks for collections\.{name}"):
        read_pickle(plant(raw))


@pytest.mark.parametrize("raw", [b"\x80\x04K\x01Q.", b"P17\n."])
def test_persistent_object_is_refused(plant, raw):
    with pytest.raises(DataError, match=r"asks for the persistent object .*nothing of it was run"):
        read_pickle(plant(raw))


@pytest.mark.parametrize(
    "name",
    [
        "numpy\ndtype",
        "numpy.core.multiarray\nscalar",
        "torch._utils\n_rebuild_tensor_v2",
        "torch.storage\n_load_from_bytes",
    ],
)
@pytest.mark.parametrize("state", [{"planted": 1}, (None, {"planted": 1}), (None, {"__class__": 1})])
def test_build_cannot_change_a_stand_in(plant, name, state):
    raw = b"\x80\x04c" + name.encode() + b"\n" + pickle.dumps(state, protocol=4)[2:-1] + b"b."
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: "):
        read_pickle(plant(raw))
    for stand_in in (standins.make_dtype, standins.make_scalar, standins.load_storage, standins.rebuild_tensor):
        assert not hasattr(stand_in, "planted")


def test_build_changes_the_real_function():
    """What the test before guards against: the real function takes the attribute."""
    raw = b"\x80\x04ctorch.storage\n_load_from_bytes\n" + pickle.dumps({"planted": 1}, protocol=4)[2:-1] + b"b."
    pickle.loads(raw)
    assert torch.storage._load_from_bytes.planted == 1
    del torch.storage._load_from_bytes.planted


@pytest.mark.parametrize(
    "state", [b"}\x8c\x05dtypeK\x01s", b"N}\x8c\x05dtypeK\x01s\x86", b"(K\x03\x8c\x01>NNNK\x00K\x00K\x00t"]
)
def test_build_cannot_change_a_dtype(plant, state):
    with pytest.raises(DataError, match=r"dtype state a .* is not that of a plain little-endian number"):
        read_pickle(plant(b"\x80\x04cnumpy\ndtype\n\x8c\x02f8\x85R" + state + b"b."))


def test_build_cannot_change_a_tensor(plant):
    raw = pickle.dumps(torch.zeros(2), protocol=4)[:-1] + b"}\x8c\x04dataK\x01sb."
    with pytest.raises(DataError, match="'StoredTensor' object has no attribute"):
        read_pickle(plant(raw))


def test_dictionary_with_methods_of_its_own_is_refused(archive, plant):
    """The methods of an ``OrderedDict`` can be overlaid by the pickle; they are not called."""
    fake = Call(OrderedDict)
    fake.call = (OrderedDict, (), {"items": 1})
    plant(fake)
    with pytest.raises(DataError, match="expected a record by training budget"):
        archive.record(12)


def test_metadata_of_torch_is_no_such_method(folder, archive, plant, record):
    content = record(folder / "000012.pickle.pbz2")
    state = content["12"]["all_results"]["digits", 777]["net_state_dict"]
    state._metadata = OrderedDict({"": {"version": 1}})
    plant(content)
    assert list(archive.weights(12, "digits", 777, "12")) == list(state)


@pytest.mark.parametrize("code", ["O8", "V8", "S8", "M8", "c16", "f16", ">f8", "f8,f8", "O", 8, None])
def test_dtype_that_is_no_plain_number_is_refused(plant, code):
    raw = pickle.dumps(code, protocol=4)[2:-1]
    with pytest.raises(DataError, match=r"dtype .* is not a plain number"):
        read_pickle(plant(b"\x80\x04cnumpy\ndtype\n" + raw + b"\x85R."))


@pytest.mark.parametrize("value", [np.float64(1.5), np.float32(1.5), np.int64(-3), np.bool_(True)])
def test_plain_scalars_are_read(plant, value):
    read = read_pickle(plant(value))
    assert read == value
    assert type(read) is type(value)


def test_scalar_of_the_wrong_size_is_refused(plant):
    raw = b"\x80\x04cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02f8\x85RC\x03abc\x86R."
    with pytest.raises(DataError, match="not made of a plain dtype and as many bytes"):
        read_pickle(plant(raw))


class Rebuild:
    """Pickles as a tensor of a storage of six numbers with the given further arguments."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (torch.zeros(6)._typed_storage(), *self.arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, (7,), (1,), False, OrderedDict()),
        (4, (3,), (1,), False, OrderedDict()),
        (0, (2, 3), (4, 1), False, OrderedDict()),
        (-1, (2,), (1,), False, OrderedDict()),
        (0, (2,), (-1,), False, OrderedDict()),
        (0, (-2,), (1,), False, OrderedDict()),
        (0, (1 << 62,), (0,), False, OrderedDict()),
        (0, (1 << 40, 1 << 40), (0, 0), False, OrderedDict()),
        (0, (2,), (1, 1), False, OrderedDict()),
        (0, (1,) * 9, (1,) * 9, False, OrderedDict()),
        (0, (True,), (1,), False, OrderedDict()),
        (0.0, (2,), (1,), False, OrderedDict()),
        (0, [2], (1,), False, OrderedDict()),
        (0, (2,), (1,), 0, OrderedDict()),
        (0, (2,), (1,), False, OrderedDict(hook=1)),
        (0, (2,), (1,), False, None),
        (0, (2,), (1,), False, OrderedDict(), {}),
    ],
)
def test_tensor_outside_its_storage_or_with_hooks_is_refused(plant, arguments):
    with pytest.raises(DataError, match="a tensor has hooks or does not lie within its storage"):
        read_pickle(plant(Rebuild(*arguments)))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x80\x04Nr\xff\xff\xff\xff.", r"memo slot 4294967295 at byte 3"),
        (b"\x80\x04Np99999999999\n.", r"memo slot 99999999999"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.", "bytes8"),
        (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.", "unicodestring8"),
        (b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.", "bytearray8"),
        (b"\x80\x04B" + struct.pack("<I", 1 << 31) + b"x.", "bytes4"),
        (b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.", ""),
        (b"I" + b"9" * 10_000 + b"\n.", ""),
        (b"\x80\x04N.N.", "2 bytes follow the end of the pickle"),
        (b"\x80\x04N", "STOP"),
        (b"", ""),
    ],
)
def test_false_claims_are_refused_before_anything_believes_them(plant, raw, message):
    path = plant(raw)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"(?s)not a sound NATS-Bench pickle: .*{message}"):
            read_pickle(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_number_of_opcodes_is_limited():
    """Each may make an empty set of 216 bytes out of its one byte."""
    raw = b"\x80\x04" + b"\x8f" * 96 + b"N."
    check_opcodes(io.BytesIO(raw), 99)
    with pytest.raises(pickle.UnpicklingError, match="more than 98 opcodes"):
        check_opcodes(io.BytesIO(raw), 98)


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04",
        MAGIC,
        MAGIC + b"]" * 1000 + b".",
        storage(description=17),
        storage(description=OrderedDict()),
        storage(description="text", data=struct.pack("<q", 1 << 40)),
    ],
)
def test_storage_that_is_none_is_refused(plant, content):
    with pytest.raises(DataError, match=r"000012\.pickle\.pbz2: not a sound NATS-Bench pickle: "):
        read_pickle(plant(Call(torch.storage._load_from_bytes, content)))


@pytest.mark.parametrize("claimed", [7, 1 << 20, 1 << 33, 1 << 60, -1])
def test_storage_that_claims_more_than_it_has_is_refused(plant, claimed):
    """Six float32 numbers whose description says something else."""
    sound = pickle.loads(pickle.dumps(Call(bytes, torch.zeros(6)._typed_storage().__reduce__()[1][0]), protocol=4))
    size = pickle.dumps(claimed, protocol=2)[2:-1]
    forged = sound.replace(b"K\x06N", size + b"N", 1)
    assert forged != sound
    with pytest.raises(DataError, match=r"not a sound NATS-Bench pickle: "):
        read_pickle(plant(Call(torch.storage._load_from_bytes, forged)))


def test_quantised_numbers_are_refused(plant):
    content = torch.storage.TypedStorage(
        wrap_storage=torch.zeros(4).untyped_storage(), dtype=torch.complex64, _internal=True
    ).__reduce__()[1][0]
    with pytest.raises(DataError, match="not plain numbers"):
        read_pickle(plant(Call(torch.storage._load_from_bytes, content)))


def test_bomb_is_refused_without_filling_the_memory(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(bz2.compress(bytes(64 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"bomb: decompresses to more than 1,048,576 bytes"):
            decompress(path, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_cap_is_the_callers_and_exact(whole, tmp_path):
    path = tmp_path / "exact"
    path.write_bytes(bz2.compress(bytes(100)))
    assert decompress(path, 100) == bytes(100)
    with pytest.raises(DataError, match="more than 99 bytes"):
        decompress(path, 99)
    with pytest.raises(DataError, match=r"meta\.pickle\.pbz2: decompresses to more than 1,000 bytes"):
        open_archive(whole, max_bytes=1000)
