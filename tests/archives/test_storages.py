"""Storages of tensors: those that torch writes are read by their bytes, all others go through torch's own reader."""

import io
import pickle

import pytest
import torch

from harness.archives import standins

PLAIN = sorted(standins._STORAGE_DTYPES.values(), key=str)


class _Content(pickle.Unpickler):
    def find_class(self, module_name, global_name):
        return lambda content: content


def written(tensor: torch.Tensor) -> bytes:
    """What torch writes of the storage of a tensor inside another pickle."""
    return _Content(io.BytesIO(pickle.dumps(tensor._typed_storage(), protocol=4))).load()


@pytest.mark.parametrize("dtype", PLAIN, ids=str)
@pytest.mark.parametrize("count", [0, 1, 255, 256, 65535, 65536])
def test_what_torch_writes_is_read_by_its_bytes_as_torch_reads_it(dtype, count):
    content = written(torch.arange(count).to(dtype))
    flat = standins._plain_flat_tensor(content)
    expected = standins._loaded_flat_tensor(content)
    assert flat is not None
    assert flat.dtype == expected.dtype == dtype
    assert torch.equal(flat, expected)


def test_booleans_are_left_to_torch():
    content = written(torch.tensor([True, False]))
    assert standins._plain_flat_tensor(content) is None
    assert standins._flat_tensor(content).tolist() == [True, False]


def test_with_a_changed_byte_before_the_numbers_it_is_not_plain():
    content = written(torch.arange(3, dtype=torch.int32))
    n_before, read = len(content) - 12, []
    for position in range(n_before):
        for mask in (1, 2, 16, 128):
            changed = bytearray(content)
            changed[position] ^= mask
            if standins._plain_flat_tensor(bytes(changed)) is not None:
                read.append((position, mask))
    assert read == [], "a type of another size, a key that occurs twice, a count: each contradicts something else"


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: c[:60], lambda c: b""])
def test_other_lengths_are_not_plain(change):
    assert standins._plain_flat_tensor(change(written(torch.arange(3)))) is None
