"""The zoo: really trained networks of a search space, written as a NATS-Bench archive. The embedded default.

``recipe`` says what is trained and how, ``sample`` which architectures, ``training`` trains one network.
"""

from harness.zoo.recipe import Recipe, archive_folder
from harness.zoo.sample import SSS_SAMPLE, TSS_SAMPLE, TWO_SEEDS
from harness.zoo.training import TrainTask, missing_records, prepare_archive

__all__ = [
    "SSS_SAMPLE",
    "TSS_SAMPLE",
    "TWO_SEEDS",
    "Recipe",
    "TrainTask",
    "archive_folder",
    "missing_records",
    "prepare_archive",
]
