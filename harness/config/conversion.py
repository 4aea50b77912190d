"""From the composed configuration to settings, once; names are checked here, before any work starts."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.config.checks import require_distinct, require_known, require_not_negative, require_positive, require_texts
from harness.config.settings import ArchiveSetting, Settings
from harness.config.study import to_study
from harness.config.zoo import to_recipe, to_zoo_spaces
from harness.datasets import CONDITIONS, UNSHIFTED, DataFolder, Library
from harness.errors import ConfigError, StoreError
from harness.runner.options import RunnerOptions
from harness.runner.part import Part
from harness.runner.stored import Keep
from harness.store.files import StorePath, is_uri, store_path
from harness.store.logits import DTYPES
from harness.values import Study

RUNNERS = ("local", "ray")
_NONE = "none"


def convert(config: Mapping[str, Any], overrides: Sequence[str]) -> Settings:
    """Return the settings of a composed and resolved configuration.

    Args:
        config: The configuration as plain dictionaries and lists.
        overrides: The overrides that made it.

    Raises:
        ConfigError: A value is not among the known ones, empty, or out of range.
    """
    library = _library(config)
    study = to_study(config["study"], config["limit"], library)
    return Settings(
        study=study,
        part=_part(config["part"]),
        library=library,
        archives=_archives(config["archives"], study),
        runner=_runner(config["runner"]),
        keep=_keep(config, library),
        recipe=to_recipe(config["zoo"]),
        zoo_spaces=to_zoo_spaces(config["zoo"], study),
        zoo_archs=config["zoo"]["archs"],
        zoo_root=_folder("zoo_root", config),
        archive_cache=_folder("archive_cache", config),
        store=_store(config),
        report=_folder("report", config),
        logs=_folder("logs", config),
        as_json=json.dumps(config, sort_keys=True),
        overrides=tuple(overrides),
    )


def _folder(key: str, config: Mapping[str, Any]) -> Path:
    if not config["results"] or not config[key]:
        raise ConfigError(f"{key if config['results'] else 'results'}: expected a folder, got an empty name")
    if is_uri(config[key]):
        raise ConfigError(
            f"{key}: expected a folder, got {config[key]}; the store alone can be elsewhere: store=s3://..."
        )
    return Path(config[key]).absolute()


def _store(config: Mapping[str, Any]) -> StorePath:
    if not is_uri(config["store"] or ""):
        return _folder("store", config)
    try:
        return store_path(config["store"])
    except StoreError as error:
        raise ConfigError(str(error)) from error


def _part(written: str | None) -> Part | None:
    if written is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", written)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"part: expected K/N with 1 <= K <= N, such as 1/8, got {written!r}")
    return Part(int(match[1]), int(match[2]))


def _library(config: Mapping[str, Any]) -> Library:
    root = config["data_root"]
    if root == "":
        raise ConfigError("data_root: expected a folder, got an empty name")
    place = None if root is None else Path(root).absolute()
    folder = DataFolder(place, config["released_only"], config["released_labels_only"])
    return Library(folder, _image_files(config["image_files"]))


def _image_files(written: Sequence[Any]) -> dict[str, Path]:
    known, files = (UNSHIFTED, *CONDITIONS), {}
    require_texts("image_files", written)
    for text in written:
        name, colon, path = text.partition(":")
        if not colon or not path or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name):
            raise ConfigError(f"image_files: expected NAME:FILE, the name in letters, digits, _ . and -, got {text!r}")
        if name in known or name in files:
            taken = f"known conditions are {', '.join(known)}" if name in known else "it is listed twice"
            raise ConfigError(f"image_files: {name!r} is taken: {taken}")
        files[name] = Path(path).absolute()
    return files


def _archives(node: Mapping[str, Any], study: Study) -> tuple[ArchiveSetting, ...]:
    return tuple(ArchiveSetting(space, node[space], node[f"{space}_source"]) for space in study.spaces)


def _keep(config: Mapping[str, Any], library: Library) -> Keep | None:
    stored_as, conditions = config["keep_logits"], tuple(config["keep_logits_conditions"])
    require_known("keep_logits", [stored_as], (_NONE, *DTYPES))
    require_distinct("keep_logits_conditions", conditions)
    require_known("keep_logits_conditions", conditions, library.conditions)
    return None if stored_as == _NONE else Keep(stored_as, conditions)


def _runner(node: Mapping[str, Any]) -> RunnerOptions:
    require_known("runner.kind", [node["kind"]], RUNNERS)
    counts = ("parcel_records", "attempts", "min_batch_size", "threads", "patience_s")
    require_positive({f"runner.{key}": node[key] for key in counts})
    require_positive({f"runner.{key}": node[key] for key in ("workers", "batch_size") if node[key] is not None})
    if node["batch_size"] is not None and node["batch_size"] < node["min_batch_size"]:
        raise ConfigError(
            f"runner.batch_size={node['batch_size']} is less than runner.min_batch_size={node['min_batch_size']}"
        )
    require_not_negative({f"runner.{key}": node[key] for key in ("measurers", "read_ahead")})
    if not re.fullmatch(r"local|auto|(ray://)?[^\s:/]+:\d+", node["address"]):
        raise ConfigError(
            f"runner.address: expected local, auto, HOST:PORT or ray://HOST:PORT, got {node['address']!r}"
        )
    options = RunnerOptions(**node)
    _check_device(options)
    return options


def _check_device(options: RunnerOptions) -> None:
    gpus = options.gpus_per_worker
    try:
        device = torch.device(options.device)
    except RuntimeError as error:
        raise ConfigError(
            f"runner.device: expected a torch device such as cpu or cuda, got {options.device!r}"
        ) from error
    if not (math.isfinite(gpus) and (0 <= gpus <= 1 or gpus == int(gpus) > 0)):
        raise ConfigError(f"runner.gpus_per_worker: expected a fraction of a GPU or a whole number of them, got {gpus}")
    if gpus and (device.type == "cpu" or device.index is not None):
        raise ConfigError(
            f"runner.gpus_per_worker={gpus:g}: Ray gives each worker its GPU, which runner.device=cuda uses; "
            f"got runner.device={options.device}"
        )
    if options.joins_cluster and device.type != "cpu" and not gpus:
        raise ConfigError(
            f"runner.device={options.device} on a cluster: say how many GPUs Ray gives to each worker, such as "
            "runner.gpus_per_worker=1"
        )
    if options.kind == "ray" and options.workers is None and device.type != "cpu" and not gpus:
        raise ConfigError(
            f"runner.workers=null with runner.device={options.device} would put a worker per core on one GPU: give "
            "their number, or runner.gpus_per_worker, such as 0.5 for two on each GPU"
        )
