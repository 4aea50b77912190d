"""The site: a page for each notebook, executed on a store, and those of models, of the gate and of provenance.

They link to one another and need no network. A notebook that fails leaves a page that says why, and the others are
built all the same.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from harness.errors import StoreError
from harness.report import gate, models, provenance
from harness.report.execution import Kernel, NotebookError, kernel
from harness.report.figures import link_figures
from harness.report.files import write_files
from harness.report.page import Link, wrap
from harness.store.reader import Store

_OVERVIEW = "overview"
_MODELS = "models.html"
_WHOSE = "HARNESS_WHOSE"
_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was made.

    Attributes:
        title: Its title.
        fault: Why its notebook cannot be shown; None where it is.
    """

    title: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """What a report is made of, and where it goes.

    Attributes:
        notebooks: The notebooks, in the order of the pages; that called ``overview`` becomes ``index.html``.
        store: The store, which notebooks find in ``$HARNESS_STORE``.
        whose: Whose numbers the questions are asked of, in ``$HARNESS_WHOSE``.
        folder: Where the site goes; made if there is none.
    """

    notebooks: tuple[Path, ...]
    store: Store
    whose: str
    folder: Path
    _files: dict[str, bytes] = field(default_factory=dict, init=False)

    @property
    def index(self) -> Path:
        """The first page."""
        return self.folder / "index.html"

    @property
    def n_pages(self) -> int:
        """How many pages there will be."""
        return len(self.notebooks) + len(self._tables)

    @property
    def _tables(self) -> dict[Link, Callable[[], str]]:
        """What makes each page that is no notebook."""
        return {
            Link(_MODELS, models.TITLE): lambda: models.models(self.store, self.whose),
            Link("gate.html", gate.TITLE): lambda: gate.gate_and_failures(self.store),
            Link("provenance.html", provenance.TITLE): lambda: provenance.provenance(self.store),
        }

    def make(self) -> Iterator[Page]:
        """Make page after page; nothing is written before :meth:`write`."""
        of_notebooks = [Link(_file_of(path), _title(path)) for path in self.notebooks]
        links = [*of_notebooks, *self._tables]
        with kernel({"HARNESS_STORE": str(self.store.root.path.resolve()), _WHOSE: self.whose}) as running:
            for path, link in zip(self.notebooks, of_notebooks, strict=True):
                try:
                    body, fault = self._shown(running, path), None
                except NotebookError as error:
                    body, fault = _fault(link.title, str(error)), str(error)
                self._files[link.file] = wrap(body, link, links, self._source(_WHOSE in path.read_text())).encode()
                yield Page(link.title, fault)
        for link, make in self._tables.items():
            self._files[link.file] = wrap(make(), link, links, self._source(link.file == _MODELS)).encode()
            yield Page(link.title, None)

    def _source(self, is_of_whose: bool) -> str:
        """Return where a page's numbers come from, and whose they are if it is made of those that were asked for."""
        return f"the store {self.store.root.path}" + (f", numbers: {self.whose}" if is_of_whose else "")

    def write(self) -> None:
        """Write the pages that were made and their figures; files of an earlier site that are left over are removed.

        Raises:
            StoreError: The folder cannot be written.
        """
        try:
            write_files(self.folder, self._files)
        except OSError as error:
            raise StoreError(f"cannot write {self.index}: {error}; give another folder with report=...") from error

    def _shown(self, running: Kernel, path: Path) -> str:
        """Return what an executed notebook shows as HTML, without its code; its figures become files.

        Raises:
            NotebookError: A cell fails.
        """
        executed = running.execute(path)
        self._files.update(link_figures(executed, "" if path.stem == _OVERVIEW else f"{path.stem}-"))
        exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
        body, _ = exporter.from_notebook_node(executed)
        return body


def _file_of(notebook: Path) -> str:
    return "index.html" if notebook.stem == _OVERVIEW else f"{notebook.stem}.html"


def _title(notebook: Path) -> str:
    """Return the first heading of a notebook."""
    cells = nbformat.read(notebook, as_version=4).cells
    found = (_HEADING.search(cell.source) for cell in cells if cell.cell_type == "markdown")
    return next((heading[1] for heading in found if heading), notebook.stem)


def _fault(title: str, message: str) -> str:
    """Return what stands in place of a notebook that cannot be shown."""
    return f'<h1>{html.escape(title)}</h1><p class="fault">This page cannot be shown: {html.escape(message)}</p>'
