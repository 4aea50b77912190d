"""Intervals and replicates from a run to a noise ceiling: added to a store, read one by one, kept when it grows."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from harness.cli.main import main
from harness.metrics import intervals
from harness.metrics.resampling import HEADLINE, N_REPLICATES
from harness.store import open_store

KEY = ["space", "arch_index", "seed", "calibrator"]


@pytest.fixture
def run(overrides, tmp_path, monkeypatch):
    monkeypatch.setattr(intervals, "N_RESAMPLES", 50)

    def call(*families):
        return main(["run", *overrides, f"results={tmp_path}", f"study.families=[{','.join(families)}]"])

    return call


def test_replicates_are_read_one_by_one(run, tmp_path):
    assert run("study") == 0
    before = open_store(str(tmp_path / "store")).measurements().df().set_index(KEY).sort_index()
    assert run("study", "replicates", "intervals") == 0
    store = open_store(str(tmp_path / "store"))
    rows = store.measurements().df().set_index(KEY).sort_index()
    assert rows["ECE_15"].equals(before["ECE_15"])
    assert {tuple(tags) for tags in rows["families"]} == {("intervals@1", "replicates@2", "study@1")}

    found = store.replicates().df()
    assert len(found) == N_REPLICATES * len(rows)
    assert set(HEADLINE) <= set(found)
    assert sorted(found["replicate"].unique()) == list(range(N_REPLICATES))
    one = found.set_index([*KEY, "replicate"]).sort_index()
    for key, row in rows.iterrows():
        assert one.loc[key, "ECE_15"].tolist() == row["ECE_15_replicates"].tolist()
        assert row["acc_low"] <= row["acc"] <= row["acc_high"]
    assert store.sql("SELECT count(*) FROM replicates").fetchall() == [(len(found),)]
    assert len(store.replicates(calibrator="none").df()) == len(found) / 2

    # the same images for every network: two replicates rank the networks much alike
    accuracies = found[found["calibrator"] == "none"].pivot_table("acc", ["space", "arch_index", "seed"], "replicate")
    assert kendalltau(accuracies[0], accuracies[1]).statistic > 0.5


def test_a_growing_store_keeps_its_replicates(run, tmp_path):
    assert run("replicates") == 0
    before = open_store(str(tmp_path / "store")).replicates().order("ALL").df()
    assert run("study", "sharpness") == 0
    store = open_store(str(tmp_path / "store"))
    after = store.replicates().order("ALL").df()
    np.testing.assert_array_equal(before["acc"], after["acc"])
    assert len(before) == len(after) > 0
    assert store.measurements().df()["mean_margin"].notna().all()
