"""Between networks at work and the store's logits: what is kept of a model, and a model made from what was kept.

What rows depend on besides logits are image sets without pixels: their hashes, labels and constants, which the store
keeps too, so that measuring again needs neither archives nor data.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from harness.datasets import (
    UNSHIFTED,
    AbstractLibrary,
    AnyImages,
    AnyTestSet,
    BareImages,
    BareTestSet,
    Choices,
    DataFolder,
    Library,
    Normalisation,
    PublishedNormalisation,
    content_hash,
)
from harness.errors import ConfigError, DataError, StoreError
from harness.runner.inference import How, Shown
from harness.runner.model import Gate, Model
from harness.store.files import StoreRoot
from harness.store.labels import read_labels, write_labels
from harness.store.logits import LOSSLESS, StoredLogits, fits
from harness.store.logits_writer import LogitsWriter
from harness.store.writer import model_columns
from harness.values import ModelKey, WantedUnit


@dataclass(frozen=True, slots=True)
class Keep:
    """Which logits a run keeps.

    Attributes:
        stored_as: Type to store them in: ``float32``, from which rows are the same to the last bit, or ``float16``.
        conditions: Names of the conditions of which they are kept.
    """

    stored_as: str
    conditions: tuple[str, ...]


def precision_of(precision: str, stored_as: str) -> str:
    """Return the precision of rows: that of the inference, and of the type in which its logits were stored.

    Example:
        >>> precision_of("tf32", "float32"), precision_of("float32", "float16")
        ('tf32', 'float32 stored as float16')
    """
    return precision if stored_as == LOSSLESS else f"{precision} stored as {stored_as}"


@dataclass
class Keeper:
    """Keeps the logits of models; of each image set also the labels, once.

    Attributes:
        keep: What to keep.
        library: The data sets and conditions.
        writer: Takes them in.
    """

    keep: Keep
    library: AbstractLibrary
    writer: LogitsWriter
    _labelled: set[tuple[Any, ...]] = field(default_factory=set, init=False)

    def __call__(self, model: Model, units: Sequence[WantedUnit]) -> None:
        """Keep what a model said of the images of its units; what came from the store is there already.

        Raises:
            StoreError: There is no room.
        """
        test = self.library.load(model.key.dataset, "test")
        # Calibrators are fitted on the test images, whatever is shown.
        self._label(test, {"dataset": model.key.dataset, "condition": UNSHIFTED, "severity": 0}, test)
        shown = {(UNSHIFTED, 0), *((unit.key.condition, unit.key.severity) for unit in units)}
        for condition, severity in sorted(shown):
            if condition in self.keep.conditions:
                self._keep(model, test, condition, severity)

    def _keep(self, model: Model, test: AnyTestSet, condition: str, severity: int) -> None:
        images: AnyImages = test
        if condition != UNSHIFTED:
            images = self.library.shifted(model.key.dataset, condition, severity)
        columns = {"dataset": model.key.dataset, "condition": condition, "severity": severity}
        self._label(images, columns, test)
        for inference, logits in sorted(model.inferred(images.images_hash).items()):
            if not fits(logits.numpy(), self.keep.stored_as):
                continue  # beyond the range of float16; `measure` counts it among what is not stored
            row = {**columns, **_inference_row(model, inference, test), "run_id": self.writer.run_id}
            self.writer.add(row, logits.numpy(), self.keep.stored_as)

    def _label(self, images: AnyImages, columns: Mapping[str, Any], test: AnyTestSet) -> None:
        """Commit the labels of an image set, once."""
        image_set = tuple(columns.values())
        if image_set not in self._labelled:
            write_labels(self.writer.root, [{**columns, **labels_row(images, test)}], self.writer.run_id)
            self._labelled.add(image_set)


def _inference_row(model: Model, shown: Shown, test: AnyTestSet) -> dict[str, Any]:
    return {
        **model_columns(model.key),
        "images_hash": shown.images_hash,
        "normalisation": as_text(shown.normalisation),
        "precision": model.precision,
        **gate_columns(model.gate),
        "test_set": test.identity,
        "weights_hash": model.weights_hash,
        "first_seed": model.first_seed,
        "device": model.device,
        **model.how._asdict(),
    }


def gate_columns(gate: Gate) -> dict[str, Any]:
    """Return the columns of the store that hold an accuracy gate."""
    return {
        "recorded_accuracy": gate.recorded_accuracy,
        "recomputed_accuracy": gate.recomputed_accuracy,
        "recorded_loss": gate.recorded_loss,
        "recomputed_loss": gate.recomputed_loss,
        "gate": gate.verdict,
    }


def stored_model(key: ModelKey, stored: Sequence[StoredLogits]) -> Model | None:
    """Return the model that stored inferences make, which can say no more than these; None where there are none.

    Of equal inferences, which two drivers may have stored, the first counts.

    Raises:
        StoreError: They come from different weights.
    """
    if not stored:
        return None
    of = stored[0].columns
    if any(other.columns["weights_hash"] != of["weights_hash"] for other in stored):
        raise StoreError(
            f"{key}: its stored logits come from different weights: the record changed between two runs; "
            "give the archive another source, or delete one of the files that `harness verify` names"
        )
    verdict = (of["recorded_accuracy"], of["recomputed_accuracy"], of["recorded_loss"], of["recomputed_loss"])
    how = How(of["network_form"], min(other.columns["batch_size"] for other in stored))
    gate = Gate(*verdict, of["gate"])
    model = Model(key, of["weights_hash"], gate, of["first_seed"], of["device"], of["precision"], how)
    for inference in stored:
        columns = inference.columns
        shown = Shown(columns["images_hash"], _constants(columns["normalisation"]))
        model.remember(shown, torch.from_numpy(inference.logits.astype(np.float32)))
    return model


def as_text(constants: object) -> str:
    """Return constants as they stand in the store; decimal numbers that give back every bit."""
    return json.dumps(constants)


def _constants(text: str) -> Normalisation:
    mean, std = json.loads(text)
    return Normalisation(tuple(mean), tuple(std))


def labels_row(images: AnyImages, test: AnyTestSet) -> dict[str, Any]:
    """Return what the store keeps of the images of a condition, but for which condition it is."""
    row = {
        "test_set": test.identity,
        "images_hash": images.images_hash,
        "labels_hash": images.labels_hash,
        "name": images.name,
        "labels": None if images.labels is None else images.labels.tolist(),
    }
    if not isinstance(images, AnyTestSet):
        return row
    published = None if images.published is None else as_text(images.published)
    constants = {"normalisation": as_text(images.normalisation), "published": published}
    return {**row, "n_classes": images.n_classes, **constants}


@dataclass(frozen=True)
class StoredLibrary:
    """The image sets of which a store has logits; an :class:`harness.datasets.AbstractLibrary`.

    Attributes:
        root: The store.
        chosen: Of data sets of which the store has several sets of test images, the identity of the one that is meant.
        folder: Where the files of splits and label sets lie.
    """

    root: StoreRoot
    chosen: Mapping[str, str] = field(default_factory=dict)
    folder: DataFolder = field(default_factory=DataFolder)
    _checked: dict[str, Int64[Tensor, " n_labels"]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type["StoredLibrary"], tuple[StoreRoot, dict[str, str], DataFolder]]:
        return StoredLibrary, (self.root, dict(self.chosen), self.folder)

    @property
    def choices(self) -> Choices:
        """The splits and label sets of the test images."""
        return self._choices

    @functools.cached_property
    def _choices(self) -> Choices:
        return Choices(self.folder)

    @functools.cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return read_labels(self.root)

    def test_sets(self, dataset: str) -> list[str]:
        """Return the identities of the sets of test images of a data set, sorted."""
        return sorted({row["test_set"] for row in self._rows if row["dataset"] == dataset})

    def load(self, name: str, part: str) -> BareTestSet:
        """Return the test images of a data set, without pixels.

        Raises:
            ValueError: The part is another than ``test``.
            DataError: The store has none, or several of which none was chosen.
            StoreError: They are damaged.
        """
        if part != "test":
            raise ValueError(f"part: a store keeps the labels of test images alone, got {part!r}")
        row = self._row(name, UNSHIFTED, 0)
        pre_post = None if row["published"] is None else json.loads(row["published"])
        return BareTestSet(
            name=row["name"],
            labels=self._labels(row),
            n_classes=row["n_classes"],
            normalisation=_constants(row["normalisation"]),
            published=None if pre_post is None else PublishedNormalisation(*map(_constants, map(as_text, pre_post))),
            images_hash=row["images_hash"],
            labels_hash=row["labels_hash"],
            identity=row["test_set"],
        )

    def shifted(self, dataset: str, condition: str, severity: int) -> BareImages:
        """Return what networks of a data set were shown under a condition, without pixels.

        Raises:
            DataError: The store has no such images, or several.
            StoreError: They are damaged.
        """
        row = self._row(dataset, condition, severity)
        labels = None if row["labels"] is None else self._labels(row)
        return BareImages(row["name"], labels, row["images_hash"], row["labels_hash"])

    def serves(self, condition: str, dataset: str) -> bool:
        """Return whether networks of a data set were shown a condition, of any severity."""
        return any((row["dataset"], row["condition"]) == (dataset, condition) for row in self._rows)

    def has(self, dataset: str, condition: str, severity: int) -> bool:
        """Return whether networks of a data set were shown a condition of that severity."""
        wanted = (dataset, condition, severity)
        return any((row["dataset"], row["condition"], row["severity"]) == wanted for row in self._rows)

    def _row(self, dataset: str, condition: str, severity: int) -> dict[str, Any]:
        wanted = (dataset, condition, severity)
        found = [row for row in self._rows if (row["dataset"], row["condition"], row["severity"]) == wanted]
        found = [row for row in found if row["test_set"] == self.chosen.get(dataset, row["test_set"])]
        if len(found) != 1:
            raise DataError(
                f"{self.root.path}: expected logits of one set of images of {dataset} under {condition}, severity "
                f"{severity}, found {len(found)}"
            )
        return found[0]

    def _labels(self, row: Mapping[str, Any]) -> Int64[Tensor, " n_labels"]:
        """Return the labels of a row, held against their hash once: a worker asks for them with every unit."""
        expected = row["labels_hash"]
        if expected not in self._checked:
            labels = torch.tensor(row["labels"], dtype=torch.int64)
            if content_hash(labels) != expected:
                raise StoreError(
                    f"the stored labels of {row['name']} are not those that were written; `harness verify` says"
                )
            self._checked[expected] = labels
        return self._checked[expected]


def choose_library(root: StoreRoot, datasets: Sequence[str], at_hand: Library) -> StoredLibrary:
    """Return the image sets of a store; of a data set with several, those of the data at hand.

    Raises:
        ConfigError: The data at hand are none of them, or cannot be read.
    """
    stored = StoredLibrary(root)
    chosen = {}
    for dataset in datasets:
        several = stored.test_sets(dataset)
        if len(several) > 1:
            chosen[dataset] = _at_hand(dataset, several, at_hand)
    return StoredLibrary(root, chosen, at_hand.folder)


def _at_hand(dataset: str, several: Sequence[str], at_hand: AbstractLibrary) -> str:
    try:
        identity = at_hand.load(dataset, "test").identity
    except DataError as error:
        identity = str(error)
    if identity in several:
        return identity
    raise ConfigError(
        f"the store has logits of {len(several)} sets of test images of {dataset} ({', '.join(several)}); the data at "
        f"hand tell which is meant, but: {identity}; give the folder with data_root=..."
    )
