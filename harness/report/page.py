"""A notebook, executed on a store, becomes one HTML page that needs no network: text, tables and figures, no code.

The figures also lie beside it as PNG and PDF.
"""

import datetime
import html
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from traitlets.config import Config

from harness.atomic import write_file
from harness.errors import StoreError
from harness.report.figures import FOLDER, link_figures, write_figures
from harness.store.files import StorePath

_TIMEOUT_S = 600
_KERNEL_OPTIONS = [
    "--IPKernelApp.matplotlib=inline",  # from the start, for the options below to hold in every cell
    "--InlineBackend.figure_formats={'retina', 'pdf'}",  # sharp on any screen, and the same figure for a paper
    "--InlineBackend.print_figure_kwargs={'bbox_inches': 'tight', 'metadata': {'CreationDate': None}}",
    "--InlineBackend.rc={'pdf.fonttype': 42}",  # TrueType: publishers refuse matplotlib's default, Type 3
]
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.2rem; border-top: 1px solid #ddd; padding-top: 1.2rem; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
figcaption { font-size: 0.8rem; } figcaption a { margin-right: 0.6rem; }
table { border-collapse: collapse; font-size: 0.82rem; }
th, td { padding: 0.25rem 0.6rem; text-align: right; border: 0; border-bottom: 1px solid #e3e3e3; }
thead th { border-bottom: 2px solid #888; position: sticky; top: 0; background: #fff; }
tbody td { font-variant-numeric: tabular-nums; } td:not(:last-child) { white-space: nowrap; }
td:last-child { overflow-wrap: anywhere; }
.jp-OutputArea-output, .output_area { overflow-x: auto; }
.anchor-link { display: none; }
footer { color: #595959; font-size: 0.85rem; margin-top: 3rem; border-top: 1px solid #ddd; padding-top: 0.6rem; }
@media print {
  body { max-width: none; margin: 0; font-size: 10pt; } thead th { position: static; } figcaption { display: none; }
  h2, .cell:has(h2) { break-after: avoid; } figure, tr, .cell:has(h2) { break-inside: avoid; }
  .code_cell:not(:has(.output)) { display: none; }
  img { max-height: 20cm; object-fit: contain; object-position: left; }
  table { font-size: 7pt; }
}
"""


def build_page(notebook: Path, store: StorePath, folder: Path) -> Path:
    """Execute a notebook on a store, write it as ``index.html`` of a folder, and return that file.

    ``figures/`` beside it holds every figure as ``NAME.png`` and ``NAME.pdf``, named by the id of its cell; figures of
    an earlier report are replaced.

    Args:
        notebook: The notebook; it reads the store that ``$HARNESS_STORE`` names.
        store: Root of the store.
        folder: Where the page goes; made if there is none.

    Raises:
        StoreError: A cell fails on this store, or the folder cannot be written.
    """
    executed = execute(notebook, store)
    figures = link_figures(executed)
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(executed)
    page = folder / "index.html"
    try:
        write_figures(folder / FOLDER, figures)
        write_file(page, _wrap(body, store).encode())
    except OSError as error:
        raise StoreError(f"cannot write {page}: {error}; give another folder with report=...") from error
    return page


def execute(notebook: Path, store: StorePath) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells on a store.

    Raises:
        StoreError: A cell fails; the message is that of the cell.
    """
    node = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        node,
        timeout=_TIMEOUT_S,
        resources={"metadata": {"path": str(notebook.parent)}},
        extra_arguments=_KERNEL_OPTIONS,
        config=Config(KernelManager={"transport_encryption": "auto"}),
    )
    try:
        return client.execute(env={**os.environ, "HARNESS_STORE": str(store.resolve())})
    except CellExecutionError as error:
        raise StoreError(f"{notebook.name} cannot be shown on {store}: {error.ename}: {error.evalue}") from error


def _wrap(body: str, store: StorePath) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Calibration of NATS-Bench networks</title><style>{_STYLE}</style></head>\n"
        f"<body><main>{body}</main>\n"
        f"<footer>Made {now:%Y-%m-%d %H:%M} UTC from the store {html.escape(str(store))}.</footer></body></html>\n"
    )
