"""Importing accuracies under attacks and corruptions, in both layouts."""

import json

import numpy as np
import pandas as pd
import pytest

from harness import spaces
from harness.exchange.robustness import read_robustness
from harness.store.published import ATTACKS, CORRUPTIONS

EPSILONS = {
    "fgsm@Linf": [0.1, 1.0, 255.0],
    "pgd@Linf": [0.1, 0.5],
    "aa_apgd-ce@Linf": [4.0],
    "aa_square@Linf": [8.0],
}
COLUMNS = {
    "attack_acc": ["clean_acc", *(attack.column(s) for attack in ATTACKS for s in attack.strengths)],
    "corruption_acc": list(CORRUPTIONS),
}


@pytest.fixture(scope="module")
def attack_frame():
    """A whole table of attacks, with numbers that say nothing."""
    space = spaces.get("tss")
    representatives = [space.representative(i) for i in range(len(space))]
    values = np.random.default_rng(0).uniform(0, 1, (len(space), len(COLUMNS["attack_acc"]))).round(3)
    return pd.DataFrame(values[representatives], columns=COLUMNS["attack_acc"])


def data_set(folder, change=None, dataset="cifar10"):
    """The JSON layout for three ids, which are not our indices; 2 is isomorphic to 0."""
    space = spaces.get("tss")
    strings = {"0": space.arch_str(7), "1": space.arch_str(11), "2": space.arch_str(9)}
    ids = {name: {"nb201-string": text, "isomorph": "0" if name == "2" else name} for name, text in strings.items()}
    files = {
        "meta.json": {"ids": ids, "epsilons": dict(EPSILONS)},
        f"{dataset}/clean_accuracy.json": {dataset: {"clean": {"accuracy": {"0": 0.9, "1": 0.8}}}},
        f"{dataset}/pgd@Linf_accuracy.json": {
            dataset: {"pgd@Linf": {"accuracy": {"0": [0.5, 0.1], "1": [0.4, 0.0]}}},
        },
        f"{dataset}/fog_accuracy.json": {
            dataset: {"fog": {"accuracy": {"0": [0.8, 0.7, 0.6, 0.5, 0.4], "1": [0.7, 0.6, 0.5, 0.4, 0.3]}}},
        },
        f"{dataset}/clean_confidence.json": {"not": "read"},
    }
    if change:
        change(files)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_the_data_set_comes_in_by_strings_not_by_ids(harness, tmp_path):
    code, out, err = harness("import", "robustness", data_set(tmp_path / "in"))
    assert (code, err) == (0, "")
    assert "cifar10/fog_accuracy.json" in out
    found = harness.store().robustness().df()
    assert len(found) == 2 * (1 + 2 + 5)
    assert set(found["arch_index"]) == {7, 11}
    assert found["copied_from"].isna().all()
    values = found.set_index(["condition", "strength", "arch_index"])["acc"]
    assert values["unshifted", 0.0, 7] == 0.9
    assert values["pgd", 0.5, 11] == 0.0
    assert values["fog", 5.0, 7] == 0.4


def pgd(files):
    return files["cifar10/pgd@Linf_accuracy.json"]["cifar10"]["pgd@Linf"]["accuracy"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: pgd(f).pop("1"), "pgd@Linf_accuracy.json: 1 evaluated architectures are missing: ids 1"),
        (lambda f: pgd(f).update({"9": [0.1, 0.1]}), "pgd@Linf_accuracy.json, id 9: meta.json does not know it"),
        (lambda f: pgd(f).update({"1": [0.1]}), "pgd@Linf_accuracy.json, id 1: expected 2 accuracies, got 1"),
        (lambda f: pgd(f).update({"1": [0.1, "x"]}), r"id 1: expected a number in [0, 1], got str 'x'"),
        (lambda f: pgd(f).update({"1": [0.1, 40.0]}), r"id 1: expected a number in [0, 1], got float '40.0'"),
        (lambda f: pgd(f).update({"1": [0.1, None]}), r"id 1: expected a number in [0, 1], got nothing"),
        (lambda f: f["meta.json"].pop("epsilons"), "meta.json, key epsilons: expected an object, got nothing"),
        (lambda f: f["meta.json"]["epsilons"].pop("pgd@Linf"), "key epsilons/pgd@Linf: expected a list of numbers"),
        (lambda f: f["meta.json"]["ids"]["1"].update({"nb201-string": "?"}), "meta.json, key ids/1/nb201-string: "),
        (lambda f: f.update({"cifar10/rain_accuracy.json": {}}), "no attack or corruption is called 'rain'"),
        (lambda f: f.update({"cifar10/snow_accuracy.json": "{"}), "snow_accuracy.json: not a sound JSON file"),
        (lambda f: f.update({"cifar10/snow_accuracy.json": {"cifar10": 1}}), "above key snow: expected an object"),
    ],
)
def test_every_fault_of_the_data_set_is_named(harness, tmp_path, change, message):
    code, _, err = harness("import", "robustness", data_set(tmp_path / "in", change))
    assert (code, message in err) == (2, True), err
    assert harness.files() == []


def test_the_table_comes_in_with_its_copies_marked(harness, tmp_path, attack_frame):
    attack_frame.to_csv(tmp_path / "attack_acc.csv", index=False)
    assert harness("import", "robustness", tmp_path)[0] == 0
    found = harness.store().robustness(condition="fgsm").df()
    assert len(found) == 15_625 * 11
    one = found[found["strength"] == 255.0].sort_values("arch_index")
    assert one["acc"].tolist() == attack_frame["fgsm_Linf_acc255_0"].tolist()
    assert one["copied_from"].isna().sum() == 6_466


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[:-1], "expected 15,625 rows below the header, one for each architecture, got 15,624"),
        (lambda f: f.iloc[::-1], "are the rows in the order of the indices?"),
        (lambda f: f.drop(columns="clean_acc"), "row 1: the column clean_acc is missing"),
        (lambda f: f.assign(clean_acc=["x", *f["clean_acc"][1:]]), "row 2, column clean_acc: expected a number"),
    ],
)
def test_faults_of_the_table_are_named(harness, tmp_path, attack_frame, change, message):
    change(attack_frame).to_csv(tmp_path / "attack_acc.csv", index=False)
    code, _, err = harness("import", "robustness", tmp_path / "attack_acc.csv")
    assert (code, message in err) == (2, True), err
    assert harness.files() == []


def test_a_place_without_accuracies_is_refused(harness, tmp_path):
    assert "expected meta.json" in harness("import", "robustness", tmp_path)[2]
    (tmp_path / "meta.json").write_text(json.dumps({"ids": {}, "epsilons": EPSILONS}))
    assert "expected files such as cifar10/pgd@Linf_accuracy.json" in harness("import", "robustness", tmp_path)[2]


def test_the_real_tables(real_data):
    attacks, corruptions = (table.to_pandas() for table in read_robustness(real_data / "robustness", "robustness"))
    assert len(attacks) == 15_625 * 33
    assert len(corruptions) == 15_625 * 15
    clean = attacks[attacks["condition"] == "unshifted"].set_index("arch_index")["acc"]
    assert (clean[0], clean[1]) == (0.856, 0.938)
    strong = attacks[(attacks["condition"] == "pgd") & (attacks["strength"] == 8.0)]
    assert strong["acc"].median() < 0.01
    assert set(corruptions["strength"]) == {3.0}
