"""How often each item is tried: after a death again, then in halves; what cannot be halved is given up as lost."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

from harness.runner.placement import Item


@dataclass(frozen=True, slots=True)
class Attempt(Generic[Item]):
    """An item, and how often a worker has died on it.

    Attributes:
        item: The item.
        deaths: The number of workers that died on it so far.
    """

    item: Item
    deaths: int = 0


@dataclass
class Attempts(Generic[Item]):
    """The items to be given out: those that wait for another attempt, then those that nobody has tried.

    The last attempt of an item that cannot be halved is made when nothing else is left, and by itself: of what dies
    beside others, it cannot be told which of them was the cause.

    Attributes:
        fresh: The items, pulled as they are needed.
        halve: Parts an item; fewer than two parts where it cannot be parted.
        most: How often an item is tried before it is halved or given up.
    """

    fresh: Iterator[Item]
    halve: Callable[[Item], Sequence[Item]]
    most: int
    _again: deque[Attempt[Item]] = field(default_factory=deque, init=False)
    _suspects: deque[Attempt[Item]] = field(default_factory=deque, init=False)

    def next(self, *, alone: bool) -> Attempt[Item] | None:
        """Return the next attempt, None if there is none now.

        Args:
            alone: Whether no other item is being worked on.
        """
        if self._again:
            return self._again.popleft()
        for item in self.fresh:
            return Attempt(item)
        return self._suspects.popleft() if self._suspects and alone else None

    def take_back(self, attempt: Attempt[Item]) -> bool:
        """Take back an item on which a worker died; return whether it will be tried again, whole or in parts."""
        deaths = attempt.deaths + 1
        parts = self.halve(attempt.item)
        if deaths < self.most:
            self._try_again(Attempt(attempt.item, deaths), can_be_halved=len(parts) > 1)
        elif len(parts) > 1:
            for part in parts:
                self._try_again(Attempt(part), can_be_halved=len(self.halve(part)) > 1)
        return deaths < self.most or len(parts) > 1

    def _try_again(self, attempt: Attempt[Item], *, can_be_halved: bool) -> None:
        is_last = attempt.deaths == self.most - 1
        (self._suspects if is_last and not can_be_halved else self._again).append(attempt)
