"""The workers of a run on Ray: hired, given items, replaced when they die.

The Ray is the one that this process has started or joined (:mod:`harness.runner.cluster.connection`).
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import ray
from ray.exceptions import RayTaskError

from harness.errors import StoppedEarlyError, WorkerLostError
from harness.runner.cluster.attempts import Attempt, Attempts
from harness.runner.cluster.demand import Demand
from harness.runner.cluster.worker import GONE, first_line, is_gone, new_actor
from harness.runner.placement import AbstractSplitTask, AbstractTask, Item, Outcome, Result

_CHECK_S = 30.0
"""Seconds after which it is looked whether there is anything to wait for."""

_STARTS = 3
"""Starts in a row that may fail, for each worker, before the run stops: they would fail for ever."""


@dataclass(frozen=True, slots=True)
class RayPlace:
    """Placing on the Ray that this process has started or joined; the signature of `harness.runner.placement.Place`.

    Attributes:
        workers: Number of workers that run networks.
        attempts: How often an item is tried whose worker dies, before it is halved or given up.
        measurers: Number of further workers, to which tasks that can be split leave all but running networks; with 0,
            the workers do everything.
        demand: What a worker takes of its node.
        measurer_demand: What a measurer takes of its node.
        patience_s: Seconds to wait for a first worker to find room.
    """

    workers: int
    attempts: int
    measurers: int = 0
    demand: Demand = field(default_factory=Demand)
    measurer_demand: Demand = field(default_factory=Demand)
    patience_s: float = 300.0

    def __call__(
        self,
        task: AbstractTask[Item, Result],
        items: Iterable[Item],
        halve: Callable[[Item], Sequence[Item]],
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield an outcome for every item, in the order in which they are finished.

        An exception of the task itself (a store that cannot be written) is raised here. However it ends, the workers
        are dismissed: an exception that is kept would keep them, and the room that they take.
        """
        pool = _Pool(self, task, Attempts(iter(items), halve, self.attempts))
        try:
            pool.hire_all()
            while True:
                pool.give_out()
                if not pool.busy and pool.idle:
                    return
                outcome = pool.collect()
                if outcome is not None:
                    yield outcome
        finally:
            pool.dismiss_all()


@dataclass(frozen=True, eq=False)
class _Hired:
    """A worker of a pool.

    Attributes:
        actor: Ray's handle.
        server: The worker that runs its networks; None if it runs them itself.
        is_server: Whether it runs the networks of others.
    """

    actor: Any
    server: "_Hired | None" = None
    is_server: bool = False


@dataclass
class _Pool(Generic[Item, Result]):
    """The workers of one :class:`RayPlace`, and the items in their hands.

    A server that dies is replaced here, with all workers that ask it: a call to an actor that Ray itself starts again
    can wait for ever.
    """

    place: RayPlace
    task: AbstractTask[Item, Result]
    attempts: Attempts[Item]
    servers: list[_Hired] = field(default_factory=list)
    starting: dict[Any, _Hired] = field(default_factory=dict)
    idle: list[_Hired] = field(default_factory=list)
    busy: dict[Any, tuple[_Hired, Attempt[Item]]] = field(default_factory=dict)
    _failed_starts: Counter[bool] = field(default_factory=Counter)  # in a row, of servers (True) and of others
    _hired: set[_Hired] = field(default_factory=set)
    _turns: Iterator[int] = field(default_factory=itertools.count)  # of the servers, to be given another worker

    def hire_all(self) -> None:
        """Start the workers of both kinds, or of the one that there is."""
        if self.place.measurers and isinstance(self.task, AbstractSplitTask):
            for _ in range(self.place.workers):
                self.hire_server(self.task)
        for _ in range(self.place.measurers if self.servers else self.place.workers):
            self.hire()

    def dismiss_all(self) -> None:
        """End all workers, at work or not; those of a Ray that is left are gone already."""
        if ray.is_initialized():
            for worker in list(self._hired):
                self._dismiss(worker)

    def hire_server(self, task: AbstractSplitTask[Item, Result]) -> None:
        """Start a worker that runs the networks of others."""
        hired = _Hired(new_actor(self.place.demand.options(), task.service()), is_server=True)
        self.servers.append(hired)
        self._start(hired)

    def hire(self) -> None:
        """Start a worker that items are given to."""
        if self.servers:
            server = self.servers[next(self._turns) % len(self.servers)]
            self._start(_Hired(new_actor(self.place.measurer_demand.options(), self.task, server.actor), server))
        else:
            self._start(_Hired(new_actor(self.place.demand.options(), self.task)))

    def _start(self, hired: _Hired) -> None:
        self._hired.add(hired)
        self.starting[hired.actor.start.remote()] = hired

    def _dismiss(self, hired: _Hired) -> None:
        self._hired.discard(hired)
        ray.kill(hired.actor)

    def give_out(self) -> None:
        """Hand items to idle workers."""
        while self.idle and (attempt := self.attempts.next(alone=not self.busy)) is not None:
            worker = self.idle.pop()
            self.busy[worker.actor.work.remote(attempt.item)] = (worker, attempt)

    def collect(self) -> Outcome[Item, Result] | None:
        """Wait for a worker to start, finish or die; return the outcome of its item, None if there is none yet."""
        done = self._first_done()
        if done in self.starting:
            self._started(done, self.starting.pop(done))
            return None
        worker, attempt = self.busy.pop(done)
        try:
            result: Result = ray.get(done)
        except (*GONE, MemoryError) as death:
            self._replace(worker)  # one that is short of memory is not dead yet
            return self._after_death(attempt, first_line(death))
        except WorkerLostError as death:  # it is another that died
            self._replace(worker)
            return self._after_death(attempt, str(death))
        except RayTaskError as error:
            raise error.cause from error  # as if it had been raised here
        self.idle.append(worker)
        return Outcome(attempt.item, result)

    def _after_death(self, attempt: Attempt[Item], reason: str) -> Outcome[Item, Result] | None:
        """Return the outcome of an item on which a worker died; None if it will be tried again."""
        if self.attempts.take_back(attempt):
            return None
        return Outcome(attempt.item, None, lost=f"the worker died {attempt.deaths + 1} times: {reason}")

    def _replace(self, worker: _Hired) -> None:
        """Hire another worker in place of one that is of no use any more; also its server if that is gone."""
        self._dismiss(worker)
        if worker.server is not None and worker.server in self.servers and is_gone(worker.server.actor):
            self._replace_server(worker.server)
        self.hire()

    def _replace_server(self, server: _Hired) -> None:
        """Hire another server, and other workers in place of the idle ones that ask it; busy ones will say so."""
        assert isinstance(self.task, AbstractSplitTask)
        self._dismiss(server)
        self.servers.remove(server)
        self.hire_server(self.task)
        orphans = [worker for worker in self.idle if worker.server is server]
        self.idle = [worker for worker in self.idle if worker.server is not server]
        for orphan in orphans:
            self._dismiss(orphan)
            self.hire()

    def _started(self, done: Any, worker: _Hired) -> None:  # noqa: ANN401 - Ray's reference
        """Take on a worker that has started, or hire another."""
        try:
            ray.get(done)
        except (*GONE, WorkerLostError) as error:  # the latter of one whose device cannot be used, and which lives
            self._dismiss(worker)
            self._failed_starts[worker.is_server] += 1
            if self._failed_starts[worker.is_server] < _STARTS * (self.place.workers + self.place.measurers):
                if not worker.is_server:
                    self.hire()
                elif worker in self.servers:
                    self._replace_server(worker)
            elif worker.is_server or not (self.busy or self.idle or self._are_starting):
                raise StoppedEarlyError(
                    f"workers do not start: {first_line(error)}; every node needs the harness and what it depends on, "
                    "and devices that work"
                ) from error
            return  # beyond that many, those that are at work go on without it
        except RayTaskError as error:
            raise error.cause from error
        self._failed_starts[worker.is_server] = 0
        if worker.is_server:
            return
        if worker.server is None or worker.server in self.servers:
            self.idle.append(worker)
        else:  # its server has been replaced meanwhile
            self._dismiss(worker)
            self.hire()

    @property
    def _are_starting(self) -> bool:
        """Whether workers are starting that items are given to."""
        return not all(worker.is_server for worker in self.starting.values())

    def _first_done(self) -> Any:  # noqa: ANN401 - Ray's reference
        while True:
            done, _ = ray.wait([*self.busy, *self.starting], num_returns=1, timeout=_CHECK_S)
            if done:
                return done[0]
            if not any(node["Alive"] for node in ray.nodes()):
                raise StoppedEarlyError("Ray's nodes are gone; what was committed is kept, run again to resume")
            if self.servers or not self.busy:
                self._refuse_to_wait_for_ever()

    def _refuse_to_wait_for_ever(self) -> None:
        """Stop if nothing can go on: no worker has found room, or no server answers."""
        pings = [server.actor.answer.remote() for server in self.servers]
        done, _ = ray.wait([*self.busy, *self.starting, *pings], num_returns=1, timeout=self.place.patience_s)
        if not done:
            raise StoppedEarlyError(
                f"no worker found room on the cluster within {self.place.patience_s:g} s, or none that runs networks "
                "answers; what was committed is kept, run again to resume when it has room"
            )
