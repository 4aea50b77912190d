"""The settings of a command: the whole configuration as frozen values, which were checked when they were converted."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.datasets import Library
from harness.errors import ConfigError
from harness.runner.options import RunnerOptions
from harness.runner.part import Part
from harness.runner.stored import Keep
from harness.store.files import StorePath
from harness.values import Study
from harness.zoo import Recipe, archive_folder

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
        part: Which part of it these commands take; None for all.
        library: The data sets and conditions that the user has.
        archives: Where the networks of the wanted spaces are.
        runner: How to run.
        keep: Which logits to keep; None for none.
        recipe: How the zoo is trained.
        zoo_spaces: Search spaces of which it has networks.
        zoo_archs: Which architectures of each: ``sample``, or an expression as for ``study.archs``.
        zoo_root: Folder of the zoo's archives.
        archive_cache: Folder of the indexes and manifests of archives whose own folders are read-only.
        store: Root of the store: a folder, or a place in an object store.
        report: Folder of the report.
        logs: Folder of the workers' logs, on the machine of each.
        as_json: The resolved configuration, for the ``runs`` table.
        overrides: What was written on the command line.
    """

    study: Study
    part: Part | None
    library: Library
    archives: tuple[ArchiveSetting, ...]
    runner: RunnerOptions
    keep: Keep | None
    recipe: Recipe
    zoo_spaces: tuple[str, ...]
    zoo_archs: str
    zoo_root: Path
    archive_cache: Path
    store: StorePath
    report: Path
    logs: Path
    as_json: str
    overrides: tuple[str, ...]

    def command(self, name: str) -> str:
        """Return, between backticks, another command with the same overrides; of several of one key, the last."""
        last = {override.partition("=")[0]: override for override in self.overrides}
        return f"`{' '.join(['harness', name, *map(_as_typed, last.values())])}`"

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
