"""Refuses arguments that no measurement could be right about; nothing is ever renormalised, clipped or guessed.

The checks run once, at the entry points (`measure`, `softmax`, the calibrators); the formulas behind them rely on it.
"""

import numpy as np
from jaxtyping import Shaped

ROW_SUM_TOLERANCE = 1e-5
"""How far a row of probabilities may be from summing to 1: wide enough for a float32 softmax over 120 classes."""


def require_predictions(probs: Shaped[np.ndarray, "..."], labels: Shaped[np.ndarray, "..."]) -> None:
    """Raises unless ``probs`` are probabilities and ``labels`` are the classes of the same samples.

    Args:
        probs: Expected: float64, shape (n, classes), n >= 1, classes >= 2, in [0, 1], rows summing to 1.
        labels: Expected: integer, shape (n,), in 0 .. classes - 1.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong.
    """
    require_probs(probs)
    require_labels(labels, n_samples=probs.shape[0], n_classes=probs.shape[1])


def require_probs(probs: Shaped[np.ndarray, "..."], *, name: str = "probs") -> None:
    """Raises unless ``probs`` is a float64 array (n, classes) whose rows are probability distributions.

    Args:
        probs: Expected: float64, shape (n, classes), n >= 1, classes >= 2, in [0, 1], rows summing to 1.
        name: Argument that a message speaks of.

    Raises:
        TypeError: If the dtype is not float64.
        ValueError: If the shape is wrong, or a value or the sum of a row.
    """
    _require_array(name, probs)
    if probs.dtype != np.float64:
        raise TypeError(
            f"{name}: expected dtype float64, got {probs.dtype}; compute them with harness.metrics.softmax(logits), "
            "which works in float64 (in float32 a tenth of the confidences can round to exactly 1)"
        )
    _require_table(name, probs)
    lowest, highest = probs.min(), probs.max()
    if np.isnan(lowest):
        raise ValueError(
            f"{name}: expected no NaN, got NaN in {np.isnan(probs).any(axis=1).sum()} of {len(probs)} rows"
        )
    if lowest < 0 or highest > 1:
        raise ValueError(
            f"{name}: expected values in [0, 1], got values from {lowest:.6g} to {highest:.6g}; "
            "if these are logits, pass harness.metrics.softmax(logits)"
        )
    deviation = np.abs(probs @ np.ones(probs.shape[1]) - 1)  # several times as fast as probs.sum(axis=1)
    if deviation.max() > ROW_SUM_TOLERANCE:
        row = int(deviation.argmax())
        raise ValueError(
            f"{name}: expected rows that sum to 1 within {ROW_SUM_TOLERANCE:g}, "
            f"got {probs[row].sum():.12g} in row {row}"
        )


def require_float32(probs: Shaped[np.ndarray, "..."]) -> None:
    """Raises unless ``probs`` is a float32 array.

    Raises:
        TypeError: If it is not.
    """
    _require_array("probs", probs)
    if probs.dtype != np.float32:
        raise TypeError(
            f"probs: expected dtype float32, got {probs.dtype}; compute them with "
            "harness.metrics.softmax_float32(logits)"
        )


def require_two_sets(
    probs: Shaped[np.ndarray, "..."],
    ood_probs: Shaped[np.ndarray, "..."],
    energies: Shaped[np.ndarray, "..."],
    ood_energies: Shaped[np.ndarray, "..."],
) -> None:
    """Raises unless the arguments are probabilities and energies of in-distribution and of OoD samples.

    Args:
        probs: Expected: as in `require_probs`.
        ood_probs: Expected: as in `require_probs`, with as many classes as ``probs``.
        energies: Expected: float64, finite, one per row of ``probs``.
        ood_energies: Expected: float64, finite, one per row of ``ood_probs``.

    Raises:
        TypeError: If a dtype is wrong.
        ValueError: If a shape or a value is wrong.
    """
    require_probs(probs)
    require_probs(ood_probs, name="ood_probs")
    if ood_probs.shape[1] != probs.shape[1]:
        raise ValueError(f"ood_probs: expected {probs.shape[1]} classes as in probs, got shape {ood_probs.shape}")
    _require_energies("energies", energies, n_samples=probs.shape[0])
    _require_energies("ood_energies", ood_energies, n_samples=ood_probs.shape[0])


def require_labels(labels: Shaped[np.ndarray, "..."], *, n_samples: int, n_classes: int) -> None:
    """Raises unless ``labels`` is an integer array (n_samples,) with values in 0 .. n_classes - 1.

    Raises:
        TypeError: If the dtype is not an integer.
        ValueError: If the shape or a value is wrong.
    """
    _require_array("labels", labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels: expected an integer dtype, got {labels.dtype}")
    if labels.shape != (n_samples,):
        raise ValueError(f"labels: expected shape ({n_samples},), one label per sample, got {labels.shape}")
    lowest, highest = labels.min(), labels.max()
    if lowest < 0 or highest >= n_classes:
        raise ValueError(f"labels: expected values in 0 .. {n_classes - 1}, got values from {lowest} to {highest}")


def require_logits(logits: Shaped[np.ndarray, "..."]) -> None:
    """Raises unless ``logits`` is a floating-point array (n, classes) of finite values.

    Raises:
        TypeError: If the dtype is not floating point.
        ValueError: If the shape is wrong or a value is NaN or infinite.
    """
    _require_array("logits", logits)
    if not np.issubdtype(logits.dtype, np.floating):
        raise TypeError(f"logits: expected a floating-point dtype, got {logits.dtype}")
    _require_table("logits", logits)
    n_bad = int((~np.isfinite(logits)).any(axis=1).sum())
    if n_bad:
        raise ValueError(f"logits: expected finite values, got NaN or infinity in {n_bad} of {len(logits)} rows")


def _require_energies(name: str, energies: Shaped[np.ndarray, "..."], *, n_samples: int) -> None:
    _require_array(name, energies)
    if energies.dtype != np.float64:
        raise TypeError(
            f"{name}: expected dtype float64, got {energies.dtype}; compute them with harness.metrics.energy(logits)"
        )
    if energies.shape != (n_samples,):
        raise ValueError(f"{name}: expected shape ({n_samples},), one energy per sample, got {energies.shape}")
    n_bad = int((~np.isfinite(energies)).sum())
    if n_bad:
        raise ValueError(f"{name}: expected finite values, got NaN or infinity in {n_bad} of {n_samples}")


def _require_table(name: str, values: Shaped[np.ndarray, "..."]) -> None:
    if values.ndim != 2:
        raise ValueError(f"{name}: expected shape (n, classes), got {values.shape}")
    n_samples, n_classes = values.shape
    if n_samples == 0:
        raise ValueError(f"{name}: expected at least one sample, got shape {values.shape}")
    if n_classes < 2:
        raise ValueError(f"{name}: expected at least two classes, got shape {values.shape}")


def _require_array(name: str, value: object) -> None:
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray | np.matrix):
        raise TypeError(f"{name}: expected a numpy array, got a {type(value).__name__}; numpy.asarray makes one")
    if not value.dtype.isnative:
        raise TypeError(f"{name}: expected the byte order of this machine, got dtype {value.dtype.str}")
