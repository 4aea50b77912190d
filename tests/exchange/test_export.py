"""Exporting our own rows: in the published layout, whose import gives them back, and as a data set."""

import csv
import hashlib
import json

import mlcroissant
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness import spaces
from harness.metrics import FAMILIES
from harness.store.published import published_names

from .conftest import measured, pre_and_post

STUDY = FAMILIES["study"].members


@pytest.fixture
def six(own):
    """A store with rows of every data set and space: topologies 0 to 3 without 3, which is no representative."""
    rows = [row for index in (0, 1, 2) for row in pre_and_post(index)]
    rows += [measured(index, condition="svhn") for index in (0, 1, 2)]
    for dataset in ("cifar100", "ImageNet16-120"):
        rows += [row for index in (0, 7) for row in pre_and_post(index, dataset=dataset)]
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        rows += [row for index in (0, 32767) for row in pre_and_post(index, dataset=dataset, space="sss", hp="90")]
    rows += [row for index in (0, 1) for row in pre_and_post(index, protocol="clean")]
    return own(*rows)


def export(harness, tmp_path, kind="paper", *more):
    code, out, err = harness("export", f"format={kind}", "--out", tmp_path / "out", *more)
    assert (code, err) == (0, "")
    return out


def test_the_six_files_have_the_published_names_and_order(harness, tmp_path, six):
    export(harness, tmp_path)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        f"{dataset}_{space}.csv" for dataset in ("cifar10", "cifar100", "ImageNet") for space in ("tss", "sss")
    }
    for name in names:
        frame = pd.read_csv(tmp_path / "out" / name)
        assert list(frame.columns) == published_names(name[-7:-4])
        assert frame["config"].is_monotonic_increasing
        assert frame["config"].is_unique


def test_values_stand_where_they_were_published(harness, tmp_path, six):
    export(harness, tmp_path)
    tss = pd.read_csv(tmp_path / "out/cifar10_tss.csv").set_index("config")
    pre, post = pre_and_post(1)
    assert tss.loc[1, "pre_ECE_15"] == pre["ECE_15"]
    assert tss.loc[1, "post_KSCE"] == post["KSCE"]
    assert tss.loc[1, "post_cwCE_em_15"] == post["cwACE_15"], "the published TSS meaning"
    assert tss.loc[1, "auc_svhn"] == 0.5 + 1 / 100_000
    assert tss["fgsm_Linf_acc1_0"].isna().all(), "other people's numbers are never ours"
    sss = pd.read_csv(tmp_path / "out/cifar10_sss.csv").set_index("config")
    pre, _ = pre_and_post(32767, space="sss")
    assert sss.loc[32767, "pre_cwCE_em_15"] == pre["cwCE_em_15"], "the published SSS meaning"
    assert sss.loc[32767, "arch"] == "64:64:64:64:64"


def test_isomorphs_are_copied_with_the_string_of_their_representative(harness, tmp_path, six):
    export(harness, tmp_path)
    space = spaces.get("tss")
    frame = pd.read_csv(tmp_path / "out/cifar10_tss.csv")
    expected = [i for i in range(len(space)) if space.representative(i) in (0, 1, 2)]
    assert frame["config"].tolist() == expected
    assert len(expected) > 3
    for index, arch, ece in frame[["config", "arch", "pre_ECE_15"]].itertuples(index=False):
        representative = space.representative(index)
        assert arch == space.arch_str(representative)
        assert ece == measured(representative)["ECE_15"]


def test_export_then_import_gives_the_same_rows(harness, tmp_path, six):
    export(harness, tmp_path)
    assert harness("import", "published", tmp_path / "out", "--partial", "--origin", "back")[0] == 0
    store = harness.store()
    for space in ("tss", "sss"):
        for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
            place = {"space": space, "dataset": dataset}
            mine = store.wide(protocol="paper", isomorphs="all", condition="unshifted", **place).df()
            mine = mine.sort_values("config", ignore_index=True)
            back = store.published(origin="back", **place).df().sort_values("config", ignore_index=True)
            assert len(mine) == len(back)
            shared = [name for name in published_names(space) if name in mine and name != "arch"]
            pd.testing.assert_frame_equal(mine[shared], back[shared], check_exact=True)
            assert (mine["origin"] == "inherited").tolist() == back["copied_from"].notna().tolist()
            inherited = mine["origin"] == "inherited"
            assert mine.loc[~inherited, "arch"].tolist() == back.loc[~inherited, "arch"].tolist()
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    code, _, _ = harness("export", "format=paper", "--out", tmp_path / "again")
    assert code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == before


def test_imported_tables_are_not_exported_as_ours(harness, tmp_path, some):
    path = tmp_path / "cifar10_tss.csv"
    some.to_csv(path, index=False)
    harness("import", "published", path, "--partial")
    for kind in ("paper", "release"):
        code, _, err = harness("export", f"format={kind}", "--out", tmp_path / "out")
        assert (code, "imported tables are not exported" in err) == (2, True), err
        assert not (tmp_path / "out").exists()


def test_several_rows_of_an_architecture_are_refused_until_one_is_chosen(harness, tmp_path, own):
    own(*pre_and_post(0), *pre_and_post(0, hp="12"), *pre_and_post(0, hp="12", seed=888))
    code, _, err = harness("export", "format=paper", "--out", tmp_path / "out")
    assert code == 2
    assert "tss, cifar10: an architecture has several rows" in err
    assert "hp: 12, 200" in err
    assert list(tmp_path.glob("out*")) == [], "nothing is left of what was begun"
    export(harness, tmp_path, "paper", "--only", "hp=12", "--only", "seed=888")
    frame = pd.read_csv(tmp_path / "out/cifar10_tss.csv")
    assert frame["acc"].iloc[0] == measured(0, hp="12", seed=888)["acc"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["format=parquet", "--out", "x"], "format: expected format=paper or format=release, got format=parquet"),
        (["--out", "x"], "format: expected format=paper or format=release, got nothing"),
        (["format=paper"], "expected --out FOLDER"),
        (["format=paper", "--out", "x", "--only", "hp"], "--only: expected COLUMN=VALUE"),
        (
            ["format=paper", "--out", "x", "--only", "protocol=clean"],
            "--only: expected COLUMN=VALUE with a column among",
        ),
        (["format=paper", "--out", "x", "--only", "seed=one"], "--only: expected a whole number for seed, got 'one'"),
        (["format=paper", "--out", "x", "--only", "hp=7"], "hp: no row of"),
    ],
)
def test_what_cannot_be_exported_is_refused(harness, six, words, message):
    code, _, err = harness("export", *words)
    assert (code, message in err) == (2, True), err


def test_a_folder_that_holds_something_is_left_alone(harness, tmp_path, six):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    code, _, err = harness("export", "format=paper", "--out", tmp_path / "out")
    assert (code, "is there already" in err) == (2, True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_release_is_sorted_described_and_checked(harness, tmp_path, six):
    out = export(harness, tmp_path, "release")
    assert "tss-cifar10-clean.parquet" in out
    folder = tmp_path / "out"
    names = {path.name for path in folder.iterdir()}
    parts = {f"{s}-{d}-paper.parquet" for s in ("tss", "sss") for d in ("cifar10", "cifar100", "ImageNet16-120")}
    assert names == {*parts, "tss-cifar10-clean.parquet", "columns.csv", "croissant.json", "README.md", "SHA256SUMS"}
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        names.discard(name)
    assert names == {"SHA256SUMS"}
    table = pq.read_table(folder / "tss-cifar10-paper.parquet").to_pandas()
    assert len(table) == 9
    assert table["arch_index"].is_monotonic_increasing
    described = {row["column"] for row in csv.DictReader((folder / "columns.csv").read_text().splitlines())}
    assert described == set(table.columns)
    assert "seconds" not in described
    card = (folder / "README.md").read_text()
    assert "`tss-cifar10-paper.parquet` | 9 | 3 | 2 |" in card
    assert "Networks: `s`." in card


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib and pandas, as mlcroissant uses them
def test_the_metadata_of_a_release_are_valid_and_the_rows_can_be_read_by_them(harness, tmp_path, own):
    rows = [
        row | {"ECE_15_replicates": [0.1, 0.2], "reasons": {"MCE_5": "made up"}, "precision": "float32"}
        for index in (0, 1, 2)
        for row in pre_and_post(index)
    ]
    own(*rows, *[row | {"space": "sss"} for row in rows[:2]])
    export(harness, tmp_path, "release")
    path = tmp_path / "out/croissant.json"
    described = mlcroissant.Dataset(str(path))
    assert not described.metadata.issues.errors
    read = {
        (record["measurements/space"], record["measurements/arch_index"], record["measurements/calibrator"]): record
        for record in described.records("measurements")
    }
    assert len(read) == 8
    for row in rows:
        record = read[b"tss", row["arch_index"], row["calibrator"].encode()]
        assert record["measurements/ECE_15"] == row["ECE_15"]
        assert list(record["measurements/ECE_15_replicates"]) == [0.1, 0.2]
    sums = dict(reversed(line.split("  ")) for line in (tmp_path / "out/SHA256SUMS").read_text().splitlines())
    stated = {file["name"]: file["sha256"] for file in json.loads(path.read_text())["distribution"] if "sha256" in file}
    assert stated == {name: digest for name, digest in sums.items() if name.endswith(".parquet")}
    columns = set(pq.read_schema(tmp_path / "out/tss-cifar10-paper.parquet").names)
    fields = {field["name"] for field in json.loads(path.read_text())["recordSet"][0]["field"]}
    assert columns - fields == {"own", "reasons"}


def test_a_release_of_the_same_rows_is_the_same(harness, tmp_path, own):
    rows = [row | {"run_id": "r"} for index in (0, 1, 2) for row in pre_and_post(index)]
    own(*rows)
    own(*reversed(rows), folder="other")
    export(harness, tmp_path, "release")
    code, _, _ = harness("export", "format=release", "--out", tmp_path / "out2", f"store={tmp_path / 'other'}")
    assert code == 0
    assert (tmp_path / "out/SHA256SUMS").read_text() == (tmp_path / "out2/SHA256SUMS").read_text()


def test_a_release_says_what_it_leaves_out(harness, tmp_path, own):
    own(*pre_and_post(0), *pre_and_post(1, gate="fail"))
    export(harness, tmp_path, "release")
    assert "Left out: the store's 2 rows of networks that do not reproduce" in (tmp_path / "out/README.md").read_text()
    assert np.unique(pq.read_table(tmp_path / "out/tss-cifar10-paper.parquet")["arch_index"]).tolist() == [0]
