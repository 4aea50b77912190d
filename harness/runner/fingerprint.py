"""What determines a row's numbers, as a hash: the same inputs give the same fingerprint on every machine.

Not in it: the network (that is the key), the families (adding one must not hide a row), paths, devices, batch sizes.
"""

import hashlib
import json
from collections.abc import Mapping

from harness.datasets import AnyImages, AnyTestSet
from harness.runner.protocols import AbstractProtocol
from harness.values import Variant


def row_fingerprint(
    protocol: AbstractProtocol,
    test: AnyTestSet,
    shifted: AnyImages | None,
    variant: Variant,
    precision: str,
    chosen: Mapping[str, str] | None = None,
) -> str:
    """Return the fingerprint of a row: 32 hexadecimal digits.

    Args:
        protocol: Evaluation protocol.
        test: Test images and labels of the networks' data set, on which calibrators are fitted.
        shifted: The images of the row's condition; None for ``unshifted``.
        variant: Split, label set and calibrator of the row.
        precision: Arithmetic of the inference, such as ``float32``, and what its logits were rounded to in between:
            `harness.runner.stored.precision_of`.
        chosen: Content hashes of a split and a label set that files list, by what they are; None where none does.
    """
    inputs: dict[str, object] = {
        "protocol": protocol.name,
        "images": test.images_hash,
        "labels": test.labels_hash,
        "label_set": variant.label_set,
        "normalisation": protocol.normalisation(test, variant.calibrator),
        "split": variant.split,
        "split_seed": variant.split_seed,
        "calibrator": variant.calibrator,
        "calibrator_version": protocol.calibrator(variant.calibrator).version,
        "precision": precision,
    }
    inputs |= chosen or {}
    if shifted is not None:
        inputs |= {
            "shifted_images": shifted.images_hash,
            "shifted_labels": shifted.labels_hash,
            "shifted_normalisation": protocol.shifted_normalisation(test, variant.calibrator),
        }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]
