"""What the commands print: a table's title stays whole."""

from harness.cli.output import print_table


def test_a_long_path_in_a_title_stays_one_word(capsys):
    path = "/results/" + 30 * "folder-"
    print_table(f"rows of {path}", ("a", "b"), [(1, "x")])
    assert f"rows of {path}\n" in capsys.readouterr().out
