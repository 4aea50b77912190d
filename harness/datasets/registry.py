"""The tables of data sets and of conditions: a name becomes the function that reads or makes it."""

from collections.abc import Callable, Mapping

from harness.datasets import (
    cifar10,
    cifar10_valid,
    cifar100,
    cifar_corrupted,
    digits,
    imagenet16,
    made,
    ood_constant,
    ood_gaussian,
    ood_inverted,
    ood_uniform,
    svhn,
)
from harness.datasets.condition import Condition
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet

DATASETS: Mapping[str, Callable[[str, DataFolder], ImageSet]] = {
    "digits": digits.load,
    "cifar10": cifar10.load,
    cifar10_valid.NAME: cifar10_valid.load,
    "cifar100": cifar100.load,
    imagenet16.NAME: imagenet16.load,
}
"""Each data set by its name; a member reads a part (``train`` or ``test``) of it."""

CONDITIONS: Mapping[str, Condition] = {
    condition.name: condition
    for condition in (
        ood_uniform.CONDITION,
        ood_gaussian.CONDITION,
        ood_constant.CONDITION,
        ood_inverted.CONDITION,
        svhn.CONDITION,
        *cifar_corrupted.CONDITIONS,
        *made.CONDITIONS,
    )
}
"""Each condition other than ``unshifted`` by its name."""
