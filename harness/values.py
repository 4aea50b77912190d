"""The nouns that the parts of the harness share, as frozen values: what is wanted, and what came of it.

A **model** is one trained network of an archive; a **unit** is one model under one protocol, condition and severity,
done, missing or failed as a whole; a **variant** tells the rows of one unit apart.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

NATS_SOURCE = r"NATS-(?:tss|sss)-v\d+_\d+-[0-9a-f]+-(?:simple|full)"
"""What the names of NATS-Bench's own archives look like, as a regular expression."""


@dataclass(frozen=True, order=True, slots=True)
class ModelKey:
    """One trained network.

    Attributes:
        source: Name of the archive that holds it (NATS-Bench's own name, or ``zoo-<recipe hash>``).
        space: Search space, ``tss`` or ``sss``.
        arch_index: Index of the architecture in its space, NATS-Bench's order.
        dataset: Data set that it was trained on.
        hp: Training budget key of the archive, such as ``"200"``.
        seed: Training seed.
    """

    source: str
    space: str
    arch_index: int
    dataset: str
    hp: str
    seed: int

    def __str__(self) -> str:
        return f"{self.source}/{self.space}/{self.arch_index}/{self.dataset}/hp {self.hp}/seed {self.seed}"


@dataclass(frozen=True, order=True, slots=True)
class UnitKey:
    """One model under one protocol, condition and severity: the grain of done, missing and failed.

    Attributes:
        model: The network.
        protocol: ``clean`` or ``paper``.
        condition: ``unshifted``, a corruption, the name of an out-of-distribution set, or an attack.
        severity: Strength of the condition, 0 where it has none.
    """

    model: ModelKey
    protocol: str
    condition: str
    severity: int

    def __str__(self) -> str:
        return f"{self.model} ({self.protocol}, {self.condition}, severity {self.severity})"


@dataclass(frozen=True, order=True, slots=True)
class Variant:
    """What tells the rows of one unit apart.

    Attributes:
        split: How the images were parted into a fit part and an evaluation part, such as ``random20``.
        split_seed: Seed of that split.
        label_set: Which labels were used, ``original`` or a corrected set.
        calibrator: Post-hoc calibrator, ``none`` before calibration.
    """

    split: str
    split_seed: int
    label_set: str
    calibrator: str


@dataclass(frozen=True, slots=True)
class Study:
    """What is wanted, as names; every combination that an archive can serve becomes a unit.

    Attributes:
        spaces: Search spaces.
        archs: Which architectures: ``all``, ``representatives``, ``0-99``, ``3,7``, ``sample:100:7``, ``file:PATH``.
        limit: At most this many architectures of each space, for a quick look; None for no limit.
        datasets: Data sets that the networks were trained on.
        hps: Training budget keys; each space takes those that its archive has.
        seeds: Training seeds; a seed that a record lacks is recorded as an absence.
        protocols: Evaluation protocols.
        conditions: What the networks are shown: (condition, severity), severity 0 where it has none.
        splits: Ways of parting the images into fit and evaluation parts.
        split_seeds: Seeds of those splits.
        label_sets: Label sets.
        calibrators: Post-hoc calibrators.
        families: Families of measurements, by name; of the user's own the absolute path of its file or its module.
        precision: Arithmetic of the inferences, one of ``harness.networks.PRECISIONS``.
    """

    spaces: tuple[str, ...]
    archs: str
    limit: int | None
    datasets: tuple[str, ...]
    hps: tuple[str, ...]
    seeds: tuple[int, ...]
    protocols: tuple[str, ...]
    conditions: tuple[tuple[str, int], ...]
    splits: tuple[str, ...]
    split_seeds: tuple[int, ...]
    label_sets: tuple[str, ...]
    calibrators: tuple[str, ...]
    families: tuple[str, ...]
    precision: str = "float32"


@dataclass(frozen=True, order=True, slots=True)
class WantedRow:
    """A row that a unit must have: which one, and the fingerprint of the inputs that determine it."""

    variant: Variant
    fingerprint: str


@dataclass(frozen=True, slots=True)
class WantedUnit:
    """A unit to be made, as the planner hands it to a worker.

    Attributes:
        key: The unit.
        rows: The rows that it must have; a worker whose data give another fingerprint refuses the unit.
        present: Fingerprints of those that the store has already, which are not made again.
        families: Families to measure, as in a study: the wanted ones and those that the store holds for the unit.
        attempt: 1 for the first attempt; one more for every failure row that the unit has.
        logits: Paths, inside the store, of the files that hold logits of the unit, which take the place of inferences.
        wanted_tags: Names and versions of the wanted families, as the store records them.
    """

    key: UnitKey
    rows: tuple[WantedRow, ...]
    present: frozenset[str]
    families: tuple[str, ...]
    attempt: int
    logits: tuple[str, ...] = ()
    wanted_tags: tuple[str, ...] = ()

    @property
    def missing_rows(self) -> tuple[WantedRow, ...]:
        """The rows that are to be made."""
        return tuple(row for row in self.rows if row.fingerprint not in self.present)

    @property
    def row_fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of the wanted rows, sorted."""
        return tuple(sorted(row.fingerprint for row in self.rows))

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the unit."""
        return unit_fingerprint(self.row_fingerprints, self.wanted_tags)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Units of some records of one archive, in index order: what one worker does at a time. It has no identity.

    Attributes:
        space: Search space of the archive.
        units: The units, grouped by architecture.
    """

    space: str
    units: tuple[WantedUnit, ...]


def unit_fingerprint(row_fingerprints: Iterable[str], family_tags: Iterable[str]) -> str:
    """Return the fingerprint of a unit: of those of its wanted rows and of the wanted families, whatever their order.

    So a failure speaks of what was asked for: a unit that failed with a family of the user's own is tried without it.
    """
    return hashlib.sha256("\n".join((*sorted(row_fingerprints), *sorted(family_tags))).encode()).hexdigest()[:32]


class FailureKind(StrEnum):
    """Why a unit has a failure row instead of measurements."""

    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Failure:
    """A unit that could not be made.

    Attributes:
        unit: The unit that was wanted.
        kind: ``absent`` if the archive does not hold the model, ``failed`` otherwise.
        stage: Where it stopped: archive, weights, data, logits, inference, calibration, measurement or worker.
        type: Name of the exception, or ``WorkerDied``.
        message: Its message.
        traceback: Its traceback, empty for an absence.
    """

    unit: WantedUnit
    kind: FailureKind
    stage: str
    type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: which check found it, where, and what is wrong."""

    check: str
    where: str
    message: str
