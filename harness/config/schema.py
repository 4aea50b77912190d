"""The schema of every node of the configuration, as plain dataclasses that Hydra merges the YAML of ``conf/`` into.

Nothing below this package sees these; :mod:`harness.config.conversion` converts them once into frozen values.
"""

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class StudyConf:
    """What is wanted; see ``conf/config.yaml`` for each key."""

    spaces: list[str] = MISSING
    archs: str = MISSING
    datasets: list[str] = MISSING
    hps: list[str] = MISSING
    seeds: list[int] = MISSING
    protocols: list[str] = MISSING
    conditions: list[str] = MISSING
    splits: list[str] = MISSING
    split_seeds: list[int] = MISSING
    label_sets: list[str] = MISSING
    calibrators: list[str] = MISSING
    families: list[str] = MISSING
    precision: str = MISSING


@dataclass
class ArchivesConf:
    """Where the archives are; see ``conf/archives/``."""

    tss: str | None = MISSING
    sss: str | None = MISSING
    tss_source: str | None = None
    sss_source: str | None = None


@dataclass
class RunnerConf:
    """How a run is carried out; see ``conf/runner/``."""

    kind: str = MISSING
    address: str = MISSING
    patience_s: float = MISSING
    workers: int | None = MISSING
    gpus_per_worker: float = MISSING
    workers_on: str | None = MISSING
    measurers: int = MISSING
    measurers_on: str | None = MISSING
    parcel_records: int = MISSING
    attempts: int = MISSING
    device: str = MISSING
    batch_size: int | None = MISSING
    min_batch_size: int = MISSING
    threads: int = MISSING
    read_ahead: int = MISSING


@dataclass
class ZooConf:
    """What the zoo holds and how it is trained; see ``conf/zoo/``."""

    dataset: str = MISSING
    spaces: list[str] | None = MISSING
    archs: str = MISSING
    train_images: int | None = MISSING
    epochs: int = MISSING
    budget_key: str | None = MISSING
    batch_size: int = MISSING
    optimiser: str = MISSING
    learning_rate: float = MISSING
    schedule: str = MISSING
    weight_decay: float = MISSING
    crop: int = MISSING
    flip: bool = MISSING
    label_smoothing: float = MISSING
    mixup: float = MISSING
    precision: str = MISSING
    channels: int = MISSING
    cells: int = MISSING
    seeds: list[int] = MISSING
    every_seed: bool = MISSING


@dataclass
class Config:
    """The whole configuration."""

    study: StudyConf = field(default_factory=StudyConf)
    limit: int | None = None
    part: str | None = None
    data_root: str | None = None
    released_only: bool = True
    released_labels_only: bool = True
    image_files: list[str] = field(default_factory=list)
    keep_logits: str = MISSING
    keep_logits_conditions: list[str] = MISSING
    archives: ArchivesConf = field(default_factory=ArchivesConf)
    runner: RunnerConf = field(default_factory=RunnerConf)
    zoo: ZooConf = field(default_factory=ZooConf)
    results: str = MISSING
    store: str = MISSING
    zoo_root: str = MISSING
    archive_cache: str = MISSING
    report: str = MISSING
    logs: str = MISSING
