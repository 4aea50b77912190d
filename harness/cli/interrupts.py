"""How a run is ended from outside: the first interrupt lets the workers finish what they hold, the second stops.

SIGTERM, with which batch systems announce the end, counts as the second: nothing that was committed is lost.
"""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

from harness.cli.output import say
from harness.errors import StoppedEarlyError

_T = TypeVar("_T")


@dataclass
class Drain:
    """Whether a run is to end with what is in hand.

    Attributes:
        what: What workers have in hand, such as ``parcels``.
        requested: Whether the end was requested.
    """

    what: str
    requested: bool = False

    def until_requested(self, items: Iterable[_T]) -> Iterator[_T]:
        """Yield items until the end is requested."""
        for item in items:
            if self.requested:
                return
            yield item

    def on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """Note the first interrupt, obey the second."""
        if self.requested:
            signal.default_int_handler(number, frame)
        self.requested = True
        say(f"interrupted: finishing the {self.what} in hand; interrupt again to stop at once")

    def require_all(self, n_done: int, n_all: int, done: str) -> None:
        """Refuse to conclude what was interrupted.

        Args:
            n_done: How much was done.
            n_all: How much was to be done.
            done: What it is, such as ``units made``.

        Raises:
            StoppedEarlyError: Not all of it was done.
        """
        if self.requested and n_done < n_all:
            raise StoppedEarlyError(f"interrupted with {n_done:,} of {n_all:,} {done}; run again to resume")


@contextmanager
def draining(what: str) -> Iterator[Drain]:
    """Give a :class:`Drain` that follows the signals of this process while the body runs."""
    drain = Drain(what)
    if threading.current_thread() is not threading.main_thread():
        yield drain
        return
    handlers = {signal.SIGINT: drain.on_interrupt, signal.SIGTERM: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield drain
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
