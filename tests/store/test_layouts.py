"""Layouts stay what was asked for, and never put values of other inputs beside a row."""

import pytest

from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.audit import check_gate, check_rows, gate_counts
from harness.store.writer import write_measurements


def row(index=1, *, fingerprint="a", ece=0.1, **columns):
    return {
        "source": "s", "space": "tss", "arch_index": index, "dataset": "cifar10", "hp": "12", "seed": 777,
        "protocol": "clean", "condition": "unshifted", "severity": 0, "split": "random20", "split_seed": 42,
        "label_set": "original", "calibrator": "none", "ECE_15": ece, "acc": 0.5, "gate": "pass", "test_set": "t",
        "families": ["study@1"], "fingerprint": fingerprint * 32, "run_id": "r",
    } | columns  # fmt: skip


def svhn(*, fingerprint="d", auroc=0.7, **columns):
    shown = {"condition": "svhn", "acc": None, "ECE_15": None, "ood_auroc": auroc, "families": ["ood@1"]}
    return row(fingerprint=fingerprint) | shown | columns


@pytest.fixture
def store(tmp_path):
    def make(*rows):
        root = StoreRoot.create(tmp_path / "store")
        for one in rows:
            write_measurements(root, [one], "r")
        return open_store(str(root.path))

    return make


def test_a_layout_is_not_changed_by_the_next_one(store):
    found = store(row(), row(fingerprint="b", protocol="paper"), row(2))
    for layout in (found.wide, found.tidy, found.measurements):
        clean, paper, one = layout(), layout(protocol="paper"), layout(arch_index=2)
        assert set(clean.df()["protocol"]) == {"clean"}
        assert set(paper.df()["protocol"]) == {"paper"}
        assert set(clean.df()["arch_index"]) == {1, 2}
        assert set(one.df()["arch_index"]) == {2}
    models = found.models()
    found.wide(arch_index=2)
    assert len(models.df()) == 2


def test_detection_stands_beside_rows_of_its_own_test_set_and_data_set(store):
    found = store(row(), svhn(), svhn(fingerprint="e", auroc=0.9, test_set="other", arch_index=3))
    assert found.wide(arch_index=1).df()["auc_svhn"].tolist() == [0.7]
    noise = {"condition": "gaussian_noise", "severity": 5}
    found = store(
        row(4, dataset="cifar100", fingerprint="f"), svhn(fingerprint="1", arch_index=4, dataset="cifar100", **noise)
    )
    wide = found.wide(dataset="cifar100").df()
    assert wide["auc_cifar10c"].isna().all(), "it is CIFAR-100-C that they were shown"


def test_ambiguous_detection_is_chosen_by_fingerprint(store):
    found = store(row(), row(2), svhn(fingerprint="c"), svhn(fingerprint="d", auroc=0.9))
    with pytest.raises(StoreError, match="several fingerprints"):
        found.wide()
    assert found.wide(fingerprint=["a" * 32, "d" * 32], arch_index=1).df()["auc_svhn"].tolist() == [0.9]
    assert found.wide(fingerprint="commonest", arch_index=1).df()["auc_svhn"].tolist() == [0.7]


def test_the_commonest_inputs_can_be_asked_for(store):
    found = store(row(1), row(2), row(1, fingerprint="b", ece=0.5), row(1, fingerprint="c", calibrator="temperature"))
    with pytest.raises(StoreError, match='fingerprint="commonest"'):
        found.measurements()
    chosen = found.measurements(fingerprint="commonest").df()
    assert sorted(zip(chosen["arch_index"], chosen["calibrator"], chosen["fingerprint"].str[0], strict=True)) == [
        (1, "none", "a"), (1, "temperature", "c"), (2, "none", "a"),
    ]  # fmt: skip


def test_the_gate_stands_on_a_test_set(store):
    good = {"recomputed_accuracy": 0.9, "gate": "pass", "test_set": "good"}
    bad = {"recomputed_accuracy": 0.1, "gate": "fail", "test_set": "bad"}
    found = store(row(**good), row(fingerprint="b", **bad))
    assert gate_counts(found) == {"fail": 1, "pass": 1}
    assert gate_counts(found, ["good"]) == {"pass": 1}
    assert list(check_gate(found, ["good"])) == []
    (finding,) = check_gate(found, ["bad"])
    assert "1 of 1 models" in finding.message
    models = found.models().df().set_index("test_set")
    assert models.loc["good", ["recomputed_accuracy", "gate"]].tolist() == [0.9, "pass"]
    assert models.loc["bad", ["recomputed_accuracy", "gate"]].tolist() == [0.1, "fail"]


@pytest.mark.parametrize(("change", "n_findings"), [(1e-16, 0), (1e-6, 1)])
def test_duplicates_may_differ_by_rounding_alone(store, change, n_findings):
    again = row(ece=0.1 + change, families=["study@1", "sharpness@1"], run_id="r2")
    found = store(row(ece=0.1), again)
    assert len(list(check_rows(found))) == n_findings
