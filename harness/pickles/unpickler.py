"""The unpickler itself: a table of names and what stands for each, and every fault of a pickle as a DataError."""

import io
import pickle
import struct
import warnings
from collections.abc import Mapping

from harness.errors import DataError
from harness.pickles.opcodes import check_opcodes
from harness.pickles.untrusted import shown

# The largest record of an archive has about 350,000; an opcode makes at most 216 bytes of objects.
MAX_OPCODES = 5_000_000

# What a damaged pickle raises, here, in the stand-ins and in torch.load. LookupError covers a broken memo reference or
# key, ValueError bad text, RuntimeError a nesting that is too deep and torch's own complaints.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
)


def load_pickle(raw: bytes, answers: Mapping[tuple[str, str], object], what: str, *, encoding: str = "ASCII") -> object:
    """Return the object in a pickle that is followed by nothing else.

    What no guard prevents is that a crafted pickle wastes time: hashing a key of nested tuples that share their parts
    takes as long as its author likes.

    Args:
        raw: The pickle.
        answers: What stands for each (module, name) that it may ask for.
        what: What it should be, with the name of its file, for messages: ``FILE: not a sound X``.
        encoding: How texts of Python 2 are read; ``bytes`` keeps them as bytes.

    Raises:
        DataError: It is damaged, or asks for anything else.
    """
    stream = io.BytesIO(raw)
    try:
        # pickletools comments on odd escapes and torch on storages; the reader can do nothing about either.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_opcodes(stream, MAX_OPCODES)
            if stream.tell() != len(raw):
                raise pickle.UnpicklingError(f"{len(raw) - stream.tell():,} bytes follow the end of the pickle")
            stream.seek(0)
            return _RestrictedUnpickler(stream, answers, encoding).load()
    except _DAMAGE as error:
        raise DataError(f"{what}: {str(error) or type(error).__name__}") from error


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler for which only the listed names exist."""

    def __init__(self, stream: io.BytesIO, answers: Mapping[tuple[str, str], object], encoding: str) -> None:
        super().__init__(stream, encoding=encoding)
        self._answers = answers

    def find_class(self, module_name: str, global_name: str, /) -> object:
        try:
            return self._answers[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module_name}.{global_name}, which no such file needs; refused, nothing of it was run"
            ) from None

    def persistent_load(self, pid: object, /) -> object:
        raise pickle.UnpicklingError(f"it asks for the persistent object {shown(pid)}; refused, nothing of it was run")
