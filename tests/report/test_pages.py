"""The pages of models, of the gate and of provenance hold what the store holds, and say what it lacks."""

import json
import re

import pytest

from harness.report import models
from harness.report.gate import gate_and_failures
from harness.report.provenance import provenance
from harness.report.tables import html_table
from harness.store import StoreRoot, open_store

from .conftest import SSS, TSS


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_of_models_holds_the_numbers_of_the_store(made_store):
    page = models.models(made_store, "clean")
    assert re.search(r"<li>tss on cifar10: [^<]*one network of each [^<]*; source [^<]*, seed 777, [^<]*</li>", page), (
        page
    )
    data = data_of(page)
    assert {(row[0], row[1], row[2]) for row in data["rows"]} == {
        *(("tss", dataset, index) for index in TSS for dataset in ("cifar10", "cifar100")),
        *(("sss", "cifar10", index) for index in SSS),
    }
    rows = made_store.measurements(protocol="clean", space="tss", dataset="cifar10", seed=777).df()
    for row in data["rows"]:
        if row[:2] == ["tss", "cifar10"]:
            of_network = rows[rows["arch_index"] == row[2]].set_index("calibrator")
            assert row[3] == pytest.approx(100 * of_network.loc["none", "acc"], abs=1e-4)
            assert row[5] == pytest.approx(100 * of_network.loc["temperature", "ECE_15"], abs=1e-4)
    place = next(i for i, row in enumerate(data["rows"]) if row[:3] == ["tss", "cifar10", TSS[0]])
    counts, _, accuracies = data["diagrams"][place]["temperature"]
    expected = rows[(rows["arch_index"] == TSS[0]) & (rows["calibrator"] == "temperature")].iloc[0]
    assert counts == expected["bin15_count"].tolist()
    assert accuracies == pytest.approx(expected["bin15_accuracy"].tolist(), abs=1e-4)


def test_of_many_networks_the_most_accurate_of_each_are_shown_and_the_rest_is_a_query(made_store, monkeypatch):
    monkeypatch.setattr(models, "MOST", 6)
    page = models.models(made_store, "clean")
    rows = data_of(page)["rows"]
    assert [row[:2] for row in rows] == [["tss", "cifar10"]] * 2 + [["tss", "cifar100"]] * 2 + [["sss", "cifar10"]] * 2
    accuracies = made_store.sql(
        "SELECT 100 * acc FROM measurements WHERE space = 'sss' AND calibrator = 'none' ORDER BY acc DESC"
    ).fetchall()
    assert [row[3] for row in rows[4:]] == pytest.approx([value for (value,) in accuracies[:2]], abs=1e-4)
    assert "6 of 21 networks" in page
    assert "harness query" in page


def test_the_gate_page_lists_what_fails(made_store):
    page = gate_and_failures(made_store)
    assert re.search(
        rf"<td[^>]*>{TSS[0]}</td><td[^>]*>cifar10</td><td[^>]*>200</td><td[^>]*>888</td><td>75.00</td>", page
    )


def test_the_page_of_provenance_has_each_run_and_escapes_what_it_shows(made_store):
    page = provenance(made_store)
    assert re.search(r">r</td>.*>run</td>.*>44</td>.*>abc</td>.*>yes</td>", page)
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_an_empty_store_says_what_to_run(tmp_path):
    StoreRoot.create(str(tmp_path / "store"))
    store = open_store(str(tmp_path / "store"))
    for page in (models.models(store, "clean"), gate_and_failures(store), provenance(store)):
        assert "harness run" in page


def test_cells_are_escaped_and_numbers_are_shown_for_reading():
    page = html_table(("name", "n", "share"), [("a<b", 12345, 0.5), (None, 0, float("nan"))], "What & why")
    assert '<td class="text">a&lt;b</td><td>12,345</td><td>0.50</td>' in page
    assert "<td></td><td>0</td><td></td>" in page
    assert '<th scope="col" class="text">name</th><th scope="col">n</th>' in page
    assert "What &amp; why" in page


def test_text_in_the_data_cannot_end_the_script(made_store, monkeypatch):
    monkeypatch.setattr(models, "OPERATION_COLOURS", {"</script><b>": "#000"})
    page = models.models(made_store, "clean")
    assert "</script><b>" not in page
    assert data_of(page)["colours"] == {"</script><b>": "#000"}
