"""The configuration as frozen values, converted once; names are checked here, before any work starts."""

import json
import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness import calibrators, datasets, metrics, spaces
from harness.errors import ConfigError
from harness.runner.options import RunnerOptions
from harness.values import Study
from harness.zoo import Recipe, archive_folder

PROTOCOLS = ("clean",)
CONDITIONS = ("unshifted",)
LABEL_SETS = ("original",)
RUNNERS = ("local", "ray")
_ZOO = "zoo"


@dataclass(frozen=True, slots=True)
class ArchiveSetting:
    """Where the archive of a space is.

    Attributes:
        space: Search space.
        path: Its folder.
        source: Its name in the store; None to take it from the folder's name.
        is_zoo: Whether it is the zoo that ``harness zoo train`` makes.
    """

    space: str
    path: Path
    source: str | None
    is_zoo: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the commands need to know.

    Attributes:
        study: What is wanted.
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
        return f"`{shlex.join(['harness', *name.split(), *self.overrides])}`"


def convert(config: Mapping[str, Any], overrides: Sequence[str]) -> Settings:
    """Return the settings of a composed and resolved configuration.

    Args:
        config: The configuration as plain dictionaries and lists.
        overrides: The overrides that made it.

    Raises:
        ConfigError: A value is not among the known ones, empty, or out of range.
    """
    study = _study(config["study"], config["limit"])
    recipe = _recipe(config["zoo"])
    zoo_root = _folder("zoo_root", config)
    return Settings(
        study=study,
        archives=_archives(config["archives"], study, recipe, zoo_root),
        runner=_runner(config["runner"]),
        recipe=recipe,
        zoo_root=zoo_root,
        store=_folder("store", config),
        report=_folder("report", config),
        as_json=json.dumps(config, sort_keys=True),
        overrides=tuple(overrides),
    )


def _folder(key: str, config: Mapping[str, Any]) -> Path:
    if not config["results"] or not config[key]:
        raise ConfigError(f"{key if config['results'] else 'results'}: expected a folder, got an empty name")
    return Path(config[key]).absolute()


def _study(node: Mapping[str, Any], limit: int | None) -> Study:
    if limit is not None:
        _positive({"limit": limit})
    lists: dict[str, Any] = {key: tuple(value) for key, value in node.items() if key != "archs"}
    study = Study(archs=node["archs"], limit=limit, **lists)
    known: dict[str, Iterable[str]] = {
        "spaces": spaces.names(),
        "datasets": datasets.names(),
        "protocols": PROTOCOLS,
        "conditions": CONDITIONS,
        "splits": datasets.split_names(),
        "label_sets": LABEL_SETS,
        "calibrators": calibrators.names(),
        "families": metrics.FAMILIES,
    }
    for key, values in lists.items():
        _several(f"study.{key}", values)
    _seeds("study.seeds", study.seeds)
    _seeds("study.split_seeds", study.split_seeds)
    for key, names in known.items():
        _among(f"study.{key}", getattr(study, key), names)
    return study


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


def _archives(node: Mapping[str, Any], study: Study, recipe: Recipe, zoo_root: Path) -> tuple[ArchiveSetting, ...]:
    settings = []
    for space in study.spaces:
        path = node[space]
        if path is None:
            raise ConfigError(f"archives.{space} is null but study.spaces asks for {space}: give its folder or drop it")
        folder = archive_folder(zoo_root, recipe, space) if path == _ZOO else Path(path).absolute()
        settings.append(ArchiveSetting(space, folder, node[f"{space}_source"], path == _ZOO))
    return tuple(settings)


def _runner(node: Mapping[str, Any]) -> RunnerOptions:
    _among("runner.kind", [node["kind"]], RUNNERS)
    _positive(
        {f"runner.{key}": node[key] for key in ("workers", "parcel_records", "attempts", "batch_size", "threads")}
    )
    options = RunnerOptions(**node)
    _check_device(options.device)
    return options


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ConfigError(f"runner.device: expected a torch device such as cpu or cuda, got {device!r}") from error
    available: dict[str, Callable[[], bool]] = {"cpu": lambda: True, "cuda": torch.cuda.is_available}
    if kind not in available or not available[kind]():
        raise ConfigError(f"runner.device: {device!r} is not available on this machine; runner.device=cpu always is")


def _recipe(node: Mapping[str, Any]) -> Recipe:
    _among("zoo.dataset", [node["dataset"]], datasets.names())
    _several("zoo.seeds", tuple(node["seeds"]))
    _seeds("zoo.seeds", node["seeds"])
    if not 0 <= node["weight_decay"] < 1:
        raise ConfigError(f"zoo.weight_decay: expected a number in [0, 1), got {node['weight_decay']}")
    _positive({f"zoo.{key}": node[key] for key in ("epochs", "batch_size", "learning_rate", "channels", "cells")})
    return Recipe(**{**node, "seeds": tuple(node["seeds"])})
