"""Reads the records of a parcel ahead: their decompression, which takes longest, runs in threads beside the evaluation.

bz2 leaves the interpreter to others while it works, so the threads need cores and nothing else. What is decompressed
becomes a record when it is asked for, in the thread that asks.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from harness.archives import Archive, Record


class RecordsAhead:
    """The records of an archive in the order in which they will be asked for; a context manager.

    At most ``n_ahead`` of them are held, or being decompressed, before they are asked for. That and the one that is in
    use bound the memory.
    """

    def __init__(self, archive: Archive, arch_indices: Iterable[int], n_ahead: int) -> None:
        """Begin to read.

        Args:
            archive: The archive.
            arch_indices: The architectures that will be asked for, in this order; others can be asked for as well.
            n_ahead: Records to hold before they are asked for, and threads that decompress; 0 for none.
        """
        self._archive = archive
        self._waiting = deque(arch_indices)
        self._n_ahead = n_ahead
        self._fetched: dict[int, Future[Callable[[], Record]]] = {}
        self._threads = ThreadPoolExecutor(n_ahead, "read-ahead") if n_ahead else None
        self._fill()

    def __enter__(self) -> "RecordsAhead":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._fetched.clear()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def record(self, arch_index: int) -> Record:
        """Return a record; those that come before it and were not asked for are let go.

        Raises:
            MissingTrialError: The archive has no record of it.
            DataError: The record is damaged, hostile, or not what its name says.
        """
        if self._threads is None or (arch_index not in self._fetched and arch_index not in self._waiting):
            return self._archive.record(arch_index)
        while arch_index not in self._fetched or next(iter(self._fetched)) != arch_index:
            self._let_go()
        fetched = self._fetched.pop(arch_index)
        self._fill()
        try:
            return fetched.result()()
        finally:
            del fetched  # an error keeps this frame, and a future its error: together they would never be let go

    def _let_go(self) -> None:
        """Drop the record that comes next, and begin with another in its place."""
        self._fetched.pop(next(iter(self._fetched))).cancel()
        self._fill()

    def _fill(self) -> None:
        while self._threads is not None and self._waiting and len(self._fetched) < self._n_ahead:
            arch_index = self._waiting.popleft()
            self._fetched[arch_index] = self._threads.submit(self._archive.fetch, arch_index)
