"""The calibrators by protocol and name."""

from harness.calibrators.abstract import AbstractCalibrator
from harness.calibrators.ensemble_temperature import EnsembleTemperatureCalibrator
from harness.calibrators.histogram import HistogramCalibrator
from harness.calibrators.isotonic import IsotonicCalibrator
from harness.calibrators.none import NoCalibrator
from harness.calibrators.published import PublishedNoCalibrator, PublishedTemperatureCalibrator
from harness.calibrators.temperature import TemperatureCalibrator
from harness.calibrators.vector import VectorCalibrator

_CALIBRATORS: dict[str, dict[str, AbstractCalibrator]] = {
    "clean": {
        "none": NoCalibrator(),
        "temperature": TemperatureCalibrator(),
        "vector": VectorCalibrator(),
        "ensemble_temperature": EnsembleTemperatureCalibrator(),
        "isotonic": IsotonicCalibrator(),
        "histogram": HistogramCalibrator(),
    },
    "paper": {
        "none": PublishedNoCalibrator(),
        "temperature": PublishedTemperatureCalibrator(),
    },
}


def get(name: str, protocol: str = "clean") -> AbstractCalibrator:
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
        ('none', 'temperature', 'vector', 'ensemble_temperature', 'isotonic', 'histogram')
    """
    if protocol not in _CALIBRATORS:
        raise ValueError(f"protocol: expected one of {', '.join(_CALIBRATORS)}, got {protocol!r}")
    return tuple(_CALIBRATORS[protocol])
