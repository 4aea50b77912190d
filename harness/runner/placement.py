"""The one signature of placing work: ``place(task, items, ...)`` yields an :class:`Outcome` for every item.

A task is a picklable object with ``start() -> Callable[[item], result]``: ``start`` runs once in each worker and
returns the function that does the work. Items are pulled lazily. Only :mod:`harness.runner.cluster` can lose workers.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)


@runtime_checkable
class AbstractTask(Protocol[ItemIn, ResultOut]):
    """Work that can be placed: prepared once per worker, then called with one item after another."""

    def start(self) -> Callable[[ItemIn], ResultOut]:
        """Prepare this process and return the function that turns an item into a result."""
        ...


@runtime_checkable
class AbstractSplitTask(Protocol[ItemIn, ResultOut]):
    """A task of which a part, such as running networks, can be left to workers of another kind: servers."""

    def start(self) -> Callable[[ItemIn], ResultOut]:
        """Prepare this process to do everything; see :class:`AbstractTask`."""
        ...

    def service(self) -> AbstractTask[Any, Any]:
        """Return the task of the servers, from a request to an answer."""
        ...

    def start_with(self, ask: Callable[[Any], Any]) -> Callable[[ItemIn], ResultOut]:
        """Prepare this process to do all but what ``ask``, from a request to an answer, has a server do.

        ``ask`` raises what the server's task raises, and WorkerLostError where the server dies.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """What came of an item.

    Attributes:
        item: The item.
        result: What the task returned; None if no worker survived the item.
        lost: Why there is no result; None if there is one.
    """

    item: Item
    result: Result | None
    lost: str | None = None


@runtime_checkable
class Place(Protocol):
    """The signature that the local and the Ray runner share."""

    def __call__(
        self,
        task: AbstractTask[Item, Result],
        items: Iterable[Item],
        halve: Callable[[Item], Sequence[Item]],
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield an outcome for every item, in the order in which they are finished.

        Args:
            task: What to do.
            items: On what, pulled lazily.
            halve: Parts an item whose workers keep dying; an item that gives fewer than two parts is given up as lost.
        """
        ...
