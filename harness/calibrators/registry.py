"""The calibrators by their names."""

from harness.calibrators.abstract import AbstractCalibrator
from harness.calibrators.none import NoCalibrator
from harness.calibrators.temperature import TemperatureCalibrator

_CALIBRATORS: dict[str, AbstractCalibrator] = {
    "none": NoCalibrator(),
    "temperature": TemperatureCalibrator(),
}


def get(name: str) -> AbstractCalibrator:
    """Return the calibrator of that name.

    Raises:
        ValueError: If there is none.

    Example:
        >>> get("temperature").version
        1
    """
    if name not in _CALIBRATORS:
        raise ValueError(f"calibrator: expected one of {', '.join(names())}, got {name!r}")
    return _CALIBRATORS[name]


def names() -> tuple[str, ...]:
    """Return the names of all calibrators.

    Example:
        >>> names()
        ('none', 'temperature')
    """
    return tuple(_CALIBRATORS)
