"""The networks a question is asked of: one setting of own rows, or an imported table, under a rule for isomorphs."""

import numpy as np
import pytest

from harness import spaces
from harness.errors import StoreError
from harness.store.populations import calibrators_of, elsewhere, populations, seeds_of
from harness.store.published import PUBLISHED_COLUMNS

from .conftest import measured, pre_and_post

TSS = spaces.get("tss")
REPRESENTATIVES = [int(index) for index in TSS.representatives()[:4]]
MEMBER = next(i for i in range(len(TSS)) if TSS.representative(i) in REPRESENTATIVES and TSS.representative(i) != i)
CLASS = [i for i in range(len(TSS)) if TSS.representative(i) == TSS.representative(MEMBER)]


def rows_of(indices, **columns):
    return [
        row
        for index in indices
        for row in pre_and_post(index, **{"protocol": "clean", "precision": "float32", **columns})
    ]


def test_a_population_is_a_space_and_a_data_set_topologies_first(harness, own):
    own(*rows_of([0, 9], space="sss"), *rows_of(REPRESENTATIVES), *rows_of(REPRESENTATIVES[:1], dataset="cifar100"))
    found = populations(harness.store())
    assert [each.name for each in found] == ["tss on cifar10", "tss on cifar100", "sss on cifar10"]
    assert found[0].networks.index.tolist() == REPRESENTATIVES
    assert found[0].networks["arch_str"].tolist() == [TSS.strings[index] for index in REPRESENTATIVES]
    assert [each.n_space for each in found] == [6466, 6466, 32768]
    assert all(each.is_sample for each in found)


def test_values_are_those_of_the_rows(harness, own):
    rows = rows_of(REPRESENTATIVES)
    own(*rows)
    (found,) = populations(harness.store(), columns=["acc", "KSCE"])
    for calibrator in ("none", "temperature"):
        for name in ("acc", "KSCE"):
            expected = [row[name] for row in rows if row["calibrator"] == calibrator]
            assert found.values(name, calibrator).tolist() == expected
    assert np.isnan(found.values("MMCE")).all()
    assert not found.has("MMCE")


def test_one_setting_is_taken_that_of_most_networks_then_the_usual(harness, own):
    own(
        *rows_of(REPRESENTATIVES[:2], seed=888),
        *rows_of(REPRESENTATIVES[:3], split="nats", split_seed=0),
        *rows_of(REPRESENTATIVES[1:4]),
        *rows_of(REPRESENTATIVES, protocol="paper"),
    )
    (found,) = populations(harness.store())
    assert found.setting == {
        "source": "s", "hp": "200", "seed": 777, "split": "random20", "split_seed": 42, "label_set": "original",
        "precision": "float32",
    }  # fmt: skip
    assert found.networks.index.tolist() == REPRESENTATIVES[1:]
    (narrowed,) = populations(harness.store(), seed=888)
    assert narrowed.networks.index.tolist() == REPRESENTATIVES[:2]
    (paper,) = populations(harness.store(), "paper")
    assert len(paper) == 4


def test_of_isomorphic_networks_one_counts_unless_all_are_asked_for(harness, own):
    representative = TSS.representative(MEMBER)
    own(*rows_of([representative, MEMBER]))
    store = harness.store()
    (one,), (every,), (copied,) = (populations(store, rule=rule) for rule in ("one per class", "all", "copied"))
    assert one.networks.index.tolist() == [representative]
    assert (one.n_left_out, one.n_space) == (1, 6466)
    assert every.networks.index.tolist() == [representative, MEMBER]
    assert copied.networks.index.tolist() == CLASS
    assert copied.n_space == 15_625
    others = [i for i, index in enumerate(CLASS) if index != MEMBER]
    assert len(set(copied.values("acc")[others])) == 1


def test_conditions_are_accuracies_or_detection(harness, own):
    shifted = [
        measured(index, protocol="clean", condition="fog", severity=3, precision="float32") for index in REPRESENTATIVES
    ]
    other = [measured(index, protocol="clean", condition="svhn", precision="float32") for index in REPRESENTATIVES[1:]]
    own(*rows_of(REPRESENTATIVES), *shifted, *other)
    (found,) = populations(harness.store())
    assert found.robust["fog:3"].tolist() == [row["acc"] for row in shifted]
    assert list(found.detection.columns) == ["svhn"]
    assert found.detection["svhn"].isna().tolist() == [True, False, False, False]


def test_resamples_are_those_of_the_rows_and_what_was_not_measured_is_left_out(harness, own):
    held = [0.1 + i / 100 for i in range(20)]
    rows = rows_of(REPRESENTATIVES)
    with_resamples = [
        row | {"ECE_15_replicates": held, "families": ["replicates@2", "study@1"], "fingerprint": "other"}
        for row in rows[:2]
    ]
    own(*with_resamples, *[row | {"fingerprint": "other"} for row in rows[2:]])
    (found,) = populations(harness.store(), resampled=["ECE_15", "acc"])
    assert found.of_resamples("ECE_15").shape == (4, 20)
    assert found.of_resamples("ECE_15")[0].tolist() == held
    assert np.isnan(found.of_resamples("ECE_15")[1:]).all()
    assert found.of_resamples("acc").shape == (4, 0)
    tensor = found.resample_tensor([("none", "ECE_15"), ("none", "acc")])
    assert tensor.shape == (4, 2, 20)
    assert np.isnan(tensor[:, 1]).all()


def test_a_published_table_is_a_population_under_the_same_names(harness, tmp_path, tss_frame):
    folder = tmp_path / "in"
    folder.mkdir()
    tss_frame.to_csv(folder / "cifar10_tss.csv", index=False)
    harness("import", "published", folder)
    (found,) = populations(harness.store(), "published")
    assert (len(found), found.n_left_out, found.is_sample) == (6466, 9159, False)
    frame = tss_frame.set_index("config").loc[found.networks.index]
    column = next(each for each in PUBLISHED_COLUMNS if each.holds.get("tss") == "ECE_15" and each.calibrator == "none")
    assert found.values("ECE_15").tolist() == frame[column.name].tolist()
    assert found.has("ECE_15", "temperature")
    accuracy, calibrated = found.values("acc"), 1 - found.values("ECE_15")
    np.testing.assert_allclose(found.values("HCS"), 2 * accuracy * calibrated / (accuracy + calibrated))
    assert "svhn" in found.detection
    assert len(found.robust.columns) > 5
    assert found.of_resamples("ECE_15").shape == (6466, 0)
    (copied,) = populations(harness.store(), "published", rule="copied")
    assert len(copied) == copied.n_space == 15_625


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"whose": "mine"}, "whose numbers: expected clean, paper, got 'mine'"),
        ({"rule": "some"}, "rule: expected one per class, all, copied, got 'some'"),
        ({"columns": ["ECE_15", "EEC"]}, "columns: no measurement is called EEC"),
        ({"sead": 777}, "sead"),
    ],
)
def test_what_there_is_not_is_told(harness, own, arguments, message):
    own(*rows_of(REPRESENTATIVES))
    with pytest.raises(StoreError, match=message):
        populations(harness.store(), **arguments)


def test_an_empty_store_has_no_populations(harness, own):
    own(*[row | {"protocol": "paper"} for row in rows_of(REPRESENTATIVES)])
    assert populations(harness.store()) == []


def test_no_calibrators_are_no_populations(harness, own):
    own(*rows_of(REPRESENTATIVES))
    assert populations(harness.store(), calibrators=()) == []


def test_other_images_and_labels_are_populations_by_name(harness, own):
    fog = [row | {"fingerprint": "fog"} for row in rows_of(REPRESENTATIVES, condition="fog", severity=3)]
    corrected = rows_of(REPRESENTATIVES[:2], label_set="errors_removed")
    own(*rows_of(REPRESENTATIVES, seed=888), *rows_of(REPRESENTATIVES), *fog, *corrected)
    found = elsewhere(harness.store(), columns=["acc"])
    assert {name: [len(each) for each in of_name] for name, of_name in found.items()} == {
        "fog:3": [4],
        "labels errors_removed": [2],
    }
    expected = [row["acc"] for row in fog if row["calibrator"] == "temperature"]
    assert found["fog:3"][0].values("acc", "temperature").tolist() == expected
    assert seeds_of(harness.store()) == [{"seed": 777}, {"seed": 888}]
    assert calibrators_of(harness.store()) == ("none", "temperature")


def test_an_import_has_one_seed_the_calibrators_of_the_study_and_no_other_images(harness, tmp_path, tss_frame):
    folder = tmp_path / "in"
    folder.mkdir()
    tss_frame.to_csv(folder / "cifar10_tss.csv", index=False)
    harness("import", "published", folder)
    store = harness.store()
    assert (seeds_of(store, "published"), calibrators_of(store, "published")) == ([{}], ("none", "temperature"))
    assert elsewhere(store, "published") == {}
    with pytest.raises(StoreError, match="condition: imported tables have measurements on unshifted images alone"):
        populations(store, "published", condition="fog", severity=3)
