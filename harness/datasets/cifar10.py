"""``cifar10``: 60,000 photographs of 32x32 pixels in ten classes, 50,000 for training and 10,000 for testing.

The published study normalised its images with other constants than those of training, before and after calibration.
"""

from harness.datasets import cifar
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, Normalisation, PublishedNormalisation

RELEASE = cifar.Release(
    name="cifar10",
    binary_folder="cifar-10-batches-bin",
    python_folder="cifar-10-batches-py",
    label_classes=(10,),
    label_key="labels",
    normalisation=Normalisation(mean=(125.3 / 255, 123.0 / 255, 113.9 / 255), std=(63.0 / 255, 62.1 / 255, 66.7 / 255)),
    published=PublishedNormalisation(pre=cifar.PUBLISHED, post=cifar.PUBLISHED),
    source=(
        "unpack https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz or "
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz there"
    ),
    parts={
        "train": cifar.Part(
            binary={
                "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
                "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
                "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
                "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
                "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
            },
            python={
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            },
            kind="training",
            n_images=10_000,
            labels="69558df22422146ea086b07d9bc849edbbaa20e99cfa2f675a12596d6cff5bb7",
            n_first=4_000,
            first_images="60dc4233a61e4356246531cb57b22c60276cc06bb6abe7312781db5326e8d83c",
        ),
        "test": cifar.Part(
            binary={"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
            python={"test_batch": "40351d587109b95175f43aff81a1287e"},
            kind="testing",
            n_images=10_000,
            labels="b6ddd3403a2a01c2b627992d8d76f2d82e2392684892c87df362f637882931bb",
            n_first=1_000,
            first_images="7afc6026a65d36292be8462db3b8c7e5befd1c69852ba02670462458d1d59110",
        ),
    },
)


def load(part: str, folder: DataFolder) -> ImageSet:
    """Return the 50,000 training or the 10,000 test images.

    Args:
        part: ``train`` or ``test``.
        folder: The folder of the user's data.

    Raises:
        ValueError: Another part.
        DataError: Files are missing, damaged, in another order, or not the released ones.
    """
    return cifar.read(RELEASE, part, folder)
