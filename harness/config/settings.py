"""The configuration as frozen values, converted once; names are checked here, before any work starts."""

import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness import calibrators, datasets, metrics, spaces
from harness.datasets import CONDITIONS, DATASETS, UNSHIFTED, DataFolder, Library
from harness.errors import ConfigError
from harness.runner.options import RunnerOptions
from harness.runner.protocols import PROTOCOLS, PaperProtocol
from harness.values import Study
from harness.zoo import Recipe, archive_folder

LABEL_SETS = ("original",)
RUNNERS = ("local", "ray")
_ZOO = "zoo"


@dataclass(frozen=True, slots=True)
class ArchiveSetting:
    """Where the archive of a space is.

    Attributes:
        space: Search space.
        place: Its folder, or ``zoo`` for the one that ``harness zoo train`` makes; None where none was given.
        source: Its name in the store; None to take it from the folder's name.
    """

    space: str
    place: str | None
    source: str | None

    @property
    def is_zoo(self) -> bool:
        """Whether it is the archive that ``harness zoo train`` makes."""
        return self.place == _ZOO


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the commands need to know.

    Attributes:
        study: What is wanted.
        library: The data sets and conditions that the user has.
        archives: Where the networks of the wanted spaces are.
        runner: How to run.
        recipe: How the zoo is trained.
        zoo_root: Folder of the zoo's archives.
        store: Root of the store.
        report: Folder of the report.
        as_json: The resolved configuration, for the ``runs`` table.
        overrides: What was written on the command line.
    """

    study: Study
    library: Library
    archives: tuple[ArchiveSetting, ...]
    runner: RunnerOptions
    recipe: Recipe
    zoo_root: Path
    store: Path
    report: Path
    as_json: str
    overrides: tuple[str, ...]

    def command(self, name: str) -> str:
        """Return another command with the same overrides, as one would type it."""
        return f"`{' '.join(['harness', name, *map(_as_typed, self.overrides)])}`"

    def test_sets(self) -> list[str]:
        """Return the identities of the study's test sets, on which the accuracy gate stands.

        Raises:
            DataError: One cannot be read.
        """
        return [self.library.load(dataset, "test").identity for dataset in self.study.datasets]

    def archive_path(self, setting: ArchiveSetting) -> Path:
        """Return the folder of an archive; that of the zoo is named by what its networks are trained on.

        Raises:
            ConfigError: None was given.
            DataError: It is the zoo, and its training images cannot be read.
        """
        if setting.place is None:
            raise ConfigError(
                f"archives.{setting.space} is null but study.spaces asks for {setting.space}: give its folder, such as "
                f"archives.{setting.space}=/data/NATS-{setting.space}-...-full, or drop the space"
            )
        if setting.is_zoo:
            return archive_folder(self.zoo_root, self.recipe, setting.space, self.library)
        return Path(setting.place).absolute()


def _as_typed(override: str) -> str:
    """Quote an override for a shell, in double quotes where it has single ones inside."""
    if "'" in override and not set(override) & set('"$`\\!'):
        return f'"{override}"'
    return shlex.quote(override)


def convert(config: Mapping[str, Any], overrides: Sequence[str]) -> Settings:
    """Return the settings of a composed and resolved configuration.

    Args:
        config: The configuration as plain dictionaries and lists.
        overrides: The overrides that made it.

    Raises:
        ConfigError: A value is not among the known ones, empty, or out of range.
    """
    library = _library(config)
    study = _study(config["study"], config["limit"], library)
    return Settings(
        study=study,
        library=library,
        archives=_archives(config["archives"], study),
        runner=_runner(config["runner"]),
        recipe=_recipe(config["zoo"]),
        zoo_root=_folder("zoo_root", config),
        store=_folder("store", config),
        report=_folder("report", config),
        as_json=json.dumps(config, sort_keys=True),
        overrides=tuple(overrides),
    )


def _folder(key: str, config: Mapping[str, Any]) -> Path:
    if not config["results"] or not config[key]:
        raise ConfigError(f"{key if config['results'] else 'results'}: expected a folder, got an empty name")
    return Path(config[key]).absolute()


def _library(config: Mapping[str, Any]) -> Library:
    root = config["data_root"]
    if root == "":
        raise ConfigError("data_root: expected a folder, got an empty name")
    folder = DataFolder(None if root is None else Path(root).absolute(), config["released_only"])
    return Library(folder, _image_files(config["image_files"]))


def _image_files(written: Sequence[Any]) -> dict[str, Path]:
    known, files = (UNSHIFTED, *CONDITIONS), {}
    _texts("image_files", written)
    for text in written:
        name, colon, path = text.partition(":")
        if not colon or not path or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name):
            raise ConfigError(f"image_files: expected NAME:FILE, the name in letters, digits, _ . and -, got {text!r}")
        if name in known or name in files:
            taken = f"known conditions are {', '.join(known)}" if name in known else "it is listed twice"
            raise ConfigError(f"image_files: {name!r} is taken: {taken}")
        files[name] = Path(path).absolute()
    return files


def _study(node: Mapping[str, Any], limit: int | None, library: Library) -> Study:
    if limit is not None:
        _positive({"limit": limit})
    lists: dict[str, Any] = {key: tuple(value) for key, value in node.items() if key != "archs"}
    known: dict[str, Iterable[str]] = {
        "spaces": spaces.names(),
        "datasets": DATASETS,
        "protocols": PROTOCOLS,
        "splits": datasets.split_names(),
        "label_sets": LABEL_SETS,
        "calibrators": calibrators.names(),
        "families": metrics.FAMILIES,
    }
    for key, values in lists.items():
        _texts(f"study.{key}", values)
        _several(f"study.{key}", values)
    _seeds("study.seeds", lists["seeds"])
    _seeds("study.split_seeds", lists["split_seeds"])
    for key, names in known.items():
        _among(f"study.{key}", lists[key], names)
    lists["conditions"] = _conditions(lists["conditions"], lists["datasets"], library)
    study = Study(archs=node["archs"], limit=limit, **lists)
    _check_paper(study)
    return study


def _conditions(
    written: Sequence[str], wanted_datasets: Sequence[str], library: Library
) -> tuple[tuple[str, int], ...]:
    """Return (condition, severity) of each condition as it is written: ``fog`` for all its severities, or ``fog:3``."""
    found: list[tuple[str, int]] = []
    for text in written:
        name, colon, severity = text.partition(":")
        _among("study.conditions", [name], library.conditions)
        known = (0,) if name == UNSHIFTED else _severities(name, wanted_datasets, library)
        if colon and (known == (0,) or severity not in map(str, known)):
            has = "has no severities" if known == (0,) else f"has the severities {', '.join(map(str, known))}"
            raise ConfigError(f"study.conditions: {text!r}: {name} {has}")
        found += [(name, int(severity))] if colon else [(name, known_severity) for known_severity in known]
    _several("study.conditions", tuple(found))
    return tuple(found)


def _severities(name: str, wanted_datasets: Sequence[str], library: Library) -> tuple[int, ...]:
    if name in library.image_files:
        return (0,)  # the file itself is read by the commands that need it
    condition = library.condition(name)
    if not any(map(condition.serves, wanted_datasets)):
        raise ConfigError(
            f"study.conditions: {name} is for networks of {', '.join(condition.datasets or ())}, none of which "
            f"study.datasets lists ({', '.join(wanted_datasets)})"
        )
    return condition.severities


def _check_paper(study: Study) -> None:
    split, split_seed = PaperProtocol.SPLIT
    if "paper" in study.protocols and not (
        split in study.splits and split_seed in study.split_seeds and PaperProtocol.LABEL_SET in study.label_sets
    ):
        raise ConfigError(
            f"study.protocols: paper is defined for the split {split} with seed {split_seed} and the "
            f"{PaperProtocol.LABEL_SET} labels alone: add them to study.splits, split_seeds and label_sets"
        )
    if study.protocols == ("paper",) and not set(study.calibrators) & set(calibrators.names(protocol="paper")):
        raise ConfigError(
            f"study.calibrators: paper has {', '.join(calibrators.names(protocol='paper'))}, none of which is listed"
        )


def _texts(key: str, values: Iterable[Any]) -> None:
    for value in values:
        if not isinstance(value, str | int):
            raise ConfigError(f"{key}: expected a list of names or numbers, got {value!r} in it")


def _several(key: str, values: tuple[Any, ...]) -> None:
    if not values:
        raise ConfigError(f"{key}: expected at least one value, got none")
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ConfigError(f"{key}: {', '.join(twice)} is listed twice")


def _among(key: str, values: Iterable[str], known: Iterable[str]) -> None:
    names = list(known)
    for value in values:
        if value not in names:
            raise ConfigError(f"{key}: unknown value {value!r}; expected among {', '.join(names)}")


def _positive(values: Mapping[str, int | float]) -> None:
    for key, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{key}: expected a positive number, got {value}")


def _seeds(key: str, values: Iterable[int]) -> None:
    for value in values:
        if not 0 <= value < 2**31:
            raise ConfigError(f"{key}: expected seeds in 0..{2**31 - 1}, got {value}")


def _archives(node: Mapping[str, Any], study: Study) -> tuple[ArchiveSetting, ...]:
    return tuple(ArchiveSetting(space, node[space], node[f"{space}_source"]) for space in study.spaces)


def _runner(node: Mapping[str, Any]) -> RunnerOptions:
    _among("runner.kind", [node["kind"]], RUNNERS)
    _positive(
        {f"runner.{key}": node[key] for key in ("workers", "parcel_records", "attempts", "batch_size", "threads")}
    )
    try:
        torch.device(node["device"])
    except RuntimeError as error:
        raise ConfigError(
            f"runner.device: expected a torch device such as cpu or cuda, got {node['device']!r}"
        ) from error
    return RunnerOptions(**node)


def _recipe(node: Mapping[str, Any]) -> Recipe:
    _among("zoo.dataset", [node["dataset"]], DATASETS)
    _several("zoo.seeds", tuple(node["seeds"]))
    _seeds("zoo.seeds", node["seeds"])
    if not 0 <= node["weight_decay"] < 1:
        raise ConfigError(f"zoo.weight_decay: expected a number in [0, 1), got {node['weight_decay']}")
    _positive({f"zoo.{key}": node[key] for key in ("epochs", "batch_size", "learning_rate", "channels", "cells")})
    return Recipe(**{**node, "seeds": tuple(node["seeds"])})
