"""The Ray to work on: one that we start on this machine and end, or a cluster that is there already.

The one that we start is bound to the loopback interface, without dashboard and usage statistics, with a home folder of
its own in which a file keeps Ray from asking a cloud's metadata address. A cluster we only join and leave.
"""

import contextlib
import fcntl
import functools
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ray
from ray._private import ray_constants

from harness.errors import ConfigError, StoppedEarlyError
from harness.runner.cluster.demand import threads_environment
from harness.store.object_path import key_files

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # tasks without GPUs keep the variables that name the devices
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # workers: see _loopback
    "RAY_gcs_server_port_wait_time_s": "120",  # a busy machine can take longer than Ray's 30 seconds
}

_LOCK = "driver.lock"
_JOIN = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR'); ray.nodes()"


@contextlib.contextmanager
def local_ray(cores: int, gpus: int = 0, threads: int = 1) -> Iterator[None]:
    """Start a Ray on this machine, and end it on leaving.

    Args:
        cores: Cores that its workers may take together.
        gpus: GPUs that they may take together.
        threads: Threads of each worker that is not told another number.

    Raises:
        StoppedEarlyError: Ray does not start.
    """
    with _own_folder() as folder:
        (folder / "ray_bootstrap_config.yaml").write_text("provider: {type: local}\n")
        try:
            _start_ray(cores, gpus, folder, threads_environment(threads))
            yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """Give a folder for a Ray of ours and remove it afterwards; also remove those of drivers that were killed.

    A driver holds a lock on a file in its folder, which the system takes from it when it ends, however it ends.
    """
    for lock in Path("/tmp").glob(f"r*/{_LOCK}"):
        with contextlib.suppress(OSError), lock.open() as file:  # another driver's: its lock cannot be had
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.lstat().st_uid == lock.parent.lstat().st_uid == os.getuid() and not lock.parent.is_symlink():
                shutil.rmtree(lock.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short: Ray's socket paths have at most 107 bytes
    with (folder / f"{_LOCK}.new").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)  # so that nobody sees it without its lock
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _start_ray(cores: int, gpus: int, folder: Path, environment: dict[str, str]) -> None:
    try:
        values = {**_ENVIRONMENT, **environment, **key_files(), "RAY_AUTH_TOKEN": token(), "HOME": str(folder)}
        with _environment(values), _loopback():
            ray.init(
                address="local",
                num_cpus=cores,
                num_gpus=gpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(folder),
            )
    except (RuntimeError, ConnectionError, TimeoutError) as error:
        raise StoppedEarlyError(
            f"Ray does not start on this machine: {error}; try again, or runner=local, which needs no Ray"
        ) from error


@contextlib.contextmanager
def joined_ray(address: str, patience_s: float) -> Iterator[None]:
    """Join a Ray cluster that is there already, and leave it, running as it was, on leaving.

    Args:
        address: As ``ray.init`` takes it: ``auto``, ``host:port`` or ``ray://host:port``.
        patience_s: Seconds that it may take to answer.

    Raises:
        ConfigError: It does not answer.
    """
    _try_to_join(address, patience_s)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        yield
    finally:
        ray.shutdown()


def _try_to_join(address: str, patience_s: float) -> None:
    """Join and leave in another process: where nobody answers, ``ray.init`` can hang, or end its process."""
    command = [sys.executable, "-c", _JOIN, address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)
    except subprocess.TimeoutExpired:
        reason = f"no answer within {patience_s:g} s"
    else:
        if done.returncode == 0:
            return
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    raise ConfigError(
        f"runner.address: no Ray cluster can be joined at {address!r}: {reason}; `ray status` on its head node shows "
        "whether it runs, RAY_AUTH_MODE=token joins one that asks for a token, runner.patience_s waits longer, "
        "runner.address=local starts a Ray on this machine"
    )


@contextlib.contextmanager
def _loopback() -> Iterator[None]:
    """Have Ray keep to the loopback interface for a while.

    On Linux it turns 127.0.0.1 into an address of the machine and then listens to every interface, unless it is told,
    as it is by default on other systems, that there is no cluster; it reads the variable for that when imported.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@functools.cache
def token() -> str:
    """The secret that keeps others on this machine out of our Ray; a process keeps one, as Ray reads it only once."""
    return secrets.token_hex(32)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while; Ray's processes keep what they inherit at their start."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
