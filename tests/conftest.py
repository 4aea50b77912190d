"""What the tests share: real data where it is at hand, and a small zoo that is really trained once per session."""

import faulthandler
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import matplotlib.pyplot  # noqa: F401 - before the harness, with which jaxtyping would compile it anew
import pandas  # noqa: F401 - the same
import pytest
import ray  # noqa: F401 - the same
import scipy.stats  # noqa: F401 - the same
import torch  # noqa: F401 - the same

from harness import spaces
from harness.datasets import Library
from harness.zoo import Recipe, TrainTask, archive_folder, prepare_archive
from harness.zoo.sample import topology
from tests.clusters.slurm import Slurm, started_slurm

TSS_CODES = ("3N3NN3", "NNN1NN", "PPPPPP", "NNNNNN")
_NOBODY = 65534
_ROOT = Path(__file__).parents[1]
_OF_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "ARGS", "RESULTS", "PROCESSES", "PYTHON"}
"""What a make that runs these tests gives to those that they start."""
SSS_WIDTHS = ("8:8:8:8:8", "8:16:32:48:64")


_STDERR = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the error output of the session itself, for what is written later may be captured; heed interrupts."""
    config.stash[_STDERR] = os.dup(2)
    # Who starts the tests in the background of a script has them ignore interrupts, and with them all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _crashes_are_told(pytestconfig: pytest.Config) -> None:
    """A crash prints the stacks of all threads: Ray's driver takes the signals over and writes where nobody looks."""
    faulthandler.disable()
    faulthandler.enable(pytestconfig.stash[_STDERR])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real records, predictions and tables that `$HARNESS_TEST_DATA` names."""
    folder = os.environ.get("HARNESS_TEST_DATA")
    if not folder:
        pytest.skip("HARNESS_TEST_DATA is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def make() -> Callable[..., subprocess.CompletedProcess[str]]:
    """A way to call make in the checkout, as from a shell that no make has started."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", *words], cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)

    return call


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A SLURM of two nodes to submit jobs to."""
    with started_slurm() as started:
        yield started


@pytest.fixture
def as_nobody() -> Callable[[], AbstractContextManager[None]]:
    """A way to be a user whom the rights of files bind, also where the tests run as root, whom they do not."""

    @contextmanager
    def become() -> Iterator[None]:
        before = os.geteuid()
        if before == 0:
            os.seteuid(_NOBODY)
        try:
            yield
        finally:
            os.seteuid(before)

    return become


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder that every user can reach; those of ``tmp_path`` are shut to all but one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def few_notebooks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the report made of the overview alone: what is tested is the way to it, not what it says."""
    folder = tmp_path_factory.mktemp("analysis")
    shutil.copy(Path(__file__).parents[1] / "analysis" / "overview.ipynb", folder)
    monkeypatch.setattr("harness.cli.report._ANALYSIS", folder)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The digits recipe, cut to two epochs."""
    return Recipe("digits", 2, 64, 0.1, 5e-4, 16, 1, 0, (777, 888))


@pytest.fixture(scope="session")
def zoo_root(tmp_path_factory, recipe) -> Path:
    """The root of a zoo of four topologies (one of them a constant predictor, two with two seeds) and two sizes."""
    root = tmp_path_factory.mktemp("zoo")
    folders = {space: archive_folder(root, recipe, space, Library()) for space in spaces.names()}
    train = TrainTask(recipe, folders, Library()).start()
    for space, strings in (("tss", map(topology, TSS_CODES)), ("sss", SSS_WIDTHS)):
        prepare_archive(folders[space], space)
        for string in strings:
            train((space, spaces.get(space).arch_index(string)))
    return root


@pytest.fixture(scope="session")
def overrides(zoo_root, recipe) -> list[str]:
    """The overrides that make the commands use the small zoo, in this process."""
    return [
        "runner=local",
        f"archives.tss={archive_folder(zoo_root, recipe, 'tss', Library())}",
        f"archives.sss={archive_folder(zoo_root, recipe, 'sss', Library())}",
        f"study.hps=['{recipe.hp}']",
    ]
