"""Placing work on Ray: one actor per worker; a worker that dies is replaced and its item tried again, then halved.

The Ray is one that we start on this machine and end: bound to the loopback interface, without dashboard and usage
statistics, and with a home folder of its own, in which a file keeps Ray from asking a cloud's metadata address.
"""

import contextlib
import functools
import logging
import os
import secrets
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import ray
from ray.exceptions import RayActorError

from harness.errors import StoppedEarlyError
from harness.runner.placement import AbstractTask, Item, Outcome, Result

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # tasks without GPUs keep the variables that name the devices
    "RAY_gcs_server_port_wait_time_s": "120",  # a busy machine can take longer than Ray's 30 seconds
}

_CHECK_S = 30.0


@contextlib.contextmanager
def local_ray(workers: int) -> Iterator[None]:
    """Start a Ray for ``workers`` one-core workers on this machine, and end it on leaving.

    Raises:
        StoppedEarlyError: Ray does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short: Ray's socket paths have at most 107 bytes
    (folder / "ray_bootstrap_config.yaml").write_text("provider: {type: local}\n")
    try:
        _start_ray(workers, folder)
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _start_ray(workers: int, folder: Path) -> None:
    try:
        with _environment({**_ENVIRONMENT, "RAY_AUTH_TOKEN": _token(), "HOME": str(folder)}):
            ray.init(
                address="local",
                num_cpus=workers,
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


@functools.cache
def _token() -> str:
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


class Worker:
    """The actor: a task, started at its first item so that a fault in starting reaches the driver as itself."""

    def __init__(self, task: AbstractTask[Any, Any]) -> None:
        self._task = task
        self._work: Callable[[Any], Any] | None = None

    def work(self, item: Any) -> Any:  # noqa: ANN401 - any task
        """Return the result of one item."""
        if self._work is None:
            self._work = self._task.start()
        return self._work(item)


@dataclass
class _Pending(Generic[Item]):
    """An item and how often a worker died on it."""

    item: Item
    deaths: int = 0


@dataclass
class _Pool(Generic[Item, Result]):
    """The workers of one :func:`place`, the items in their hands, and those waiting for another attempt."""

    task: AbstractTask[Item, Result]
    attempts: int
    halve: Callable[[Item], Sequence[Item]]
    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, _Pending[Item]]] = field(default_factory=dict)
    again: deque[_Pending[Item]] = field(default_factory=deque)

    def hire(self) -> None:
        """Add an idle worker."""
        self.idle.append(ray.remote(Worker).options(num_cpus=1).remote(self.task))  # pyright: ignore[reportAttributeAccessIssue]

    def give(self, pending: _Pending[Item]) -> None:
        """Hand an item to an idle worker."""
        worker = self.idle.pop()
        self.busy[worker.work.remote(pending.item)] = (worker, pending)

    def collect(self) -> Outcome[Item, Result] | None:
        """Wait for a worker to finish or die; return the outcome of its item, None if it will be tried again."""
        done = self._first_done()
        worker, pending = self.busy.pop(done)
        try:
            result: Result = ray.get(done)
        except RayActorError as death:
            self.hire()
            return self._after_death(pending, str(death))
        self.idle.append(worker)
        return Outcome(pending.item, result)

    def _first_done(self) -> Any:  # noqa: ANN401 - Ray's reference
        while True:
            done, _ = ray.wait(list(self.busy), num_returns=1, timeout=_CHECK_S)
            if done:
                return done[0]
            if not any(node["Alive"] for node in ray.nodes()):
                raise StoppedEarlyError("Ray's node is gone; what was committed is kept, run again to resume")

    def _after_death(self, pending: _Pending[Item], reason: str) -> Outcome[Item, Result] | None:
        deaths = pending.deaths + 1
        if deaths < self.attempts:
            self.again.append(_Pending(pending.item, deaths))
            return None
        parts = self.halve(pending.item)
        if len(parts) < 2:
            return Outcome(pending.item, None, lost=f"the worker died {deaths} times: {reason.splitlines()[0]}")
        self.again.extend(_Pending(part) for part in parts)
        return None


@dataclass(frozen=True, slots=True)
class RayPlace:
    """Placing on the Ray of :func:`local_ray`; the signature of :class:`harness.runner.placement.Place`.

    Attributes:
        workers: Number of workers.
        attempts: How often an item is tried whose worker dies, before it is halved or given up.
    """

    workers: int
    attempts: int

    def __call__(
        self,
        task: AbstractTask[Item, Result],
        items: Iterable[Item],
        halve: Callable[[Item], Sequence[Item]],
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield an outcome for every item, in the order in which they are finished.

        An exception of the task itself (a store that cannot be written) is raised here.
        """
        pool = _Pool(task, self.attempts, halve)
        fresh = iter(items)
        for _ in range(self.workers):
            pool.hire()
        while True:
            while pool.idle and (pending := _next(pool, fresh)) is not None:
                pool.give(pending)
            if not pool.busy:
                return
            outcome = pool.collect()
            if outcome is not None:
                yield outcome


def _next(pool: _Pool[Item, Any], fresh: Iterator[Item]) -> _Pending[Item] | None:
    if pool.again:
        return pool.again.popleft()
    return next((_Pending(item) for item in fresh), None)
