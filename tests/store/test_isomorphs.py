"""Isomorphs on request: a computed row beats an inherited one, and every row says which it is."""

import numpy as np
import pytest

from harness import spaces
from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.writer import write_measurements

TSS = spaces.get("tss")
MEMBER = next(i for i in range(len(TSS)) if TSS.representative(i) != i)
REPRESENTATIVE = TSS.representative(MEMBER)
CLASS = [i for i in range(len(TSS)) if TSS.representative(i) == REPRESENTATIVE]


def row(index, ece, calibrator="none", space="tss", gate="pass"):
    return {
        "source": "s", "space": space, "arch_index": index, "dataset": "d", "hp": "12", "seed": 777,
        "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": calibrator, "ECE_15": ece, "acc": 0.5, "gate": gate,
        "families": ["study@1"], "fingerprint": "f" * 32, "run_id": "r",
    }  # fmt: skip


@pytest.fixture
def store(tmp_path):
    def make(rows):
        root = StoreRoot.create(tmp_path / "store")
        write_measurements(root, rows, "r")
        return open_store(str(root.path))

    return make


def test_members_without_rows_inherit_those_of_their_representative(store):
    rows = store([row(REPRESENTATIVE, 0.1), row(REPRESENTATIVE, 0.2, "temperature"), row(7, 0.3, space="sss")])
    assert len(rows.measurements().df()) == 3
    assert "origin" not in rows.measurements().columns
    found = rows.measurements(isomorphs="all").df()
    assert len(found) == 2 * len(CLASS) + 1
    assert sorted(found.loc[found["space"] == "tss", "arch_index"].unique()) == CLASS
    own = found[found["origin"] == "computed"]
    assert set(own["arch_index"]) == {REPRESENTATIVE, 7}
    assert set(found.loc[found["calibrator"] == "temperature", "ECE_15"]) == {0.2}


def test_a_member_with_any_row_of_its_own_inherits_nothing(store):
    other_seed = {**row(REPRESENTATIVE, 0.9), "seed": 888}
    shifted = {**row(REPRESENTATIVE, None), "condition": "svhn", "ood_auroc": 0.99, "acc": None}
    rows = store([row(REPRESENTATIVE, 0.1), other_seed, shifted, row(MEMBER, 0.7)])
    found = rows.measurements(isomorphs="all", arch_index=MEMBER).df()
    assert found[["seed", "condition", "origin"]].to_numpy().tolist() == [[777, "unshifted", "computed"]]
    wide = rows.wide(isomorphs="all", seed=777).df().set_index("config")
    assert wide.loc[MEMBER, ["origin", "pre_ECE_15"]].tolist() == ["computed", 0.7]
    assert np.isnan(wide.loc[MEMBER, "auc_svhn"])
    assert set(wide["origin"]) == {"computed", "inherited"}
    assert set(rows.tidy(isomorphs="all").df()["origin"]) == {"computed", "inherited"}


@pytest.mark.parametrize("gate", ["pass", "fail"])
def test_a_computed_row_beats_an_inherited_one_even_where_it_is_hidden(store, gate):
    rows = store([row(REPRESENTATIVE, 0.1), row(MEMBER, 0.7, gate=gate)])
    found = rows.measurements(isomorphs="all").df().set_index("arch_index")
    assert len(found) == len(CLASS) - (gate == "fail")
    assert found.index.is_unique
    if gate == "pass":
        assert tuple(found.loc[MEMBER, ["ECE_15", "origin"]]) == (0.7, "computed")
    else:
        assert MEMBER not in found.index


def test_a_row_of_a_member_is_not_inherited_by_its_representative(store):
    found = store([row(MEMBER, 0.7)]).measurements(isomorphs="all").df()
    assert found["arch_index"].tolist() == [MEMBER]


def test_filters_and_layouts_see_the_expanded_rows(store):
    rows = store([row(REPRESENTATIVE, 0.1), row(REPRESENTATIVE, 0.2, "temperature")])
    (found,) = rows.measurements(isomorphs="all", arch_index=MEMBER, calibrator="none").df().to_dict("records")
    assert (found["ECE_15"], found["origin"]) == (0.1, "inherited")
    wide = rows.wide(isomorphs="all").df().set_index("config")
    assert sorted(wide.index) == CLASS
    assert wide.loc[MEMBER, "arch"] == TSS.arch_str(MEMBER)
    assert set(wide["post_ECE_15"]) == {0.2}
    tidy = rows.tidy(isomorphs="all", arch_index=MEMBER).df()
    assert set(tidy.loc[tidy["metric"] == "ECE", "value"]) == {0.1, 0.2}


def test_another_word_is_refused(store):
    with pytest.raises(StoreError, match="isomorphs: expected own or all, got 'yes'"):
        store([row(MEMBER, 0.7)]).measurements(isomorphs="yes")
