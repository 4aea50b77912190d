"""What several commands need: the archives of the settings, what they can serve, the store, and a way to place work."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from harness import spaces
from harness.archives import (
    Archive,
    Record,
    Summary,
    find_index,
    logs_only,
    open_archive,
    record_summary,
    summary,
)
from harness.cli.output import say
from harness.config import ArchiveSetting, Settings
from harness.errors import ConfigError, DataError
from harness.runner import cluster, local
from harness.runner.memory import gpu_count
from harness.runner.options import RunnerOptions
from harness.runner.placement import Place
from harness.runner.plan import Plan
from harness.runner.protocols import PROTOCOLS
from harness.runner.selection import Selection, arch_indices, select
from harness.store import open_store
from harness.store.files import StorePath, is_unused
from harness.store.reader import Store
from harness.values import Study

_MOST_STRIPPED = 8
"""Records without weights after which an archive without an index is taken to hold none."""


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
        source, common = archive_source(setting, archive), _summary(archive, settings)
        found.append(select(study, archive, source, indices, common, settings.part))
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
        ConfigError: It is the zoo, which is not trained yet, or has no networks of the space; or ``study.archs`` is not
            understood.
        DataError: It is missing, damaged or empty.
    """
    if setting.is_zoo and setting.space not in settings.zoo_spaces:
        raise ConfigError(
            f"study.spaces asks for {setting.space}, of which the zoo has no networks: zoo.spaces lists "
            f"{', '.join(settings.zoo_spaces)}"
        )
    path = settings.archive_path(setting)
    if setting.is_zoo and not path.exists():
        whole_space = range(len(spaces.get(setting.space)))
        arch_indices(settings.study.archs, setting.space, whole_space)  # refuses what no zoo holds
        raise ConfigError(
            f"the zoo is not trained yet (no {path}): run {settings.command('zoo train')} first, or give an "
            f"archive with archives.{setting.space}=FOLDER"
        )
    try:
        archive = open_archive(path, setting.space)
    except DataError as error:
        raise DataError(f"archives.{setting.space}: {error}") from error
    if not len(archive.held):
        fills = f"wait for the {settings.command('zoo train')} that fills it" if setting.is_zoo else "copy them there"
        raise DataError(f"{path} holds no record NNNNNN.pickle.pbz2, only its meta file is there: {fills}")
    return archive


def _summary(archive: Archive, settings: Settings) -> Summary:
    """Return what the records of an archive have in common, from its index, or without one from its first record."""
    found = find_index(archive, settings.archive_cache)
    if found.is_current:
        try:
            return summary(found.table)
        except ValueError as error:
            raise DataError(f"{archive.path}: none of its {len(archive.held)} records can be read: {error}") from error
    if found.is_outdated:
        why = found.problem or f"out of date: {found.n_changed:,} records are new, changed or gone"
        say(f"the index of {archive.path} is not used, {why}; `harness archive index` renews it")
    return record_summary(_typical_record(archive))


def _typical_record(archive: Archive) -> Record:
    """Return the first record that can be read and holds weights, or after some that hold none the first of these.

    A damaged one, or one without weights among others, becomes a failure row in the run.
    """
    reasons, stripped = list[str](), list[Record]()
    for index in archive.held:
        try:
            record = archive.record(index)
        except DataError as error:
            reasons.append(str(error))
            continue
        if record.has_weights:
            return record
        stripped.append(record)
        if len(stripped) == _MOST_STRIPPED:
            break
    if stripped:
        return stripped[0]
    raise DataError(f"{archive.path}: none of its {len(archive.held)} records can be read; the first: {reasons[0]}")


def logs_only_notes(plan: Plan, chosen: Sequence[Selection], study: Study) -> list[str]:
    """Return what is to be said of archives that hold logs and no weights of a kind of networks to be evaluated."""
    to_infer = plan.to_infer
    found = [
        (selection, [pair for pair in selection.logs_only(study) if (selection.space, *pair) in to_infer])
        for selection in chosen
    ]
    return [_logs_only_note(selection, pairs) for selection, pairs in found if pairs]


def _logs_only_note(selection: Selection, pairs: Sequence[tuple[str, str]]) -> str:
    where = f"archives.{selection.space}: {selection.source}"
    if selection.with_weights:
        listed = ", ".join(f"{dataset} hp {hp}" for dataset, hp in pairs)
        return f"{where}: none of its records holds weights of {listed}: leave that out of study.hps or study.datasets"
    looked = "" if selection.seeds else "; if it holds some all the same, `harness archive index` finds them"
    return f"{where}: {logs_only(selection.source)}{looked}"


def _check_first_seeds(study: Study, found: Sequence[Selection]) -> None:
    if not any(PROTOCOLS[name].takes_first_seed_only for name in study.protocols):
        return
    for selection in found:
        for dataset, hp, seed in selection.first_seeds_left_out(study):
            raise ConfigError(
                f"study.seeds: protocol paper takes the first stored seed of a network, which is {seed} for "
                f"{dataset}, hp {hp} in {selection.source}: add it"
            )


def archive_source(setting: ArchiveSetting, archive: Archive) -> str:
    """Return the name of an archive in the store.

    Raises:
        ConfigError: Its folder has none and the setting gives none.
    """
    source = setting.source or archive.source
    if source is None:
        raise ConfigError(
            f"cannot tell the archive's name from its folder {archive.path} (expected a name of NATS-Bench's, "
            "such as NATS-tss-v1_0-3ffb9-full, or of a zoo, such as zoo-8cd5ea6f-tss): rows are kept apart by it, so "
            f"give one with archives.{setting.space}_source=NAME"
        )
    return source


def _among(key: str, wanted: Sequence[str], held: set[str]) -> None:
    absent = [value for value in wanted if value not in held]
    if absent:
        listed = sorted(held)
        possible = [value for value in wanted if value in held] or listed[:1]
        shown = ",".join(f"'{value}'" if value.isdecimal() else value for value in possible)  # a budget 01 is text
        raise ConfigError(
            f"{key}: no archive has {', '.join(absent)}; the archives have {', '.join(listed)}: write for instance "
            f'"{key}=[{shown}]"'
        )


def existing_store(path: StorePath) -> Store | None:
    """Open the store, or return None where nothing was stored yet.

    Raises:
        StoreError: The place is something else, a store of another version, or cannot be reached.
    """
    return None if is_unused(path) else open_store(str(path))


def require_device(device: str) -> None:
    """Refuse a device that this machine lacks.

    Raises:
        ConfigError: It is not there.
    """
    wanted = torch.device(device)
    n_devices = {"cpu": 1, "cuda": gpu_count()}.get(wanted.type, 0)
    if (wanted.index or 0) >= n_devices:
        raise ConfigError(f"runner.device: {device!r} is not available on this machine; runner.device=cpu always is")


def require_worker_device(options: RunnerOptions) -> None:
    """Refuse a device that workers on this machine would lack; of those on a cluster, its GPUs are counted later.

    Raises:
        ConfigError: It is not there.
    """
    if not options.joins_cluster:
        require_device(options.device)


@contextmanager
def placing(options: RunnerOptions) -> Iterator[Place]:
    """Give the function that places work as the settings ask; ends what it started, and leaves what it joined.

    Raises:
        ConfigError: A cluster does not answer, or has not the room that is asked for.
    """
    if options.kind == "local":
        yield local.place
        return
    with cluster.ray_place(options, gpu_count()) as place:
        yield place
