"""``cifar100``: 60,000 photographs of 32x32 pixels in a hundred (fine) classes, 500 of each for training, 100 to test.

The published study normalised its images with the constants of ImageNet before calibration, with those of CIFAR-10
after it, and with those of training never.
"""

from harness.datasets import cifar
from harness.datasets.folder import DataFolder
from harness.datasets.images import ImageSet, Normalisation, PublishedNormalisation

RELEASE = cifar.Release(
    name="cifar100",
    binary_folder="cifar-100-binary",
    python_folder="cifar-100-python",
    label_classes=(20, 100),
    label_key="fine_labels",
    normalisation=Normalisation(mean=(129.3 / 255, 124.1 / 255, 112.4 / 255), std=(68.2 / 255, 65.4 / 255, 70.4 / 255)),
    published=PublishedNormalisation(
        pre=Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)), post=cifar.PUBLISHED
    ),
    source=(
        "unpack https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz or "
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz there"
    ),
    parts={
        "train": cifar.Part(
            binary={"train.bin": "6172c7755cfe09b2fe270c85cebc1b15"},
            python={"train": "16019d7e3df5f24257cddd939b257f8d"},
            kind="training",
            n_images=50_000,
        ),
        "test": cifar.Part(
            binary={"test.bin": "4499cfba6c016c1be1438163640a0898"},
            python={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
            kind="testing",
            n_images=10_000,
            labels="d818617b9f6644aba86ed89932771fa8ee3963a3a7121a89d22bb6392625b05d",
        ),
    },
)


def load(part: str, folder: DataFolder) -> ImageSet:
    """Return the 50,000 training or the 10,000 test images, with their fine labels.

    Args:
        part: ``train`` or ``test``.
        folder: The folder of the user's data.

    Raises:
        ValueError: Another part.
        DataError: Files are missing, damaged, or not the released ones.
    """
    return cifar.read(RELEASE, part, folder)
