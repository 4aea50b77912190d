"""The figures of an executed notebook as files, a PNG and a PDF each, named by the id of the cell that shows it."""

import base64
import html
from pathlib import Path

import nbformat

from harness.atomic import write_file

FOLDER = "figures"
_LIST = "files.txt"
_PNG, _PDF = "image/png", "application/pdf"


def link_figures(notebook: nbformat.NotebookNode) -> dict[str, bytes]:
    """Return the figures of a notebook as files by name; in the notebook they become images that link to these files.

    Args:
        notebook: Executed, and changed in place. The metadatum ``alt`` of a cell describes its figure to those who do
            not see it.
    """
    files: dict[str, bytes] = {}
    for cell in notebook.cells:
        shown = [output for output in cell.get("outputs", []) if _PNG in output.get("data", {})]
        for i, output in enumerate(shown):
            name = cell.id if i == 0 else f"{cell.id}-{i + 1}"
            own = {
                f"{name}.{mime.split('/')[1]}": base64.b64decode(output.data[mime])
                for mime in (_PDF, _PNG)
                if mime in output.data
            }
            output.data = {"text/html": _image(output, list(own), cell.metadata.get("alt", name.replace("-", " ")))}
            files |= own
    return files


def write_figures(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder, and remove those that an earlier report wrote there and this one does not have.

    What a report wrote stands in a list beside it, so that nothing else in the folder is ever removed.

    Args:
        folder: The folder, made if there is none.
        files: What goes there, by name.

    Raises:
        OSError: A file cannot be written.
    """
    listed = folder / _LIST
    earlier = listed.read_text(encoding="utf-8").split() if listed.exists() else []
    write_file(listed, "".join(f"{name}\n" for name in sorted({*earlier, *files})).encode())
    for name, content in files.items():
        write_file(folder / name, content)
    for name in set(earlier) - set(files):
        (folder / Path(name).name).unlink(missing_ok=True)
    write_file(listed, "".join(f"{name}\n" for name in sorted(files)).encode())


def _image(output: nbformat.NotebookNode, names: list[str], alt: str) -> str:
    """Return the figure of an output as HTML: the image itself, and links to its files."""
    size = output.metadata.get(_PNG, {})
    width = f' width="{size["width"]}"' if "width" in size else ""
    links = " ".join(f'<a href="{FOLDER}/{html.escape(name)}">{name.rsplit(".", 1)[1].upper()}</a>' for name in names)
    source = f"data:{_PNG};base64,{output.data[_PNG].strip()}"
    return f'<figure><img src="{source}" alt="{html.escape(alt)}"{width}><figcaption>{links}</figcaption></figure>'
