"""The zoo: really trained networks of a search space, written as a NATS-Bench archive.

``recipe`` says what is trained and how, ``sample`` which architectures unless one asks for others, ``training`` trains
one network, with ``augmentation``, ``optimisation`` and ``precision``; ``work`` makes the records, ``unfinished`` keeps
what cannot be one yet, ``diverged`` notes what never can.
"""

from harness.zoo.diverged import DivergedNote, read_notes
from harness.zoo.optimisation import OPTIMISERS, SCHEDULES
from harness.zoo.precision import PRECISIONS
from harness.zoo.recipe import Recipe, archive_folder, write_recipe
from harness.zoo.sample import SSS_SAMPLE, TSS_SAMPLE, TWO_SEEDS, sample_indices
from harness.zoo.work import Trained, TrainTask, missing_records, missing_seeds, prepare_archive

__all__ = [
    "OPTIMISERS",
    "PRECISIONS",
    "SCHEDULES",
    "SSS_SAMPLE",
    "TSS_SAMPLE",
    "TWO_SEEDS",
    "DivergedNote",
    "Recipe",
    "TrainTask",
    "Trained",
    "archive_folder",
    "missing_records",
    "missing_seeds",
    "prepare_archive",
    "read_notes",
    "sample_indices",
    "write_recipe",
]
