"""Notebooks become pages, and their figures files beside them; what an earlier site left is replaced, no more."""

import base64
import re
from pathlib import Path

import nbformat
import pytest

from harness.errors import StoreError
from harness.report import Site
from harness.report.figures import link_figures
from harness.report.files import write_files
from harness.store import StoreRoot, open_store

NOTEBOOKS = sorted((Path(__file__).parents[2] / "analysis").glob("*.ipynb"))
DRAW = """
import matplotlib.pyplot as plt

figure, axes = plt.subplots()
axes.plot([1, 2], label="a line")
axes.set_title("A title")
plt.close(figure)
figure
"""


def notebook_of(*cells):
    """A notebook of cells given as (id, source, metadata); those with a heading are text."""
    make = {True: nbformat.v4.new_markdown_cell, False: nbformat.v4.new_code_cell}
    made = [make[source.startswith("#")](source, id=name, metadata=metadata) for name, source, metadata in cells]
    return nbformat.v4.new_notebook(cells=made)


def empty_store(folder):
    StoreRoot.create(str(folder / "store"))
    return open_store(str(folder / "store"))


def shown(*mimes):
    data = {mime: base64.b64encode(mime.encode()).decode() for mime in mimes}
    return nbformat.v4.new_output("execute_result", data={**data, "text/plain": "figure"})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A site of three notebooks, of which the second fails: its folder and its pages."""
    root = tmp_path_factory.mktemp("made")
    notebooks = {
        "overview": [("text", "# All of it", {}), ("a-line", DRAW, {"alt": "A line < a curve"})],
        "q1_fails": [("text", "# Will it fail?", {}), ("fails", "raise ValueError('no <such> row')", {})],
        "q2_draws": [
            ("text", "# Does it draw?", {}),
            ("a-line", DRAW, {}),
            ("left-over", "'left over' if 'axes' in globals() else 'clean'", {}),
            ("where", "import os; os.environ['HARNESS_STORE'], os.environ['HARNESS_WHOSE']", {}),
        ],
        "q3_clean": [
            ("text", "# Is it clean?", {}),
            ("left-over", "'left over' if 'axes' in globals() else 'clean'", {}),
        ],
    }
    for name, cells in notebooks.items():
        nbformat.write(notebook_of(*cells), root / f"{name}.ipynb")
    paths = tuple(root / f"{name}.ipynb" for name in notebooks)
    site = Site(paths, empty_store(root), "paper", root / "report")
    pages = list(site.make())
    assert not site.folder.exists(), "nothing is written before the end"
    site.write()
    return root / "report", pages, site


def test_every_notebook_is_a_page_that_leads_to_all_others(made):
    folder, pages, _ = made
    titles = [
        "All of it",
        "Will it fail?",
        "Does it draw?",
        "Is it clean?",
        "Models",
        "Gate and failures",
        "Provenance",
    ]
    assert [page.title for page in pages] == titles
    names = ["index.html", "q1_fails.html", "q2_draws.html", "q3_clean.html"]
    names += ["models.html", "gate.html", "provenance.html"]
    assert sorted(path.name for path in folder.glob("*.html")) == sorted(names)
    for name in names:
        page = (folder / name).read_text()
        assert re.findall(r'<li><a href="([^"]+)"', page) == names
        assert ">3. Is it clean?</a>" in page
        assert f'<a href="{name}" aria-current="page"' in page
        assert len(re.findall("<a[^>]+aria-current", page)) == 1
        assert ("numbers: paper" in page) == (name in ("q2_draws.html", "models.html")), "the others are of no protocol"


def test_a_notebook_that_fails_is_a_page_that_says_why_and_the_others_are_made(made):
    folder, pages, _ = made
    assert [page.fault for page in pages if page.fault] == ["ValueError: no <such> row"]
    assert "This page cannot be shown: ValueError: no &lt;such&gt; row" in (folder / "q1_fails.html").read_text()


def test_each_notebook_starts_clean_and_finds_the_store(made):
    folder, _, site = made
    drawn, clean = ((folder / f"{name}.html").read_text() for name in ("q2_draws", "q3_clean"))
    assert "left over" in drawn
    assert "clean" in clean
    assert "left over" not in clean
    assert str(site.store.root.path) in drawn


def test_a_figure_is_shown_and_lies_beside_the_page_the_same_each_time(made):
    folder, _, _ = made
    page = (folder / "index.html").read_text()
    assert page.count("<img") == 1
    assert 'alt="A line &lt; a curve"' in page
    assert 'href="figures/a-line.pdf"' in page
    figures = folder / "figures"
    names = ["a-line.pdf", "a-line.png", "q2_draws-a-line.pdf", "q2_draws-a-line.png"]
    assert sorted(path.name for path in figures.iterdir()) == names
    assert (figures / "a-line.png").read_bytes().startswith(b"\x89PNG")
    pdf = (figures / "a-line.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf
    for form in ("pdf", "png"):
        assert (figures / f"a-line.{form}").read_bytes() == (figures / f"q2_draws-a-line.{form}").read_bytes()


def test_files_are_named_by_their_cell_and_further_figures_of_a_cell_are_numbered():
    notebook = notebook_of(("text", "", {}), ("several", "", {}), ("bitmap", "", {}))
    several, bitmap = notebook.cells[1:]
    several.outputs = [shown("image/png", "application/pdf"), shown("text/html"), shown("image/png", "application/pdf")]
    bitmap.outputs = [shown("image/png")]
    assert link_figures(notebook) == {
        "figures/several.pdf": b"application/pdf",
        "figures/several.png": b"image/png",
        "figures/several-2.pdf": b"application/pdf",
        "figures/several-2.png": b"image/png",
        "figures/bitmap.png": b"image/png",
    }
    assert "image/png" in several.outputs[0].data["text/html"]
    assert 'alt="bitmap"' in bitmap.outputs[0].data["text/html"]
    assert "pdf" not in bitmap.outputs[0].data["text/html"].lower()


def test_files_of_an_earlier_site_are_removed_and_those_of_others_are_not(tmp_path):
    write_files(tmp_path, {"index.html": b"1", "figures/one.png": b"1", "figures/two.png": b"2"})
    (tmp_path / "figures" / "mine.png").write_bytes(b"mine")
    write_files(tmp_path, {"index.html": b"2", "figures/two.png": b"new", "figures/three.png": b"3"})
    found = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    assert found == {"two.png": b"new", "three.png": b"3", "mine.png": b"mine"}
    assert (tmp_path / "files.txt").read_text().split() == ["figures/three.png", "figures/two.png", "index.html"]


@pytest.mark.parametrize("listed", ["../precious.png", "/precious.png", "figures/../../precious.png", ""])
def test_a_list_that_was_tampered_with_removes_nothing_elsewhere(tmp_path, listed):
    (tmp_path / "precious.png").write_bytes(b"")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "files.txt").write_text(f"{listed if listed[:1] != '/' else tmp_path / 'precious.png'}\n")
    write_files(folder, {})
    assert (tmp_path / "precious.png").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    site = Site((), empty_store(tmp_path), "clean", tmp_path / "taken")
    with pytest.raises(StoreError, match=r"cannot write .*index.html: .*report="):
        site.write()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin_and_stripped_and_their_figures_are_named_and_described(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].source.startswith("# ")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        assert not cell.outputs
        assert cell.execution_count is None
        assert re.fullmatch("[a-z]+(-[a-z]+)*", cell.id), "figures are files of this name"
        assert not re.search(r"^\s*(def|class) |lambda", cell.source, re.MULTILINE)
        if re.search(r"\.figure$", cell.source):
            assert len(cell.metadata["alt"]) > 40
    assert any("alt" in cell.metadata for cell in code)


def test_there_is_a_notebook_for_each_question():
    assert [path.stem for path in NOTEBOOKS] == [
        "overview",
        "q10_shift",
        "q11_calibrators",
        "q12_search",
        "q1_generalisation",
        "q2_robustness",
        "q3_agreement",
        "q4_post_hoc",
        "q5_accuracy",
        "q6_bins",
        "q7_design",
        "q8_identity",
        "q9_noise",
    ]
