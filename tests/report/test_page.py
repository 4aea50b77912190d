"""A notebook becomes a page, and its figures files beside it; what an earlier report left is replaced, no more."""

import base64
import re
from pathlib import Path

import nbformat
import pytest

from harness.errors import StoreError
from harness.report import build_page
from harness.report.figures import link_figures, write_figures

OVERVIEW = Path(__file__).parents[2] / "analysis" / "overview.ipynb"
DRAW = """
import matplotlib.pyplot as plt

figure, axes = plt.subplots()
axes.plot([1, 2], label="a line")
axes.set_title("A title")
plt.close(figure)
figure
"""


def notebook_of(*cells):
    """A notebook of code cells given as (id, source, metadata)."""
    made = [nbformat.v4.new_code_cell(source, id=name, metadata=metadata) for name, source, metadata in cells]
    return nbformat.v4.new_notebook(cells=made)


def shown(*mimes):
    data = {mime: base64.b64encode(mime.encode()).decode() for mime in mimes}
    return nbformat.v4.new_output("execute_result", data={**data, "text/plain": "figure"})


@pytest.fixture
def build(tmp_path):
    """Build a page of some code cells into a folder of this test."""

    def build(*cells, folder="report"):
        nbformat.write(notebook_of(*cells), tmp_path / "made.ipynb")
        return build_page(tmp_path / "made.ipynb", tmp_path / "store", tmp_path / folder)

    return build


def test_a_figure_is_shown_and_lies_beside_the_page_the_same_each_time(build, tmp_path):
    page = build(("a-line", DRAW, {"alt": "A line < a curve"})).read_text()
    assert page.count("<img") == 1
    assert 'alt="A line &lt; a curve"' in page
    assert 'href="figures/a-line.pdf"' in page
    folder = tmp_path / "report" / "figures"
    assert sorted(path.name for path in folder.iterdir()) == ["a-line.pdf", "a-line.png", "files.txt"]
    assert (folder / "a-line.png").read_bytes().startswith(b"\x89PNG")
    pdf = (folder / "a-line.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf
    build(("a-line", DRAW, {}), folder="again")
    for name in ("a-line.pdf", "a-line.png"):
        assert (tmp_path / "again" / "figures" / name).read_bytes() == (folder / name).read_bytes()


def test_a_cell_that_fails_is_told_and_leaves_the_earlier_report(build, tmp_path):
    write_figures(tmp_path / "report" / "figures", {"old.png": b"old"})
    with pytest.raises(StoreError, match=r"made.ipynb cannot be shown on .*: ValueError: no such row"):
        build(("fails", "raise ValueError('no such row')", {}))
    assert (tmp_path / "report" / "figures" / "old.png").exists()
    assert not (tmp_path / "report" / "index.html").exists()


def test_files_are_named_by_their_cell_and_further_figures_of_a_cell_are_numbered():
    notebook = notebook_of(("text", "", {}), ("several", "", {}), ("bitmap", "", {}))
    several, bitmap = notebook.cells[1:]
    several.outputs = [shown("image/png", "application/pdf"), shown("text/html"), shown("image/png", "application/pdf")]
    bitmap.outputs = [shown("image/png")]
    assert link_figures(notebook) == {
        "several.pdf": b"application/pdf",
        "several.png": b"image/png",
        "several-2.pdf": b"application/pdf",
        "several-2.png": b"image/png",
        "bitmap.png": b"image/png",
    }
    assert "image/png" in several.outputs[0].data["text/html"]
    assert 'alt="bitmap"' in bitmap.outputs[0].data["text/html"]
    assert "pdf" not in bitmap.outputs[0].data["text/html"].lower()


def test_figures_of_an_earlier_report_are_removed_and_files_of_others_are_not(tmp_path):
    write_figures(tmp_path, {"one.png": b"1", "two.png": b"2"})
    (tmp_path / "mine.png").write_bytes(b"mine")
    write_figures(tmp_path, {"two.png": b"new", "three.png": b"3"})
    found = {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert found == {"two.png": b"new", "three.png": b"3", "mine.png": b"mine"}
    assert (tmp_path / "files.txt").read_text().split() == ["three.png", "two.png"]


def test_a_list_that_was_tampered_with_removes_nothing_elsewhere(tmp_path):
    (tmp_path / "precious.png").write_bytes(b"")
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "files.txt").write_text("../precious.png\n")
    write_figures(folder, {})
    assert (tmp_path / "precious.png").exists()


def test_a_folder_that_cannot_be_written_is_named(build, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write .*index.html: .*report="):
        build(("nothing", "1", {}), folder="taken")


def test_the_notebook_is_thin_and_stripped_and_its_figures_are_named_and_described():
    notebook = nbformat.read(OVERVIEW, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        assert not cell.outputs
        assert cell.execution_count is None
        assert re.fullmatch("[a-z]+(-[a-z]+)*", cell.id), "figures are files of this name"
        assert not re.search(r"^\s*(def|class) |lambda", cell.source, re.MULTILINE)
    described = [cell.id for cell in code if "alt" in cell.metadata]
    assert described == [
        "reliability-diagrams",
        "error-against-accuracy",
        "before-and-after",
        "bin-sizes",
        "ood-detection",
        "ood-against-accuracy",
        "paper-against-clean",
    ]
