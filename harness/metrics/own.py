"""A family of the user's own: a Python file, or a module that can be imported, which defines ``FAMILY``.

Every process loads it where it needs it, from the place that the study names; nothing is registered anywhere.
"""

import importlib
import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from harness.metrics.measurement import Family

_PLACE = "expected a file that ends in .py or a module that can be imported, such as my_lab.calibration"


def is_own(name: str) -> bool:
    """Return whether a name means a file or a module of the user's: such have a dot, the names of families none.

    Example:
        >>> is_own("./my_family.py"), is_own("my_lab.calibration"), is_own("study")
        (True, True, False)
    """
    return "." in name


def is_file(place: str) -> bool:
    """Return whether the place of a family is a file, not a module."""
    return place.endswith(".py")


def load(place: str) -> Family:
    """Return what ``FAMILY`` is in a file or a module.

    Args:
        place: Path of a file that ends in ``.py``, or dotted name of a module.

    Raises:
        ValueError: It is not there, raises something, or defines no such family.
    """
    if is_file(place) and not Path(place).is_file():
        raise ValueError(f"{place}: no such file")
    if not is_file(place) and not all(part.isidentifier() for part in place.split(".")):
        raise ValueError(f"{place}: {_PLACE}")
    try:
        module = _from_file(place) if is_file(place) else importlib.import_module(place)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{place}: cannot be imported: {_explain(error, place)}") from error
    found = getattr(module, "FAMILY", None)
    if not isinstance(found, Family):
        raise ValueError(f"{place}: expected FAMILY to be a harness.metrics.Family, got {found!r}")
    return found


def _from_file(path: str) -> ModuleType:
    spec = spec_from_file_location(path, path)  # named by its path, so that it takes no other module's name
    assert spec is not None  # it ends in .py
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path] = module  # where dataclasses look up the module of a class
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path]
        raise
    return module


def _explain(error: BaseException, place: str) -> str:
    """Return what an exception says, with the line of the user's file where it has one."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place]
    where = f", in line {lines[-1]}" if lines else ""
    return f"{type(error).__name__}: {error}{where}"
