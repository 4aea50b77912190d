"""A family of one's own, from the file that the documentation shows to numbers in the store."""

import re
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from harness.store import open_store

PAGE = Path(__file__).parents[2] / "docs" / "own_family.md"
KEY = ["arch_index", "seed", "calibrator"]


@pytest.fixture
def example(tmp_path):
    """The file that the documentation shows."""
    path = tmp_path / "my_family.py"
    path.write_text(re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])
    return path


@pytest.fixture
def harness(overrides, tmp_path, capsys):
    def call(command, *more, runner="runner=local"):
        archives = [override for override in overrides if override != "runner=local"]
        small = [*archives, runner, f"results={tmp_path}", "study.spaces=[tss]", "study.seeds=[777]"]
        code = main([*command, *small, *more])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def rows_of(root):
    return open_store(str(root / "store")).measurements().df().set_index(KEY).sort_index()


def test_a_family_is_added_to_a_store_and_read_like_any_other(harness, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert harness(["run"], "study.families=[study]")[0] == 0
    before = rows_of(tmp_path)
    own = "study.families=[study,sharpness,./my_family.py]"
    code, out, err = harness(["run"], own)
    assert code == 0, err
    rows = rows_of(tmp_path)
    assert len(rows) == len(before) == 8
    assert rows["ECE_15"].tolist() == before["ECE_15"].tolist(), "what was there is there"
    np.testing.assert_allclose(rows["gap"], rows["net_over_confidence"].abs(), rtol=1e-12)
    assert {tuple(tags) for tags in rows["families"]} == {("gaps@1", "sharpness@1", "study@1")}

    unsure = rows[rows["gap_where_sure"].isna()]
    assert 0 < len(unsure) < len(rows), "the constant predictor is never sure"
    assert {dict(reasons)["gap_where_sure"] for reasons in unsure["reasons"]} == {"no confidence is above 0.9"}

    tidy = open_store(str(tmp_path / "store")).tidy().df()
    of_gap = tidy[tidy["metric"] == "gap"].set_index(KEY).sort_index()
    assert of_gap["value"].tolist() == rows["gap"].tolist()
    assert of_gap["n_bins"].isna().all()
    assert (tidy["metric"] == "gap_where_sure").sum() == len(rows) - len(unsure)

    code, out, _ = harness(["query", "SELECT round(max(own['gap']), 6) AS largest FROM measurements"])
    assert (code, str(round(rows["gap"].max(), 6)) in out) == (0, True)
    code, out, _ = harness(["verify"], own)
    assert (code, "sound and complete" in out) == (0, True)
    assert "nothing to do" in harness(["run"], f"study.families=[study,sharpness,{example}]")[1], "wherever it lies"


def test_a_family_that_is_not_named_is_never_lost(harness, example, tmp_path):
    assert harness(["run"], f"study.families=[study,{example}]")[0] == 0
    before = rows_of(tmp_path)
    code, out, _ = harness(["run"], "study.families=[study]")
    assert (code, "nothing to do" in out) == (0, True)
    for command in ("plan", "run", "verify"):
        code, _, err = harness([command], "study.families=[study,signed]")
        assert code == 2
        assert "hold measurements of the family gaps, which is none of the harness's: add its file" in err
    assert rows_of(tmp_path).equals(before)
    assert harness(["run"], f"study.families=[study,signed,{example}]")[0] == 0
    assert rows_of(tmp_path)["gap"].tolist() == before["gap"].tolist()


def test_a_raised_version_is_measured_and_read(harness, example, tmp_path):
    assert harness(["run"], f"study.families=[study,{example}]")[0] == 0
    before = rows_of(tmp_path)
    second = example.with_name("second.py")
    text = example.read_text().replace("return float(abs(", "return 0.5 * float(abs(")
    second.write_text(text.replace("version=1", "version=2"))
    assert harness(["run"], f"study.families=[study,{second}]")[0] == 0
    rows = rows_of(tmp_path)
    assert {tuple(tags) for tags in rows["families"]} == {("gaps@2", "study@1")}
    np.testing.assert_allclose(rows["gap"], before["gap"] / 2)
    assert harness(["verify"], f"study.families=[study,{second}]")[0] == 0


def test_workers_of_ray_find_the_file(harness, example, tmp_path):
    ray = ["runner.workers=1", "limit=1", f"study.families=[{example}]"]
    code, _, err = harness(["run"], *ray, runner="runner=ray")
    assert code == 0, err
    rows = rows_of(tmp_path)
    assert rows["gap"].notna().all()
    assert rows["acc"].isna().all(), "no other family was asked for"


def test_a_function_that_fails_is_a_failure_with_its_reason(harness, example, tmp_path):
    example.write_text(example.read_text().replace("sure.any()", "sure.nothing()"))
    code, _, _ = harness(["run"], "limit=1", f"study.families=[study,{example}]")
    assert code == 1
    failures = open_store(str(tmp_path / "store")).failures().df()
    assert set(failures["stage"]) == {"measurement"}
    assert failures["message"].str.startswith("family gaps: its function raised AttributeError: ").all()
    assert failures["traceback"].str.contains("my_family.py").all()


def test_a_family_that_fails_holds_up_no_other(harness, example, tmp_path):
    one = "limit=1"
    assert harness(["run"], one, "study.families=[study]")[0] == 0
    good = example.read_text()
    example.write_text(good.replace("sure.any()", "sure.nothing()"))
    with_bad = f"study.families=[study,{example}]"
    assert harness(["run"], one, with_bad)[0] == 1
    code, out, _ = harness(["status"], one, with_bad)
    assert code == 1, "what failed is on record, though its rows of the other family are there"
    assert re.search(r"failed: [12] units", out)
    assert harness(["run"], one, "study.families=[study,signed]")[0] == 0
    assert rows_of(tmp_path)["over_confidence_15"].notna().all()
    assert harness(["status"], one, "study.families=[study,signed]")[0] == 0
    code, out, _ = harness(["run"], one, with_bad)
    assert code == 1, "not tried again by itself"


def test_measure_and_describe_show_it(harness, example, tmp_path):
    np.savez(tmp_path / "mine.npz", probs=np.array([[0.75, 0.25], [0.75, 0.25]]), labels=np.array([0, 1]))
    families = f"study.families=[{example}]"
    code, out, _ = harness(["measure", str(tmp_path / "mine.npz")], families)
    assert code == 0
    assert re.search(r"gap +0\.25 +probability", out)
    assert re.search(r"gap_where_sure +probability +no confidence is above 0\.9", out)
    code, out, _ = harness(["query", "--describe"], families)
    assert code == 0
    assert re.search(r"own\['gap'\] +probability +\[0, 1\] +lower +how far mean confidence and accuracy", out)
    for name in ("gap", "own['gap']"):
        code, out, _ = harness(["query", "--describe", name], families)
        assert code == 0
        assert re.search(r"column +own\['gap'\]", out)
        assert re.search(r"unit +probability", out)


GOOD = """
from harness.metrics import Family, Measurement

def rows(*names):
    return tuple(
        Measurement(name=name, definition="d", formula="f", source="s", function=len) for name in names
    )

FAMILY = Family("mine", version=1, measurements=rows("one"), function=lambda probs, labels: {"one": 1.0})
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 / 0", r"bad.py: cannot be imported: ZeroDivisionError: division by zero, in line 1"),
        ("if", r"bad.py: cannot be imported: SyntaxError"),
        ("family = 1", r"bad.py: expected FAMILY to be a harness.metrics.Family, got None"),
        (GOOD + "FAMILY = len", r"expected FAMILY to be a harness.metrics.Family, got <built-in function len>"),
        (GOOD.replace('"mine"', '"study"'), r"family study: there is another family study; give it another name"),
        (GOOD.replace('"mine"', '"OOD"'), r"family OOD: there is another family ood"),
        (GOOD.replace('rows("one")', 'rows("ece_15")'), r"the family study has a measurement ece_15 too"),
        (GOOD.replace('rows("one")', 'rows("Temperature")'), r"the store has a column Temperature already"),
        (GOOD.replace('rows("one")', 'rows("origin")'), r"the store has a column origin already"),
        (GOOD.replace('rows("one")', 'rows("1st")'), r"expected a name of letters, digits and _, got '1st'"),
        (GOOD.replace('"mine"', '"my family"'), r"expected a name of letters, digits and _, got 'my family'"),
        (GOOD.replace('rows("one")', 'rows("one", "One")'), r"each listed once, got one, One"),
        (GOOD.replace('rows("one")', "()"), r"expected measurements"),
        (GOOD.replace("version=1", "version=0"), r"expected a whole version of at least 1, got 0"),
    ],
)
def test_a_file_that_defines_no_family_is_refused(harness, tmp_path, content, message):
    path = tmp_path / "bad.py"
    path.write_text(content)
    code, _, err = harness(["plan"], f"study.families=[study,{path}]")
    assert code == 2
    assert err.startswith("harness: error: study.families: ")
    assert re.search(message, err), err


def test_places_that_are_no_family_are_refused(harness, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("good", "same", "shares"):
        (tmp_path / f"{name}.py").write_text(GOOD.replace('"mine"', '"other"') if name == "shares" else GOOD)
    for families, message in (
        ("./nothing.py", r"nothing.py: no such file"),
        ("./good.txt", r"./good.txt: expected a file that ends in .py or a module"),
        ("my_lab.nothing", r"my_lab.nothing: cannot be imported: ModuleNotFoundError: No module named 'my_lab'"),
        ("./good.py,good.py", r"good.py is listed twice"),
        ("./good.py,./same.py", r"family mine: there is another family mine"),
        ("./good.py,./shares.py", r"family other: the family mine has a measurement one too"),
    ):
        code, _, err = harness(["plan"], f"study.families=[study,{families}]")
        assert code == 2
        assert re.search(message, err), err


def test_a_module_that_can_be_imported_is_a_place_too(harness, tmp_path, monkeypatch):
    package = tmp_path / "own_family_lab"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "calibration.py").write_text(GOOD)
    monkeypatch.syspath_prepend(tmp_path)
    code, _, err = harness(["run"], "limit=1", "study.families=[own_family_lab.calibration]")
    assert code == 0, err
    assert set(rows_of(tmp_path)["one"]) == {1.0}
