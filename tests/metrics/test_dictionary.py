"""The dictionary as text: every measurement is in it, numbers of bins are condensed, the committed page is current."""

import importlib
import re
from pathlib import Path

import pytest

from harness.metrics import FAMILIES, MEASUREMENTS, OTHER_FAMILIES, REPLICATES_FAMILY
from harness.metrics.dictionary import entries, page, summary

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_page_is_what_the_dictionary_gives():
    assert (DOCS / "measurements.md").read_text() == page(), "`make docs` writes it"


def test_lines_stand_for_every_measurement_once():
    found = [row for entry in entries(MEASUREMENTS) for row in entry.rows]
    assert sorted(row.name for row in found) == sorted(row.name for row in MEASUREMENTS)
    names = [
        name
        for entry in entries(FAMILIES["study"].measurements)
        for name in ([entry.name.replace("_M", f"_{m}") for m in entry.bin_counts] or [entry.name])
    ]
    assert names == [row.name for row in FAMILIES["study"].measurements]
    assert [entry.name for entry in entries(MEASUREMENTS)][:6] == [
        "ECE_M",
        "ECE_em_M",
        "cwCE_M",
        "cwCE_em_M",
        "MCE_M",
        "KSCE",
    ]


def test_a_line_says_range_direction_and_bins():
    of = {entry.name: entry for entry in entries(MEASUREMENTS)}
    assert (of["NLL"].range, of["NLL"].better, of["NLL"].legend) == ("[0, inf)", "lower", "")
    assert (of["net_over_confidence"].range, of["net_over_confidence"].better) == ("[-1, 1]", "")
    assert (of["Brier_sum"].range, of["acc"].better) == ("[0, 2]", "higher")
    assert of["cwACE_M"].legend == "M = 5, 10, 15, 20, 25, 50, 100, 200, 500"


def test_what_is_said_of_the_uncertainty_of_many_is_said_once():
    low, _, _, reliable = entries(FAMILIES["intervals"].measurements)
    assert low.legend.startswith("X = ECE_15, ECE_em_15, cwCE_15")
    assert low.definition == "lower end of the 95 % pivot interval of X"
    assert (low.unit, low.range, low.better) == ("as X", "(-inf, inf)", "")
    assert (reliable.unit, reliable.formula) == ("1", "[X >= 3 |X_bias|]")
    (replicates,) = entries(REPLICATES_FAMILY.measurements)
    assert (replicates.name, replicates.range, replicates.better) == ("X_replicates", "as X", "as X")


@pytest.mark.parametrize("member", [*FAMILIES.values(), *OTHER_FAMILIES.values()], ids=lambda member: member.name)
def test_every_family_has_a_section_with_a_sentence_and_a_row_per_line(member):
    section = page().split(f"## {member.name}\n\n")[1].split("\n## ")[0]
    sentence, _, table = section.partition("\n\n")
    assert sentence == summary(member)
    assert sentence.endswith(".")
    rows = table.strip().splitlines()[2:]
    assert len(rows) == len(entries(member.measurements))
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {11}, "no formula ends a cell"


def test_the_page_leads_to_the_functions():
    links = re.findall(r"\[`(\w+)`\]\((\S+)\)", page())
    lines = entries([*MEASUREMENTS, *REPLICATES_FAMILY.measurements])
    assert len(links) == sum(len({row.function for row in entry.rows}) == 1 for entry in lines)
    for name, path in links:
        assert (DOCS / path).is_file()
        module = importlib.import_module(path.removeprefix("../").removesuffix(".py").replace("/", "."))
        assert callable(getattr(module, name))
