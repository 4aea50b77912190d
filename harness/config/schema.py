"""The schema of every node of the configuration, as plain dataclasses that Hydra merges the YAML of ``conf/`` into.

Nothing below this package sees these; :mod:`harness.config.settings` converts them once into frozen values.
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
    workers: int = MISSING
    parcel_records: int = MISSING
    attempts: int = MISSING
    device: str = MISSING
    batch_size: int = MISSING
    threads: int = MISSING


@dataclass
class ZooConf:
    """How the zoo is trained; see ``conf/zoo/``."""

    dataset: str = MISSING
    epochs: int = MISSING
    batch_size: int = MISSING
    learning_rate: float = MISSING
    weight_decay: float = MISSING
    channels: int = MISSING
    cells: int = MISSING
    augment: bool = MISSING
    seeds: list[int] = MISSING


@dataclass
class Config:
    """The whole configuration."""

    study: StudyConf = field(default_factory=StudyConf)
    limit: int | None = None
    data_root: str | None = None
    released_only: bool = True
    image_files: list[str] = field(default_factory=list)
    archives: ArchivesConf = field(default_factory=ArchivesConf)
    runner: RunnerConf = field(default_factory=RunnerConf)
    zoo: ZooConf = field(default_factory=ZooConf)
    results: str = MISSING
    store: str = MISSING
    zoo_root: str = MISSING
    report: str = MISSING
