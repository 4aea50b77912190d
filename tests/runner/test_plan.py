"""Planning: every wanted unit is counted once, parcels keep records whole, the same study gives the same parcels."""

from dataclasses import replace

import numpy as np
import pytest

from harness import spaces
from harness.datasets import Library
from harness.runner.part import Part, in_part
from harness.runner.plan import halve, make_plan
from harness.runner.selection import Selection
from harness.store import StoreRoot, open_store
from harness.store.writer import unit_columns, variant_columns, write_failures, write_measurements
from harness.values import Failure, FailureKind, Study

STUDY = Study(
    spaces=("tss", "sss"), archs="all", limit=None, datasets=("digits",), hps=("12",), seeds=(777, 888),
    protocols=("clean",), conditions=(("unshifted", 0),), splits=("random20",), split_seeds=(42,),
    label_sets=("original",), calibrators=("none", "temperature"), families=("study",),
)  # fmt: skip


def selection(space="tss", indices=range(10), hps=("12",), first_seed=777):
    first_seeds = {("digits", hp): first_seed for hp in hps}
    return Selection("zoo-00000000", space, np.asarray(indices, dtype=np.int64), tuple(hps), 10, first_seeds)


def plan_of(study=STUDY, store=None, selections=None, make=("missing",)):
    return make_plan(study, selections or [selection(), selection("sss", range(3))], Library(), store, make=make)


def units_of(plan, records=4):
    return [unit for parcel in plan.parcels(records) for unit in parcel.units]


@pytest.fixture
def root(tmp_path):
    return StoreRoot.create(tmp_path / "store")


def rows_of(unit, families=("study@1",), rows=None):
    return [
        {
            **unit_columns(unit.key),
            **variant_columns(row.variant),
            "fingerprint": row.fingerprint,
            "families": list(families),
            "run_id": "r",
        }
        for row in (rows or unit.rows)
    ]


def states(plan):
    return {c.space: (c.total, c.done, c.missing, c.failed, c.absent) for c in plan.counts}


def test_all_combinations_are_wanted_once():
    plan = plan_of()
    assert states(plan) == {"tss": (20, 0, 20, 0, 0), "sss": (6, 0, 6, 0, 0)}
    keys = [unit.key for unit in units_of(plan)]
    assert len(set(keys)) == len(keys) == 26


def test_parcels_hold_whole_records_of_one_archive_in_index_order():
    parcels = list(plan_of().parcels(4))
    assert [[u.key.model.arch_index for u in p.units][::2] for p in parcels] == [
        [0, 1, 2], [0, 1, 2, 3], [4, 5, 6, 7], [8, 9],
    ]  # fmt: skip
    assert [p.space for p in parcels] == ["sss", "tss", "tss", "tss"]


def test_the_size_of_parcels_follows_from_the_plan_alone():
    assert plan_of().parcel_records(64) == 1, "13 records: each is a parcel"
    full = plan_of(selections=[selection(indices=range(15625))])
    assert full.n_records == 15625
    assert full.parcel_records(1000) == 62, "256 parcels"
    assert full.parcel_records(40) == 40


def test_parts_are_disjoint_balanced_and_whole_together():
    indices = np.arange(15625)
    masks = [in_part("tss", indices, Part(k, 8)) for k in range(1, 9)]
    assert np.array_equal(np.sum(masks, axis=0), np.ones(15625)), "each architecture is in one part"
    sizes = np.array([mask.sum() for mask in masks])
    assert abs(sizes - 15625 / 8).max() < 4 * np.sqrt(15625 / 8), "within four standard deviations of a fair draw"
    assert in_part("tss", indices[100:200], Part(3, 8)).tolist() == masks[2][100:200].tolist(), "whatever else there is"
    assert in_part("sss", indices, Part(3, 8)).tolist() != masks[2].tolist()
    assert in_part("tss", indices, Part(1, 1)).all()


def test_the_plan_of_the_whole_published_study_is_small():
    """All 117,702 networks, three seeds, both protocols: memory by the tables that hold a row for each unit."""
    study = replace(STUDY, datasets=("digits",), seeds=(777, 888, 999), protocols=("clean", "paper"))
    full = [selection(indices=spaces.get("tss").representatives()), selection("sss", range(32768))]
    plan = plan_of(study, selections=full)
    assert len(plan) == (6466 + 32768) * 4
    assert plan.to_do.nbytes / len(plan) < 40, "bytes a unit: names are stored once"


def test_the_same_study_gives_the_same_parcels_whatever_the_order_of_its_lists():
    turned = replace(STUDY, seeds=(888, 777), calibrators=("temperature", "none"))
    one, other = list(plan_of().parcels(4)), list(plan_of(turned).parcels(4))
    assert [[u.key for u in p.units] for p in one] == [[u.key for u in p.units] for p in other]
    assert [[u.fingerprint for u in p.units] for p in one] == [[u.fingerprint for u in p.units] for p in other]


def test_done_is_all_wanted_rows_with_the_wanted_fingerprint_and_families(root):
    whole, half, stale, other_family = units_of(plan_of())[:4]
    write_measurements(root, rows_of(whole), "r")
    write_measurements(root, rows_of(half, rows=half.rows[:1]), "r")
    write_measurements(root, [{**row, "fingerprint": "0" * 32} for row in rows_of(stale)], "r")
    write_measurements(root, rows_of(other_family, families=["sharpness@1"]), "r")
    plan = plan_of(store=open_store(str(root.path)))
    missing = {unit.key: unit for unit in units_of(plan)}
    assert whole.key not in missing
    assert {half.key, stale.key, other_family.key} <= set(missing)
    assert missing[other_family.key].families == ("sharpness", "study"), (
        "what is there is measured again with what is wanted"
    )
    assert missing[half.key].families == ("study",)
    assert [row.fingerprint for row in missing[half.key].missing_rows] == [half.rows[1].fingerprint]
    assert missing[other_family.key].missing_rows == other_family.rows
    assert sum(count.done for count in plan.counts) == 1


def test_failed_and_absent_units_are_left_to_retry(root):
    failed, absent, *_ = units_of(plan_of())
    write_failures(root, [Failure(failed, FailureKind.FAILED, "weights", "E", "m", "")], "r1")
    write_failures(root, [Failure(absent, FailureKind.ABSENT, "archive", "E", "m", "")], "r1")
    store = open_store(str(root.path))
    run, retry = plan_of(store=store), plan_of(store=store, make=("failed", "absent"))
    assert states(run)["sss"] == (6, 0, 4, 1, 1)
    assert {failed.key, absent.key}.isdisjoint(unit.key for unit in units_of(run))
    assert [(unit.key, unit.attempt) for unit in units_of(retry)] == [(failed.key, 2), (absent.key, 2)]
    grown = plan_of(replace(STUDY, split_seeds=(42, 43)), store)
    assert states(grown)["sss"] == (6, 0, 5, 0, 1), "what is absent is so for every row, what failed is tried anew"


def test_of_what_has_failed_and_is_absent_the_later_counts(root):
    unit, grown = units_of(plan_of())[0], replace(STUDY, split_seeds=(42, 43))
    for kind, of_study, of_grown in (
        (FailureKind.FAILED, (6, 0, 5, 1, 0), (6, 0, 6, 0, 0)),
        (FailureKind.ABSENT, (6, 0, 5, 0, 1), (6, 0, 5, 0, 1)),
        (FailureKind.FAILED, (6, 0, 5, 1, 0), (6, 0, 6, 0, 0)),
    ):
        write_failures(root, [Failure(unit, kind, "weights", "E", "m", "")], "r1")
        store = open_store(str(root.path))
        assert states(plan_of(store=store))["sss"] == of_study
        assert states(plan_of(grown, store))["sss"] == of_grown
        (unit,) = units_of(plan_of(store=store, make=("failed", "absent")))


def test_a_failure_of_other_inputs_does_not_count(root):
    unit = units_of(plan_of(replace(STUDY, calibrators=("none",))))[0]
    write_failures(root, [Failure(unit, FailureKind.FAILED, "weights", "E", "m", "")], "r1")
    assert unit.key in {u.key for u in units_of(plan_of(store=open_store(str(root.path))))}


def test_a_budget_that_one_archive_lacks_is_wanted_of_the_other():
    study = replace(STUDY, hps=("12", "200"))
    plan = plan_of(study, selections=[selection(hps=("12", "200")), selection("sss", range(3), hps=("12",))])
    assert states(plan) == {"tss": (40, 0, 40, 0, 0), "sss": (6, 0, 6, 0, 0)}


def test_halving_keeps_every_unit_and_ends_with_one():
    (parcel,) = plan_of(selections=[selection(indices=range(5))]).parcels(64)
    assert [len(part.units) for part in halve(parcel)] == [4, 6]
    waiting, alone = [parcel], []
    while waiting:
        parts = halve(waiting.pop())
        if len(parts) == 1:
            alone += parts[0].units
        else:
            waiting += parts
    assert sorted(u.key for u in alone) == sorted(u.key for u in parcel.units)


def test_a_plan_of_the_whole_study_is_made():
    full = [selection(indices=spaces.get("tss").representatives()), selection("sss", range(32768))]
    plan = plan_of(replace(STUDY, seeds=(777,)), selections=full)
    assert len(plan) == 6466 + 32768
    assert sum(len(parcel.units) for parcel in plan.parcels(64)) == len(plan)
