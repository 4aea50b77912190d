"""What a plan will take: the model by hand, and measured units where the store has them."""

from dataclasses import replace

import numpy as np
import pytest

from harness import spaces
from harness.config import compose
from harness.datasets import Library
from harness.runner.estimate import estimate
from harness.runner.plan import make_plan
from harness.runner.selection import Selection
from harness.store import StoreRoot, open_store
from harness.store.writer import unit_columns, variant_columns, write_measurements
from harness.values import Study

STUDY = Study(
    spaces=("tss", "sss"), archs="all", limit=None, datasets=("digits",), hps=("90",), seeds=(777,),
    protocols=("clean",), conditions=(("unshifted", 0), ("ood_uniform", 0)), splits=("random20",), split_seeds=(42,),
    label_sets=("original",), calibrators=("none", "temperature"), families=("study",),
)  # fmt: skip
CPU = compose(["runner.threads=2"]).runner
GPU = compose(["runner.device=cuda", "runner.gpus_per_worker=0.5"]).runner


def selection(space="sss", indices=range(10), skeleton=()):
    indices = np.asarray(indices, dtype=np.int64)
    return Selection("zoo-00000000", space, indices, ("90",), 10, {("digits", "90"): 777}, 2e7, skeleton)


def estimated(selections, store=None, options=CPU, study=STUDY):
    return estimate(make_plan(study, selections, Library(), store), selections, Library(), store, options)


def test_the_model_by_hand():
    found = estimated([selection()])
    test = Library().load("digits", "test")
    shifted = Library().shifted("digits", "ood_uniform", 0)
    n_images, side = len(test) + len(shifted.images), test.images.shape[-1]
    cost = np.mean([spaces.get("sss").features(i, num_classes=10, image_size=side).multiply_adds for i in range(10)])
    seconds = 10 * (n_images * cost / 1.4e10 + 2 * n_images * (1.0e-7 + 10 * 1.15e-8)) + 10 * 2e7 / 1.5e7
    assert found.core_hours == pytest.approx(2 * seconds / 3600), "two threads"
    assert (found.gpu_hours, found.n_measured, found.modelled, found.n_rows) == (0, 0, 1, 0)
    assert found.archive_gb == pytest.approx(0.2), "each record once"
    assert found.disk_gb == pytest.approx(10 * 2 * 2 * 1500 / 1e9)


def test_converted_records_are_read_at_their_own_rate():
    packed, fast = (replace(selection(), is_converted=is_converted) for is_converted in (False, True))
    of_bz2, of_converted = estimated([packed]), estimated([fast])
    difference_s = 10 * 2e7 / 1.5e7 - 10 * 2e7 / 5.2e8
    assert of_bz2.core_hours - of_converted.core_hours == pytest.approx(2 * difference_s / 3600), "two threads"
    assert of_bz2.archive_gb == of_converted.archive_gb


def test_gpus_are_held_by_workers_and_only_for_inference_where_others_measure():
    alone = estimated([selection()], options=GPU)
    beside = estimated([selection()], options=replace(GPU, measurers=8))
    whole = estimated([selection()], options=replace(GPU, gpus_per_worker=1.0))
    assert 0 < beside.gpu_hours < alone.gpu_hours
    assert whole.gpu_hours == pytest.approx(2 * alone.gpu_hours)
    assert beside.core_hours == alone.core_hours


def test_smaller_networks_of_a_space_take_less():
    full, thin = (estimated([selection("tss", skeleton=s)]) for s in ((), (("channels", 8), ("cells", 1))))
    assert thin.core_hours < full.core_hours


def test_measured_units_of_the_same_kind_of_device_decide(tmp_path):
    made = make_plan(STUDY, [selection()], Library(), None)
    (parcel,) = made.parcels(64)
    rows = [
        {
            **unit_columns(unit.key),
            **variant_columns(row.variant),
            "fingerprint": row.fingerprint,
            "families": [f"{name}@1" for name in unit.families],
            "device": "cuda",
            "seconds": 36.0 if unit.key.condition == "unshifted" else 72.0,
            "run_id": "r",
        }
        for unit in parcel.units[:4]
        for row in unit.rows
    ]
    root = StoreRoot.create(tmp_path / "store")
    write_measurements(root, rows, "r")
    store = open_store(str(root.path))
    found = estimated([selection()], store, replace(GPU, gpus_per_worker=1.0))
    assert (found.n_measured, found.modelled, found.n_rows) == (4, 0, 8)
    assert found.gpu_hours == pytest.approx((8 * 36 + 8 * 72) / 3600), "eight of ten architectures are left"
    assert found.core_hours == pytest.approx(found.gpu_hours), (
        "one thread; the wait for the records is in what was measured"
    )
    (path,) = root.table_files("measurements")
    assert found.disk_gb == pytest.approx(8 * 2 * 2 * path.stat().st_size / 8 / 1e9)
    other = estimated([selection()], store)
    assert (other.n_measured, other.modelled) == (0, 1), "no unit was measured on a CPU"
    grown = estimated([selection(), selection("tss")], store, GPU)
    assert grown.modelled == pytest.approx(20 / 36)
    nothing = estimated([selection(indices=range(2))], store)
    assert (nothing.core_hours, nothing.disk_gb, nothing.archive_gb) == (0, 0, 0)
