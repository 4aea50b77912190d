"""A store and archives of any size for the benchmark of scale: stored logits of networks that were never trained.

What is real: the folders and names of the archives, their meta files, one record of each; the shares of the two spaces
and their architectures; the data sets and conditions of ``experiment=paper`` by name, with their numbers of classes;
the files of logits as a run of full parcels writes them, by the code with which it writes them.

What is made up: all records but the first are links to it, for only their names and sizes are read; there are 200
images of each set, of which no pixel exists; logits are random, of a network that is right more often than not.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from timing import print_progress

from harness import spaces
from harness.archives import NewTrial, record_dict, write_meta, write_record
from harness.archives.naming import record_file
from harness.datasets import BareImages, BareTestSet, Normalisation, content_hash
from harness.networks import FLOAT32
from harness.runner.inference import FAST, How, Shown
from harness.runner.model import Gate, Model
from harness.runner.stored import Keep, Keeper, StoredLibrary, labels_row
from harness.store import StoreRoot
from harness.store.labels import write_labels
from harness.store.logits import LOSSLESS
from harness.store.logits_writer import LogitsWriter
from harness.values import ModelKey

N_IMAGES = 200
N_CLASSES = {"cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}
SHIFTED = (("svhn", 0), ("gaussian_noise", 5))
"""Conditions of the study beside the unshifted one, of networks of the two data sets of 32 x 32 pixels."""

SEED = 777
WHOLE = 117_702
"""Networks of the study: 6,466 topologies and 32,768 sizes, each on three data sets."""

PARCEL = 64  # records, as `runner.parcel_records`
RUN = "synthetic"


@dataclass(frozen=True, slots=True)
class SyntheticArchive:
    """An archive of networks that were never trained."""

    space: str
    source: str
    hp: str
    indices: tuple[int, ...]

    def write(self, root: Path) -> Path:
        """Write the meta file and one record, and link the others to it; return the folder."""
        folder = write_meta(root / self.source, self.space).parent
        trials = [_trial(dataset, n_classes) for dataset, n_classes in N_CLASSES.items()]
        first = write_record(folder, self.indices[0], record_dict(self.space, self.indices[0], {self.hp: trials}))
        for arch_index in self.indices[1:]:
            os.link(first, folder / record_file(arch_index))
        return folder


def archives(n_networks: int) -> list[SyntheticArchive]:
    """The archives of a number of networks, rounded to three an architecture; the spaces keep their shares."""
    topologies = [int(i) for i in spaces.get("tss").representatives()]
    n_archs = round(n_networks / len(N_CLASSES))
    n_topologies = max(1, round(n_archs * len(N_CLASSES) * len(topologies) / WHOLE))
    return [
        SyntheticArchive("tss", "NATS-tss-v1_0-3ffb9-full", "200", tuple(topologies[:n_topologies])),
        SyntheticArchive("sss", "NATS-sss-v1_0-50262-full", "90", tuple(range(n_archs - n_topologies))),
    ]


def _trial(dataset: str, n_classes: int) -> NewTrial:
    return NewTrial(
        dataset=dataset,
        seed=SEED,
        num_classes=n_classes,
        parameters=1,
        multiply_adds=1,
        train_accuracies=(0.5,),
        train_losses=(1.0,),
        accuracies={"ori-test": 0.5},
        losses={"ori-test": 1.0},
        train_time_s=1.0,
        eval_time_s=1.0,
        latency_s=1.0,
        weights={"weight": torch.zeros(1)},
    )


def write_store(path: Path, made: Sequence[SyntheticArchive]) -> int:
    """Write a store that holds the labels of the study and the logits of the networks; return the bytes of logits."""
    root = StoreRoot.create(path)
    for dataset in N_CLASSES:
        write_labels(root, list(_image_sets(dataset)), RUN)
    library = StoredLibrary(root)
    rng = np.random.default_rng(0)
    n_written, n_all = 0, sum(len(archive.indices) for archive in made)
    for archive in made:
        for first in range(0, len(archive.indices), PARCEL):
            indices = archive.indices[first : first + PARCEL]
            _write_parcel(root, library, archive, indices, rng)
            n_written += len(indices)
            if n_written * 10 // n_all > (n_written - len(indices)) * 10 // n_all:
                print_progress(f"logits of {n_written * len(N_CLASSES):,} networks")
    return root.table_bytes("logits")


def _write_parcel(
    root: StoreRoot,
    library: StoredLibrary,
    archive: SyntheticArchive,
    indices: Sequence[int],
    rng: np.random.Generator,
) -> None:
    with LogitsWriter(root, RUN) as writer:
        keeper = Keeper(Keep(LOSSLESS, ("unshifted",)), library, writer)
        for arch_index in indices:
            for dataset in N_CLASSES:
                key = ModelKey(archive.source, archive.space, arch_index, dataset, archive.hp, SEED)
                keeper(_model(key, library.load(dataset, "test"), rng), [])
        writer.commit()


def _model(key: ModelKey, test: BareTestSet, rng: np.random.Generator) -> Model:
    """A network that said something random of the test images."""
    logits = 2 * rng.standard_normal((N_IMAGES, test.n_classes), dtype=np.float32)
    logits[np.arange(N_IMAGES), test.labels.numpy()] += 3
    shown = Shown(test.images_hash, test.normalisation)
    said = {shown: torch.from_numpy(logits)}
    gate, how = Gate(0.5, 0.5, 1.0, 1.0, "pass"), How(FAST, N_IMAGES)
    return Model(key, f"weights of {key}", gate, SEED, "cpu", FLOAT32, how, _inferred=said)


def _image_sets(dataset: str) -> Iterator[dict[str, object]]:
    """The rows of the table of image sets of a data set and of what else its networks are shown."""
    n_classes = N_CLASSES[dataset]
    labels = torch.from_numpy(np.random.default_rng(n_classes).integers(0, n_classes, N_IMAGES))
    images, hashed = f"images of {dataset}", content_hash(labels)
    plain = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    test = BareTestSet(dataset, labels, n_classes, plain, None, images, hashed, f"identity of {dataset}")
    yield {"dataset": dataset, "condition": "unshifted", "severity": 0, **labels_row(test, test)}
    if dataset.startswith("cifar"):
        for condition, severity in SHIFTED:
            of_test = None if condition == "svhn" else labels
            shifted = BareImages(condition, of_test, f"{condition} {images}", None if of_test is None else hashed)
            yield {"dataset": dataset, "condition": condition, "severity": severity, **labels_row(shifted, test)}
