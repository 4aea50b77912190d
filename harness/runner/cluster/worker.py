"""The actor in which a task works, how one asks another, and how the death of one shows."""

from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import (
    GetTimeoutError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)

from harness.errors import WorkerLostError

GONE = (RayActorError, OutOfMemoryError, WorkerCrashedError, ObjectLostError)
"""What Ray raises for work whose process, or whose result, is gone: killed, out of memory, or its node is lost."""

_ANSWER_S = 1.0
"""Seconds in which Ray says that a worker is dead; one that is at work gives no answer."""


class Worker:
    """The actor: a task, or what is left of it to a worker that has another's networks run by ``server``."""

    def __init__(self, task: Any, server: Any = None) -> None:  # noqa: ANN401 - Ray's handle
        self._task = task
        self._server = server
        self._work: Callable[[Any], Any] | None = None

    def start(self) -> None:
        """Start the task if it has not started yet; a fault in it reaches the driver as itself."""
        if self._work is not None:
            return
        if self._server is None:
            self._work = self._task.start()
        else:
            self._work = self._task.start_with(_Ask(self._server))

    def answer(self) -> None:
        """Show that the worker is there and has done what it was asked for before."""

    def work(self, item: Any) -> Any:  # noqa: ANN401 - any task
        """Return the result of one item.

        Ray orders the calls of one caller alone: a measurer may ask a server before the driver's call to start it.
        """
        self.start()
        assert self._work is not None
        return self._work(item)


class _Ask:
    """Calls the task of a server and waits for its answer."""

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - Ray's handle
        self._server = server

    def __call__(self, request: Any) -> Any:  # noqa: ANN401 - any task
        try:
            return ray.get(self._server.work.remote(request))
        except RayTaskError as error:
            raise error.cause from error  # as if it had been raised here
        except GONE as error:
            raise WorkerLostError(f"the worker that runs the networks died: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return what an exception of Ray says first; of one that a task raised, what the task said."""
    if isinstance(error, RayTaskError):
        return f"{type(error.cause).__name__}: {error.cause}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def is_gone(actor: Any) -> bool:  # noqa: ANN401 - Ray's handle
    """Return whether a worker is dead; one that is at work is not."""
    try:
        ray.get(actor.answer.remote(), timeout=_ANSWER_S)
    except GetTimeoutError:
        return False
    except GONE:
        return True
    return False


def new_actor(options: dict[str, Any], *arguments: Any) -> Any:  # noqa: ANN401 - Ray's handle
    """Start a worker as an actor with some of Ray's options, on the arguments of :class:`Worker`."""
    return ray.remote(Worker).options(**options).remote(*arguments)  # pyright: ignore[reportAttributeAccessIssue]
