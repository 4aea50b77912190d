"""Comparing stores, protocols and imported tables."""

import csv

import numpy as np
import pytest
from scipy import stats

from harness import spaces

from .conftest import measured, pre_and_post


def lines(path):
    with path.open() as file:
        return {(row["calibrator"], row["condition"], row["measurement"]): row for row in csv.DictReader(file)}


def test_a_protocol_against_itself_in_another_store(harness, tmp_path, own):
    rows = [row for index in range(20) for row in pre_and_post(index, protocol="clean")]
    own(*rows)
    shifted = [row | {"NLL": row["NLL"] + 0.25, "KSCE": 1 - row["KSCE"], "MMCE": 0.5} for row in rows]
    other = own(*shifted, folder="other")
    code, out, err = harness("compare", "clean", other, "--out", tmp_path / "lines.csv")
    assert (code, err) == (0, "")
    assert f"tss, cifar10: A = clean, B = {other}" in out
    found = lines(tmp_path / "lines.csv")
    same = found["none", "unshifted", "ECE_15"]
    assert (same["n"], same["median_difference"], same["largest_difference"]) == ("20", "0.0", "0.0")
    assert (float(same["tau"]), float(same["spearman"])) == pytest.approx((1.0, 1.0))
    assert float(found["temperature", "unshifted", "NLL"]["median_difference"]) == pytest.approx(0.25)
    assert float(found["none", "unshifted", "KSCE"]["tau"]) == pytest.approx(-1.0)
    assert found["none", "unshifted", "MMCE"]["tau"] == "", "a constant has no ranks"
    assert "none" in out


def test_every_measurement_is_compared_if_asked(harness, tmp_path, own):
    own(*(row for index in (0, 1) for protocol in ("clean", "paper") for row in pre_and_post(index, protocol=protocol)))
    harness("compare", "clean", "paper", "--out", tmp_path / "some.csv")
    harness("compare", "clean", "paper", "--all", "--out", tmp_path / "all.csv")
    some, everything = lines(tmp_path / "some.csv"), lines(tmp_path / "all.csv")
    for key, line in some.items():
        assert float(everything[key]["median_difference"]) == float(line["median_difference"])
        assert everything[key]["n"] == line["n"] == "2"
    assert ("none", "unshifted", "ECE_500") in everything
    assert ("none", "unshifted", "ECE_500") not in some


def test_our_rows_against_a_published_table(harness, tmp_path, own, tss_frame):
    space = spaces.get("tss")
    own(
        *(row for index in range(12) for row in pre_and_post(index)),
        *(measured(i, condition="svhn") for i in range(12)),
    )
    tss_frame.to_csv(tmp_path / "cifar10_tss.csv", index=False)
    harness("import", "published", tmp_path / "cifar10_tss.csv")
    code, out, err = harness("compare", "paper", "published", "--out", tmp_path / "lines.csv")
    assert (code, err) == (0, "")
    assert "published: 9,159 rows left out, which repeat the numbers of an isomorphic network" in out
    unique = [index for index in range(12) if space.representative(index) == index]
    found = lines(tmp_path / "lines.csv")
    mine = np.array([pre_and_post(index)[1]["cwACE_15"] for index in unique])
    theirs = tss_frame.loc[unique, "post_cwCE_em_15"].to_numpy()
    line = found["temperature", "unshifted", "cwACE_15"]
    assert int(line["n"]) == len(unique)
    assert float(line["median_difference"]) == pytest.approx(np.median(theirs - mine))
    assert float(line["tau"]) == pytest.approx(stats.kendalltau(mine, theirs).statistic)
    assert int(line["largest_at"]) == unique[int(np.argmax(np.abs(theirs - mine)))]
    assert int(found["none", "svhn", "ood_auroc"]["n"]) == len(unique)
    assert ("none", "unshifted", "cwCE_em_15") not in found, "the published topologies do not hold it"


def test_two_imported_tables(harness, tmp_path, some, tss_frame):
    some.to_csv(tmp_path / "cifar10_tss.csv", index=False)
    harness("import", "published", tmp_path / "cifar10_tss.csv", "--partial")
    names = ["clean_acc", *(name for name in tss_frame.columns if "Linf" in name)]
    tss_frame.rename(columns={"acc": "clean_acc"})[names].to_csv(tmp_path / "attack_acc.csv", index=False)
    harness("import", "robustness", tmp_path / "attack_acc.csv")
    code, _, err = harness("compare", "published", "robustness", "--out", tmp_path / "lines.csv")
    assert (code, err) == (0, "")
    found = lines(tmp_path / "lines.csv")
    assert {key[1] for key in found} == {"unshifted", "fgsm", "pgd", "apgd_ce", "square"}
    assert {float(line["largest_difference"]) for line in found.values()} == {0.0}


def test_a_choice_is_asked_for_where_a_network_has_several_rows(harness, own):
    own(
        *(row for i in (0, 1) for seed in (777, 888) for row in pre_and_post(i, protocol="clean", seed=seed)),
        *(row for i in (0, 1) for row in pre_and_post(i, protocol="clean", source="t", seed=888)),
    )
    code, _, err = harness("compare", "clean", "clean")
    assert (code, "clean has several rows of one network: choose with --only among source=s, t" in err) == (2, True), (
        err
    )
    assert harness("compare", "clean", "clean", "--only", "source=s")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["clean", "cleen"],
            "expected clean, paper, an imported table (there is none) or the folder of a store, with a /, got 'cleen'",
        ),
        (["clean", "/nowhere/store"], "no store at /nowhere/store"),
        (["clean", "/nowhere/store:paper"], "no store at /nowhere/store"),
        (["clean", "paper"], "nothing is shared: "),
        (["clean", "clean", "--out", "lines.txt"], "--out: expected a file that ends in .csv"),
        (["clean", "clean", "--only", "calibrator=none"], "--only: expected COLUMN=VALUE"),
    ],
)
def test_what_cannot_be_compared_is_refused(harness, own, words, message):
    own(*pre_and_post(0, protocol="clean"), *pre_and_post(0, dataset="cifar100"))
    code, _, err = harness("compare", *words)
    assert (code, message in err) == (2, True), err


def test_what_each_side_has_is_said_where_nothing_is_shared(harness, own):
    own(*pre_and_post(0, protocol="clean"), *pre_and_post(0, dataset="cifar100"))
    _, _, err = harness("compare", "clean", "paper")
    assert "clean has tss/cifar10 with unshifted (none), unshifted (temperature)" in err
    assert "paper has tss/cifar100" in err
