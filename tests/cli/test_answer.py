"""Answers of queries as they are printed: never broken within a value, and what is not shown is said."""

import pytest

from harness.cli.answer import print_answer


@pytest.fixture
def lines(capsys):
    def printed(columns, rows):
        print_answer(columns, rows)
        return [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]

    return printed


def test_what_fits_stands_in_one_line_per_row(lines):
    found = lines(["space", "arch_index", "ECE_15"], [("tss", 1462, 0.02849743855267839), ("sss", None, 12345678.0)])
    assert [line.split() for line in (found[0], *found[2:])] == [
        ["space", "arch_index", "ECE_15"],
        ["tss", "1462", "0.0284974"],
        ["sss", "1.23457e+07"],
    ]


def test_numbers_stand_right_and_text_left(lines):
    found = lines(["n", "name"], [(1, "a"), (10, "bb")])
    assert found[2:] == ["1   a", "10   bb"]


def test_long_values_are_cut_where_they_do_not_fit(lines, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = lines(["a", "b"], [("x" * 50, "y" * 10)])
    assert found[2].split() == ["x" * 50, "y" * 10], "it fits"
    found = lines(["a", "b"], [("x" * 90, "y" * 10)])
    assert found[2].split() == ["x" * 39 + "…", "y" * 10]


def test_many_columns_become_lines_and_nothing_is_left_out_in_silence(lines, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    columns = [f"column_{i}" for i in range(30)]
    rows = [(*range(29), None)] * 5
    found = lines(columns, rows)
    assert found[0].split() == ["column", "row", "1", "row", "2"]
    assert found[2].split() == ["column_0", "0", "0"]
    assert len(found) == 2 + 29 + 2
    assert "2 of 5 rows: 30 columns do not fit" in found[-2]
    assert "1 columns that are null" in found[-1]
    assert max(map(len, found)) <= 100


def test_text_is_no_markup_and_stays_in_its_line(lines):
    assert lines(["v"], [("[red]a[/x]\nb",)])[2] == "[red]a[/x] b"


def test_what_would_control_a_terminal_is_not_printed(lines):
    assert lines(["v"], [("a\x1b[31mb",)])[2] == "a\ufffd[31mb"


@pytest.mark.parametrize("n_columns", [1, 200])
def test_an_answer_without_rows_says_so(lines, n_columns):
    assert " ".join(lines([f"c{i}" for i in range(n_columns)], [])).startswith("no rows; columns: c0")
