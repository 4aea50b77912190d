"""The calibrators by protocol and name."""

from harness.calibrators.abstract import Calibrator
from harness.calibrators.ensemble_temperature import fit_ensemble_temperature
from harness.calibrators.histogram import fit_histogram
from harness.calibrators.isotonic import fit_isotonic
from harness.calibrators.none import fit_none
from harness.calibrators.published import fit_published_none, fit_published_temperature
from harness.calibrators.spline import fit_spline
from harness.calibrators.temperature import fit_temperature
from harness.calibrators.vector import fit_vector

_CALIBRATORS: dict[str, dict[str, Calibrator]] = {
    protocol: {calibrator.name: calibrator for calibrator in members}
    for protocol, members in {
        "clean": (
            Calibrator("none", 1, fit_none),
            Calibrator("temperature", 1, fit_temperature),
            Calibrator("vector", 1, fit_vector),
            Calibrator("ensemble_temperature", 1, fit_ensemble_temperature),
            Calibrator("isotonic", 1, fit_isotonic),
            Calibrator("histogram", 1, fit_histogram),
            Calibrator("spline", 1, fit_spline),
        ),
        "paper": (
            Calibrator("none", 1, fit_published_none),
            Calibrator("temperature", 1, fit_published_temperature),
        ),
    }.items()
}


def get(name: str, protocol: str = "clean") -> Calibrator:
    """Return the calibrator of that name.

    Args:
        name: One of `names`.
        protocol: ``clean``, or ``paper`` for the form that the published study gave it.

    Raises:
        ValueError: If there is none, or no such protocol.

    Example:
        >>> get("temperature").version
        1
    """
    known = names(protocol)
    if name not in known:
        raise ValueError(f"calibrator: expected one of {', '.join(known)}, got {name!r}")
    return _CALIBRATORS[protocol][name]


def names(protocol: str = "clean") -> tuple[str, ...]:
    """Return the names of all calibrators of a protocol.

    Args:
        protocol: ``clean`` or ``paper``.

    Raises:
        ValueError: If there is no such protocol.

    Example:
        >>> names()
        ('none', 'temperature', 'vector', 'ensemble_temperature', 'isotonic', 'histogram', 'spline')
    """
    if protocol not in _CALIBRATORS:
        raise ValueError(f"protocol: expected one of {', '.join(_CALIBRATORS)}, got {protocol!r}")
    return tuple(_CALIBRATORS[protocol])
