"""Values of the user's own families: read like columns, held against duplicates like them."""

import pytest

from harness.store import StoreRoot, open_store
from harness.store.audit import check_rows
from harness.store.writer import write_measurements

TAGS = ["gaps@1", "study@1"]


def row(index=1, **columns):
    return {
        "source": "s", "space": "tss", "arch_index": index, "dataset": "cifar10", "hp": "12", "seed": 777,
        "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": "none", "ECE_15": 0.1, "acc": 0.5, "gate": "pass", "test_set": "t",
        "families": ["study@1"], "fingerprint": "f" * 32, "run_id": "r",
    } | columns  # fmt: skip


@pytest.fixture
def store(tmp_path):
    def make(*rows):
        root = StoreRoot.create(tmp_path / "store")
        for one in rows:
            write_measurements(root, [one], "r")
        return open_store(str(root.path))

    return make


def test_keys_become_columns_where_their_names_are_free(store):
    own = {"gap": 0.25, "acc": 0.5, "it's": None, "GAP": 0.5}
    found = store(row(), row(2, own=own, families=TAGS))
    assert found.own_names == ("GAP", "acc", "gap", "it's")
    rows = found.measurements().df().set_index("arch_index").sort_index()
    assert rows["acc"].tolist() == [0.5, 0.5]
    assert [name for name in rows.columns if name.lower() == "gap"] == ["gap"]
    assert rows["gap"].isna().tolist() == [True, False]
    assert rows["it's"].isna().all()
    assert found.measurements(isomorphs="all", arch_index=2).df()["gap"].tolist() == [0.25]
    assert found.sql("SELECT own['GAP'] FROM measurements WHERE own['gap'] > 0").fetchall() == [(0.5,)]


def test_a_store_without_own_families_has_no_more_columns(store):
    found = store(row())
    assert found.own_names == ()
    assert found.measurements().columns == found.sql("FROM measurements").columns


def test_the_tidy_layout_holds_every_value_that_is_defined(store):
    tidy = store(row(), row(2, own={"gap": 0.25, "value": 0.5, "undefined": None}, families=TAGS)).tidy().df()
    own = tidy[~tidy["metric"].isin(["ECE", "acc"])]
    assert sorted(zip(own["arch_index"], own["metric"], own["value"], strict=True)) == [
        (2, "gap", 0.25), (2, "value", 0.5),
    ]  # fmt: skip
    assert own["n_bins"].isna().all()
    assert len(tidy) == 6


@pytest.mark.parametrize(
    ("again", "n_findings"),
    [
        ({"gap": 0.25 + 1e-15}, 0),
        ({"gap": 0.25 + 1e-6}, 1),
        ({"gap": None}, 1),
        ({"other": 0.25}, 1),
        (None, 1),
    ],
)
def test_duplicates_of_one_version_agree_up_to_rounding(store, again, n_findings):
    first = row(own={"gap": 0.25}, families=TAGS)
    second = row(own=again, families=["gaps@1", "sharpness@1", "study@1"])
    assert len(list(check_rows(store(first, second)))) == n_findings


def test_rows_of_another_version_may_differ_and_the_highest_counts(store):
    versions = [row(own={"gap": v / 10}, families=[f"gaps@{v}", "study@1"]) for v in (2, 10, 9)]
    found = store(*versions, row(families=["study@1"]))
    assert list(check_rows(found)) == []
    assert found.measurements().df()["gap"].tolist() == [1.0]
