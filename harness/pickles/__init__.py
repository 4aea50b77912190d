"""Reading other people's pickles: nothing in this project is unpickled in any other way.

A pickle is a program. Here its opcodes are walked before any is executed, and the unpickler answers only the names that
the caller lists, with stand-ins of its own. Which names a format needs is left to the reader of that format.
"""

from harness.pickles.opcodes import check_opcodes
from harness.pickles.unpickler import load_pickle
from harness.pickles.untrusted import is_plain_mapping, mapping, shown

__all__ = ["check_opcodes", "is_plain_mapping", "load_pickle", "mapping", "shown"]
