"""Placing work in this process: one item after another, easy to debug."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.errors import StoppedEarlyError, WorkerLostError
from harness.runner.placement import AbstractTask, Item, Outcome, Result


def place(
    task: AbstractTask[Item, Result],
    items: Iterable[Item],
    halve: Callable[[Item], Sequence[Item]],
) -> Iterator[Outcome[Item, Result]]:
    """Yield the outcome of every item as :class:`harness.runner.placement.Place` says, in the order of the items.

    An item for which memory does not suffice is halved, and lost if it cannot be.
    """
    work = task.start()
    for item in items:
        waiting = deque([item])
        while waiting:
            part = waiting.popleft()
            try:
                outcome = Outcome(part, work(part))
            except WorkerLostError as error:
                raise StoppedEarlyError(f"{error}; what was committed is kept, run again to resume") from error
            except MemoryError as error:
                parts = halve(part)
                if len(parts) > 1:
                    waiting.extendleft(reversed(parts))
                    continue
                outcome = Outcome(part, None, lost=str(error))
            yield outcome
