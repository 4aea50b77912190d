"""The arithmetic of training: full float32, or less of it where a GPU is faster with less.

Weights are float32 in every precision, and trained networks are evaluated in full float32.
"""

from contextlib import AbstractContextManager, nullcontext

import torch

PRECISIONS = ("float32", "tf32", "bfloat16", "float16")

_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}

# A loss of about 2 stays far below float16's largest number, 65504, so that the first steps are not skipped.
_FIRST_SCALE = 2.0**10


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: operations that bear it run in 16 bits, where the precision asks for it."""
    if precision not in _AUTOCAST:
        return nullcontext()
    return torch.autocast(device.type, dtype=_AUTOCAST[precision])


def gradient_scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """Return what keeps small gradients above float16's smallest number; it does nothing in another precision."""
    return torch.amp.GradScaler(device.type, init_scale=_FIRST_SCALE, enabled=precision == "float16")
