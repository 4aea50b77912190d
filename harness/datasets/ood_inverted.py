"""``ood_inverted``: the test digits with black and white exchanged: strokes as in training, in a world that is not."""

from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, ShiftedImages


def make(test: ImageSet, _severity: int, _folder: DataFolder) -> ShiftedImages:
    """Return the test images with each value v replaced by 255 - v."""
    return ShiftedImages(f"{test.name}/ood_inverted", 255 - test.images)


CONDITION = Condition("ood_inverted", make, datasets=("digits",))
