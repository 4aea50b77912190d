"""Walks the opcodes of a pickle without executing them, so that its claims are checked before anything believes them.

``pickle`` allocates first and reads afterwards: one changed byte can make it clear 64 GiB for a memo slot, and a byte
per empty dictionary adds up as well. What the opcodes ask for is left to the unpickler.
"""

import io
import pickle
import pickletools

_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
# Hashing tuples within tuples takes C stack for each level, unguarded. The largest record has about 50,000 in all; some
# 500,000 levels are needed to overflow a stack of 8 MiB.
_MAX_TUPLES = 100_000


def check_opcodes(stream: io.BytesIO, max_opcodes: int) -> None:
    """Read one pickle of a stream, up to its STOP; every length must fit the data, every memo slot what came before.

    Args:
        stream: The pickle begins at its position.
        max_opcodes: Largest number of opcodes to accept.

    Raises:
        pickle.UnpicklingError: A memo slot lies beyond what any pickler writes; there are too many opcodes or tuples.
        ValueError: An opcode is unknown, its argument is cut off, or there is no STOP.
    """
    n_tuples = 0
    for n_before, (opcode, argument, position) in enumerate(pickletools.genops(stream)):
        if n_before == max_opcodes:
            raise pickle.UnpicklingError(f"it has more than {max_opcodes:,} opcodes")
        n_tuples += opcode.name in _TUPLES
        if n_tuples > _MAX_TUPLES:
            raise pickle.UnpicklingError(f"it has more than {_MAX_TUPLES:,} tuples")
        if opcode.name in _PUTS and not (isinstance(argument, int) and 0 <= argument <= n_before):
            raise pickle.UnpicklingError(f"it uses memo slot {argument} at byte {position}, after {n_before} opcodes")
