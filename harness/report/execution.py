"""Executes notebooks on a store, one after another in one kernel, each with a clean namespace.

A kernel takes seconds to start and to import what notebooks need; the next notebook finds that imported.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from harness.errors import HarnessError

_TIMEOUT_S = 3600
_KERNEL_OPTIONS = [
    "--IPKernelApp.matplotlib=inline",  # from the start, for the options below to hold in every cell
    "--InlineBackend.figure_formats={'retina', 'pdf'}",  # sharp on any screen, and the same figure for a paper
    "--InlineBackend.print_figure_kwargs={'bbox_inches': 'tight', 'metadata': {'CreationDate': None}}",
    "--InlineBackend.rc={'pdf.fonttype': 42}",  # TrueType: publishers refuse matplotlib's default, Type 3
]
_CLEAN = "%reset -f"


class NotebookError(HarnessError):
    """A notebook that cannot be shown on a store: the message of its cell."""


class _Client(NotebookClient):
    """A client that notes an interrupt: it then ends the kernel, from which many kinds of errors come.

    Attributes:
        is_interrupted: Whether there was one.
    """

    is_interrupted = False

    async def _async_cleanup_kernel(self) -> None:  # called by nbclient for signals alone, as the kernel is not its own
        self.is_interrupted = True
        await super()._async_cleanup_kernel()


@dataclass
class Kernel:
    """A kernel, which starts with the first notebook, and another with the next one after it has ended.

    Attributes:
        environment: Environment of the notebooks.
        manager: What is running; None before the first notebook.
    """

    environment: dict[str, str]
    manager: AsyncKernelManager | None = None

    def execute(self, path: Path) -> nbformat.NotebookNode:
        """Return a notebook with the outputs of its cells.

        Raises:
            NotebookError: A cell fails, takes more than an hour, or ends the kernel twice.
            KeyboardInterrupt: It was interrupted.
        """
        try:
            with contextlib.suppress(RuntimeError):  # of a kernel that died, or does not start
                return self._execute(path)
            self.end()
            return self._execute(path)  # what ended it, such as want of memory, may have passed
        except CellExecutionError as error:
            raise NotebookError(f"{error.ename}: {error.evalue}") from error
        except CellTimeoutError as error:
            self.end()
            raise NotebookError(str(error)) from error
        except RuntimeError as error:
            self.end()
            raise NotebookError(f"twice: {error}") from error

    def end(self) -> None:
        """End the kernel, if one is running."""
        if self.manager is not None and self.manager.has_kernel:
            run_sync(self.manager.shutdown_kernel)(now=True)
        self.manager = None

    def _execute(self, path: Path) -> nbformat.NotebookNode:
        if self.manager is None:
            self.manager = AsyncKernelManager(kernel_name="python3", transport_encryption="auto")
        notebook = nbformat.read(path, as_version=4)
        clean = nbformat.v4.new_code_cell(_CLEAN)
        notebook.cells.insert(0, clean)
        client = _Client(
            notebook,
            km=self.manager,
            timeout=_TIMEOUT_S,
            resources={"metadata": {"path": str(path.parent)}},
            extra_arguments=_KERNEL_OPTIONS,
            shutdown_kernel="immediate",  # a kernel that is asked to end in the middle of a cell prints a traceback
        )
        try:
            client.execute(env=self.environment)
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            if client.is_interrupted:
                raise KeyboardInterrupt
        notebook.cells.remove(clean)
        return notebook


@contextlib.contextmanager
def kernel(environment: dict[str, str]) -> Iterator[Kernel]:
    """Give a kernel whose notebooks have some variables in their environment, and end it on leaving."""
    running = Kernel({**os.environ, **environment})
    try:
        yield running
    finally:
        running.end()
