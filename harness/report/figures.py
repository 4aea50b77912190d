"""The figures of an executed notebook as files, a PNG and a PDF each, named by the id of the cell that shows it."""

import base64
import html

import nbformat

FOLDER = "figures"
_PNG, _PDF = "image/png", "application/pdf"


def link_figures(notebook: nbformat.NotebookNode, prefix: str = "") -> dict[str, bytes]:
    """Return the figures of a notebook as files by path; in the notebook they become images that link to these files.

    Args:
        notebook: Executed, and changed in place. The metadatum ``alt`` of a cell describes its figure to those who do
            not see it.
        prefix: How the names of the files begin.
    """
    files: dict[str, bytes] = {}
    for cell in notebook.cells:
        shown = [output for output in cell.get("outputs", []) if _PNG in output.get("data", {})]
        for i, output in enumerate(shown):
            name = prefix + (cell.id if i == 0 else f"{cell.id}-{i + 1}")
            own = {
                f"{FOLDER}/{name}.{mime.split('/')[1]}": base64.b64decode(output.data[mime])
                for mime in (_PDF, _PNG)
                if mime in output.data
            }
            alt = cell.metadata.get("alt", cell.id.replace("-", " "))
            output.data = {"text/html": _image(output, list(own), alt)}
            files |= own
    return files


def _image(output: nbformat.NotebookNode, names: list[str], alt: str) -> str:
    """Return the figure of an output as HTML: the image itself, and links to its files."""
    size = output.metadata.get(_PNG, {})
    width = f' width="{size["width"]}"' if "width" in size else ""
    links = " ".join(f'<a href="{html.escape(name)}">{name.rsplit(".", 1)[1].upper()}</a>' for name in names)
    source = f"data:{_PNG};base64,{output.data[_PNG].strip()}"
    return f'<figure><img src="{source}" alt="{html.escape(alt)}"{width}><figcaption>{links}</figcaption></figure>'
