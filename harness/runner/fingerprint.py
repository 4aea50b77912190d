"""What determines a row's numbers, as a hash: the same inputs give the same fingerprint on every machine.

Not in it: the network (that is the key), the families (adding one must not hide a row), paths, devices, batch sizes.
"""

import hashlib
import json

from harness import calibrators
from harness.datasets import ImageSet
from harness.values import Variant


def row_fingerprint(protocol: str, images: ImageSet, variant: Variant, precision: str) -> str:
    """Return the fingerprint of a row: 32 hexadecimal digits.

    Args:
        protocol: Evaluation protocol.
        images: Images and labels of the row's condition.
        variant: Split, label set and calibrator of the row.
        precision: Arithmetic of the inference, such as ``float32``.
    """
    inputs = {
        "protocol": protocol,
        "images": images.images_hash,
        "labels": images.labels_hash,
        "label_set": variant.label_set,
        "normalisation": images.normalisation,
        "split": variant.split,
        "split_seed": variant.split_seed,
        "calibrator": variant.calibrator,
        "calibrator_version": calibrators.get(variant.calibrator).version,
        "precision": precision,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]
