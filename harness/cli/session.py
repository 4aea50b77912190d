"""What several commands need: the archives of the settings, what they can serve, the store, and a way to place work."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.archives import Archive, Trial, TrialKey, open_archive, source_name
from harness.config import ArchiveSetting, Settings
from harness.errors import ConfigError, DataError
from harness.runner import cluster, local
from harness.runner.options import RunnerOptions
from harness.runner.placement import Place
from harness.runner.plan import Selection, select
from harness.runner.selection import arch_indices
from harness.store import open_store
from harness.store.files import is_unused
from harness.store.reader import Store


def selections(settings: Settings) -> list[Selection]:
    """Open the archives and return what they can serve of the study.

    Raises:
        ConfigError: The study asks for a data set or budget that no archive has, or for no architecture.
        DataError: An archive is missing, damaged, or without a name.
    """
    study = settings.study
    found: list[Selection] = []
    budgets: set[str] = set()
    trained: set[str] = set()
    for setting in settings.archives:
        archive = _open(setting, settings)
        indices = arch_indices(study.archs, setting.space, archive.held)
        if not indices:
            raise ConfigError(f"study.archs={study.archs} selects none of the {len(archive.held)} in {setting.path}")
        trials = _first_trials(archive)
        budgets |= {hp for _, _, hp in trials}
        trained |= {dataset for dataset, _, _ in trials}
        found.append(select(study, archive, _source(setting), indices, sorted({hp for _, _, hp in trials})))
    _among("study.hps", study.hps, budgets)
    _among("study.datasets", study.datasets, trained)
    return found


def _open(setting: ArchiveSetting, settings: Settings) -> Archive:
    if setting.is_zoo and not setting.path.exists():
        raise ConfigError(
            f"the zoo is not trained yet (no {setting.path}): run {settings.command('zoo train')} first, or give an "
            f"archive with archives.{setting.space}=FOLDER"
        )
    archive = open_archive(setting.path, setting.space)
    if not len(archive.held):
        raise DataError(f"{setting.path} holds no record NNNNNN.pickle.pbz2; only its meta file is there")
    return archive


def _first_trials(archive: Archive) -> Mapping[TrialKey, Trial]:
    """Return the trials of the first record that can be read; a damaged one becomes a failure row in the run."""
    reasons = []
    for index in archive.held:
        try:
            return archive.record(index).info
        except DataError as error:
            reasons.append(str(error))
    raise DataError(f"{archive.path}: none of its {len(archive.held)} records can be read; the first: {reasons[0]}")


def _source(setting: ArchiveSetting) -> str:
    source = setting.source or source_name(setting.path)
    if source is None:
        raise ConfigError(
            f"cannot tell the archive's name from its folder {setting.path} (expected NATS-... or zoo-...): rows are "
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


@contextmanager
def placing(options: RunnerOptions) -> Iterator[Place]:
    """Give the function that places work as the settings ask; ends what it started."""
    if options.kind == "local":
        yield local.place
        return
    with cluster.local_ray(options.workers):
        yield cluster.RayPlace(options.workers, options.attempts)
