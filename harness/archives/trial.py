"""What a record tells about one training run, as typed values instead of NATS-Bench's dictionaries and percentages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

_WHOLE_TEST_SET = "ori-test"
_TEST_HALVES = ("x-valid", "x-test")


class TrialKey(NamedTuple):
    """What tells the training runs of one architecture apart; equal to the plain tuple."""

    dataset: str
    seed: int
    hp: str

    def __str__(self) -> str:
        return f"{self.dataset}, seed {self.seed}, hp {self.hp!r}"


class Recorded(NamedTuple):
    """Accuracy in [0, 1] and cross-entropy on the whole test set, None where the archive has none."""

    accuracy: float | None
    loss: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One training run of one architecture.

    Attributes:
        dataset: Data set that it was trained on.
        seed: Training seed.
        hp: Training budget key.
        epochs: Number of training epochs.
        num_classes: Outputs of the classifier.
        channels: Channels of the first stage; None in the size space, whose string says it.
        cells: Cells per stage; None in the size space.
        parameters: Number of parameters.
        multiply_adds: Multiply-adds of one forward pass.
        accuracies: Accuracy in [0, 1] on each evaluation set after the last epoch, by its name.
        losses: Cross-entropy on each evaluation set after the last epoch.
        train_accuracy: Accuracy in [0, 1] on the training set during the last epoch.
        train_loss: Cross-entropy on the training set during the last epoch.
        has_weights: Whether the record holds the trained weights.
    """

    dataset: str
    seed: int
    hp: str
    epochs: int
    num_classes: int
    channels: int | None
    cells: int | None
    parameters: int
    multiply_adds: int
    accuracies: Mapping[str, float]
    losses: Mapping[str, float]
    train_accuracy: float
    train_loss: float
    has_weights: bool

    @property
    def recorded(self) -> Recorded:
        """What a recomputation on the whole test set must reproduce: the reference of the accuracy gate.

        Where only its two halves ``x-valid`` and ``x-test`` were recorded, which are equally large, their mean.
        """
        return Recorded(_on_test_set(self.accuracies), _on_test_set(self.losses))


def _on_test_set(values: Mapping[str, float]) -> float | None:
    if _WHOLE_TEST_SET in values:
        return values[_WHOLE_TEST_SET]
    if all(half in values for half in _TEST_HALVES):
        return sum(values[half] for half in _TEST_HALVES) / len(_TEST_HALVES)
    return None
