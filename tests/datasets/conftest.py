"""What the tests of data sets share: files in the formats in which the data sets were released, made up by the test."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

WRITERS = ("python 2", "2", "3", "4", "5")


class Python2Pickler(pickle._Pickler):
    """Writes texts and bytes as Python 2 wrote its strings, and the names of numpy 1."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        raw = value if isinstance(value, bytes) else value.encode()
        short = len(raw) < 256
        self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) if short else b"T" + len(raw).to_bytes(4, "little"))
        self.write(raw)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string


def dump(path: Path, content: object, writer: str) -> Path:
    """Write a pickle as Python 2 did, or in a protocol of Python 3."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if writer != "python 2":
        path.write_bytes(pickle.dumps(content, protocol=int(writer)))
        return path
    with path.open("wb") as file:
        Python2Pickler(file, protocol=2).dump(content)
    path.write_bytes(path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    return path


@pytest.fixture(params=WRITERS)
def writer(request) -> str:
    """Each way in which a batch may have been pickled."""
    return request.param


@pytest.fixture
def write_pickle() -> Callable[[Path, object, str], Path]:
    return dump


@pytest.fixture
def rng() -> np.random.RandomState:
    return np.random.RandomState(0)
