"""A notebook, executed on a store, becomes one HTML page that needs no network: text, tables and figures, no code."""

import datetime
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from traitlets.config import Config

from harness.errors import StoreError

_TIMEOUT_S = 600
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.2rem; border-top: 1px solid #ddd; padding-top: 1.2rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 0.82rem; }
td:last-child, th:last-child { text-align: left; }
th, td { padding: 0.25rem 0.6rem; text-align: right; border: 0; border-bottom: 1px solid #e3e3e3; }
thead th { border-bottom: 2px solid #888; position: sticky; top: 0; background: #fff; }
.jp-OutputArea-output, .output_area { overflow-x: auto; }
.anchor-link { display: none; }
footer { color: #595959; font-size: 0.85rem; margin-top: 3rem; border-top: 1px solid #ddd; padding-top: 0.6rem; }
@media print { body { max-width: none; } thead th { position: static; } }
"""


def build_page(notebook: Path, store: Path, folder: Path) -> Path:
    """Execute a notebook on a store, write it as ``index.html`` of a folder, and return that file.

    Args:
        notebook: The notebook; it reads the store that ``$HARNESS_STORE`` names.
        store: Root of the store.
        folder: Where the page goes; made if there is none.

    Raises:
        StoreError: A cell fails on this store, or the folder cannot be written.
    """
    executed = execute(notebook, store)
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(executed)
    page = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(_wrap(body, store), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {page}: {error}; give another folder with report=...") from error
    return page


def execute(notebook: Path, store: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells on a store.

    Raises:
        StoreError: A cell fails; the message is that of the cell.
    """
    node = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        node,
        timeout=_TIMEOUT_S,
        resources={"metadata": {"path": str(notebook.parent)}},
        config=Config(KernelManager={"transport_encryption": "auto"}),
    )
    try:
        return client.execute(env={**os.environ, "HARNESS_STORE": str(store.resolve())})
    except CellExecutionError as error:
        raise StoreError(f"{notebook.name} cannot be shown on {store}: {error.ename}: {error.evalue}") from error


def _wrap(body: str, store: Path) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Calibration of NATS-Bench networks</title><style>{_STYLE}</style></head>\n"
        f"<body><main>{body}</main>\n"
        f"<footer>Made {now:%Y-%m-%d %H:%M} UTC from the store {store}.</footer></body></html>\n"
    )
