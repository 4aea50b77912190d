"""What several commands need: the archives of the settings, what they can serve, the store, and a way to place work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from harness.archives import Archive, Record, open_archive, source_name
from harness.config import ArchiveSetting, Settings
from harness.errors import ConfigError, DataError
from harness.runner import cluster, local
from harness.runner.options import RunnerOptions
from harness.runner.placement import Place
from harness.runner.plan import Selection, select
from harness.runner.protocols import PROTOCOLS
from harness.runner.selection import arch_indices
from harness.store import open_store
from harness.store.files import is_unused
from harness.store.reader import Store
from harness.values import Study


def selections(settings: Settings) -> list[Selection]:
    """Open the archives and return what they can serve of the study.

    Raises:
        ConfigError: The study asks for a data set or budget that no archive has, or for no architecture; or for the
            published protocol without the seed that it takes.
        DataError: An archive is missing, damaged, or without a name.
    """
    study = settings.study
    found: list[Selection] = []
    for setting in settings.archives:
        archive = open_setting(setting, settings)
        indices = chosen_indices(archive, settings)
        found.append(select(study, archive, archive_source(setting, archive), indices, _first_readable(archive)))
    held = {key for selection in found for key in selection.first_seeds}
    _among("study.hps", study.hps, {hp for _, hp in held})
    _among("study.datasets", study.datasets, {dataset for dataset, _ in held})
    _check_first_seeds(study, found)
    return found


def chosen_indices(archive: Archive, settings: Settings) -> list[int]:
    """Return the architectures of an archive that the study chooses, ascending.

    Raises:
        ConfigError: There are none, or the expression is not understood.
    """
    archs = settings.study.archs
    indices = arch_indices(archs, archive.space, archive.held)
    if not indices:
        raise ConfigError(f"study.archs={archs} selects none of the {len(archive.held)} in {archive.path}")
    return indices


def open_setting(setting: ArchiveSetting, settings: Settings) -> Archive:
    """Open the archive of a space.

    Raises:
        ConfigError: It is the zoo, which is not trained yet.
        DataError: It is missing, damaged or empty.
    """
    path = settings.archive_path(setting)
    if setting.is_zoo and not path.exists():
        raise ConfigError(
            f"the zoo is not trained yet (no {path}): run {settings.command('zoo train')} first, or give an "
            f"archive with archives.{setting.space}=FOLDER"
        )
    archive = open_archive(path, setting.space)
    if not len(archive.held):
        raise DataError(f"{path} holds no record NNNNNN.pickle.pbz2; only its meta file is there")
    return archive


def _first_readable(archive: Archive) -> Record:
    """Return the first record that can be read; a damaged one becomes a failure row in the run."""
    reasons = []
    for index in archive.held:
        try:
            return archive.record(index)
        except DataError as error:
            reasons.append(str(error))
    raise DataError(f"{archive.path}: none of its {len(archive.held)} records can be read; the first: {reasons[0]}")


def _check_first_seeds(study: Study, found: Sequence[Selection]) -> None:
    if not any(PROTOCOLS[name].takes_first_seed_only for name in study.protocols):
        return
    for selection in found:
        for (dataset, hp), seed in selection.first_seeds.items():
            if dataset in study.datasets and hp in selection.hps and seed not in study.seeds:
                raise ConfigError(
                    f"study.seeds: protocol paper takes the first stored seed of a network, which is {seed} for "
                    f"{dataset}, hp {hp} in {selection.source}: add it"
                )


def archive_source(setting: ArchiveSetting, archive: Archive) -> str:
    """Return the name of an archive in the store.

    Raises:
        ConfigError: Its folder has none and the setting gives none.
    """
    source = setting.source or source_name(archive.path)
    if source is None:
        raise ConfigError(
            f"cannot tell the archive's name from its folder {archive.path} (expected NATS-... or zoo-...): rows are "
            f"kept apart by it, so give one with archives.{setting.space}_source=NAME"
        )
    return source


def _among(key: str, wanted: Sequence[str], held: set[str]) -> None:
    absent = [value for value in wanted if value not in held]
    if absent:
        raise ConfigError(f"{key}: no archive has {', '.join(absent)}; the archives have {', '.join(sorted(held))}")


def existing_store(path: Path) -> Store | None:
    """Open the store, or return None where nothing was stored yet.

    Raises:
        StoreError: The folder is something else or a store of another version.
    """
    return None if is_unused(path) else open_store(str(path))


def require_device(device: str) -> None:
    """Refuse a device that this machine lacks.

    Raises:
        ConfigError: It is not there.
    """
    kind = torch.device(device).type
    available: dict[str, Callable[[], bool]] = {"cpu": lambda: True, "cuda": torch.cuda.is_available}
    if kind not in available or not available[kind]():
        raise ConfigError(f"runner.device: {device!r} is not available on this machine; runner.device=cpu always is")


@contextmanager
def placing(options: RunnerOptions) -> Iterator[Place]:
    """Give the function that places work as the settings ask; ends what it started."""
    if options.kind == "local":
        yield local.place
        return
    with cluster.local_ray(options.workers):
        yield cluster.RayPlace(options.workers, options.attempts)
