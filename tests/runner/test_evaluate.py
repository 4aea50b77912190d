"""Evaluating parcels: what a row holds, what the gate says, and how each kind of fault becomes a failure row."""

import numpy as np
import pytest
import torch

from harness import datasets, spaces
from harness.archives import NewTrial, Trial, open_archive, record_dict, weights_hash, write_record
from harness.datasets import Library
from harness.metrics import measure, softmax
from harness.runner.evaluate import Context, evaluate
from harness.runner.fingerprint import row_fingerprint
from harness.runner.inference import Inference
from harness.runner.model import accuracy_gate
from harness.runner.protocols import PROTOCOLS
from harness.values import FailureKind, ModelKey, Parcel, UnitKey, Variant, WantedRow, WantedUnit
from harness.zoo import TrainTask, archive_folder, prepare_archive
from harness.zoo.sample import topology
from harness.zoo.training import initialised

INDEX = spaces.get("tss").arch_index(topology("NNN1NN"))


def unit(recipe, index=INDEX, seed=777, fingerprint=None, calibrators=("none", "temperature"), present=()):
    images = Library().load("digits", "test")
    variants = [Variant("random20", 42, "original", calibrator) for calibrator in calibrators]
    clean = PROTOCOLS["clean"]
    rows = [WantedRow(v, fingerprint or row_fingerprint(clean, images, None, v, "float32")) for v in variants]
    model = ModelKey("zoo-00000000", "tss", index, "digits", recipe.hp, seed)
    return WantedUnit(UnitKey(model, "clean", "unshifted", 0), tuple(rows), frozenset(present), ("study",), 1)


def context(folder, batch_size=500):
    return Context({"tss": open_archive(folder)}, Inference("cpu", batch_size), Library())


def spoiled(recipe, tmp_path, change):
    """A zoo of one architecture whose weights were changed after training."""
    folder = archive_folder(tmp_path, recipe, "tss", Library())
    prepare_archive(folder, "tss")
    network = initialised("tss", spaces.get("tss").arch_str(INDEX), 10, recipe, 777)
    weights = network.state_dict()
    change(weights)
    trial = NewTrial(
        dataset="digits", seed=777, num_classes=10, parameters=1, multiply_adds=1, train_accuracies=(0.5, 0.5),
        train_losses=(1.0, 1.0), accuracies={"ori-test": 0.1}, losses={"ori-test": 2.3}, train_time_s=1.0,
        eval_time_s=1.0, latency_s=1.0, weights=weights, channels=16, cells=1,
    )  # fmt: skip
    write_record(folder, INDEX, record_dict("tss", INDEX, {recipe.hp: [trial]}))
    return folder


@pytest.fixture(scope="module")
def rows(zoo_root, recipe):
    parcel = Parcel("tss", (unit(recipe),))
    return evaluate(parcel, context(archive_folder(zoo_root, recipe, "tss", Library()))).rows


def test_a_unit_gives_its_wanted_rows(rows):
    assert [row["calibrator"] for row in rows] == ["none", "temperature"]
    pre, post = rows
    assert pre["temperature"] is None
    assert 0.01 <= post["temperature"] <= 100
    assert pre["n_samples"] == post["n_samples"] == 720
    assert pre["families"] == ["study@1"]
    assert pre["acc"] == post["acc"], "scaling keeps the prediction"
    assert post["NLL"] < pre["NLL"] * 1.05
    assert sum(pre["bin15_count"]) == 720


def test_the_reliability_bins_give_the_ece_of_the_row(rows):
    for row in rows:
        gaps = [
            n * abs(c - a)
            for n, c, a in zip(row["bin15_count"], row["bin15_confidence"], row["bin15_accuracy"], strict=True)
            if n
        ]
        assert sum(gaps) / row["n_samples"] == pytest.approx(row["ECE_15"], abs=1e-12)


def test_calibrators_are_fitted_on_the_fit_part_and_scored_on_the_rest(rows, zoo_root, recipe):
    record = open_archive(archive_folder(zoo_root, recipe, "tss", Library())).record(INDEX)
    images = Library().load("digits", "test")
    network = initialised("tss", record.arch_str, 10, recipe, 0)
    network.load_state_dict(record.weights("digits", 777, recipe.hp))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in images.normalisation)
    with torch.no_grad():
        logits = network.eval()((images.images.float() / 255 - mean) / std).double().numpy()
    part = datasets.split("random20", 900, 42)
    expected = measure(
        softmax(logits[part.evaluation] / rows[1]["temperature"]), images.labels.numpy()[part.evaluation]
    )
    for name, value in expected.items():
        assert rows[1][name] == pytest.approx(value, rel=1e-4, abs=1e-7), name


def test_rows_that_are_there_are_not_made_again(rows, zoo_root, recipe):
    parcel = Parcel("tss", (unit(recipe, present=[rows[0]["fingerprint"]]),))
    evaluated = evaluate(parcel, context(archive_folder(zoo_root, recipe, "tss", Library())))
    assert [row["calibrator"] for row in evaluated.rows] == ["temperature"]
    assert evaluated.units_done == 1


def test_the_batch_size_does_not_change_a_row(rows, zoo_root, recipe):
    parcel = Parcel("tss", (unit(recipe),))
    other = evaluate(parcel, context(archive_folder(zoo_root, recipe, "tss", Library()), batch_size=77)).rows
    for a, b in zip(rows, other, strict=True):
        assert a["NLL"] == pytest.approx(b["NLL"], rel=1e-5)
        assert a["fingerprint"] == b["fingerprint"]


def nan(weights):
    weights["classifier.bias"][3] = float("nan")


def misfit(weights):
    weights["classifier.weight"] = weights["classifier.weight"][:, :-1]


def missing(weights):
    del weights["stem.0.weight"]


@pytest.mark.parametrize(
    ("change", "stage", "message"),
    [
        (nan, "inference", "expected finite logits, 900 of 900 images of digits/test gave NaN or infinity"),
        (misfit, "weights", "classifier.weight"),
        (missing, "weights", "stem.0.weight"),
    ],
)
def test_spoiled_weights_become_a_failure_with_stage_and_reason(recipe, tmp_path, change, stage, message):
    parcel = Parcel("tss", (unit(recipe), unit(recipe, seed=888)))
    evaluated = evaluate(parcel, context(spoiled(recipe, tmp_path, change)))
    failed, absent = evaluated.failures
    assert (failed.kind, failed.stage, failed.type) == (FailureKind.FAILED, stage, "EvaluationError")
    assert message in failed.message
    assert "Traceback" in failed.traceback
    assert (absent.kind, absent.stage, absent.traceback) == (FailureKind.ABSENT, "archive", "")
    assert "777" in absent.message, "it says what there is"
    assert evaluated.rows == []


def test_one_bad_model_does_not_stop_the_others(zoo_root, recipe, tmp_path):
    folder = spoiled(recipe, tmp_path, nan)
    other = spaces.get("tss").arch_index(topology("NNNNNN"))
    TrainTask(recipe, {"tss": folder}, Library()).start()(("tss", other))
    evaluated = evaluate(Parcel("tss", tuple(unit(recipe, i) for i in sorted((INDEX, other)))), context(folder))
    assert evaluated.units_done == 1
    assert [failure.unit.key.model.arch_index for failure in evaluated.failures] == [INDEX]


def test_data_that_differ_from_the_plan_are_refused(zoo_root, recipe):
    parcel = Parcel("tss", (unit(recipe, fingerprint="0" * 32),))
    (failure,) = evaluate(parcel, context(archive_folder(zoo_root, recipe, "tss", Library()))).failures
    assert "every machine of a run must read the same data files" in failure.message


def trial(accuracy, loss):
    evaluation = {"ori-test": accuracy} if accuracy is not None else {}
    losses = {"ori-test": loss} if accuracy is not None else {}
    return Trial("digits", 777, "12", 12, 10, 16, 1, 1, 1, evaluation, losses, 1.0, 0.0, True)


@pytest.mark.parametrize(
    ("accuracy_gap", "loss_factor", "verdict"),
    [
        (0, 1, "pass"),
        (0.001, 1, "pass"),
        (0.0012, 1, "warn"),
        (0, 1.02, "warn"),
        (0.005, 1, "warn"),
        (0.0052, 1, "fail"),
    ],
)
def test_the_gate(accuracy_gap, loss_factor, verdict):
    images = Library().load("digits", "test")
    logits = torch.nn.functional.one_hot(images.labels, 10).float() * 3
    logits[:90] = logits[:90].roll(1, dims=1)
    loss = float(torch.nn.functional.cross_entropy(logits, images.labels))
    gate = accuracy_gate(logits, images, trial(0.9 + accuracy_gap, loss * loss_factor))
    assert gate.recomputed_accuracy == pytest.approx(0.9)
    assert gate.verdict == verdict


def test_the_gate_without_a_reference():
    images = Library().load("digits", "test")
    assert accuracy_gate(torch.zeros(900, 10), images, trial(None, None)).verdict == "unrecorded"


def test_the_fingerprint_follows_each_input_and_nothing_else():
    images = Library().load("digits", "test")
    clean, paper = PROTOCOLS["clean"], PROTOCOLS["paper"]
    variant = Variant("random20", 42, "original", "none")
    fingerprints = {
        row_fingerprint(clean, images, None, variant, "float32"),
        row_fingerprint(paper, images, None, variant, "float32"),
        row_fingerprint(clean, images.subset(torch.arange(899)), None, variant, "float32"),
        row_fingerprint(clean, images, None, Variant("random20", 43, "original", "none"), "float32"),
        row_fingerprint(clean, images, None, Variant("random20", 42, "original", "temperature"), "float32"),
        row_fingerprint(clean, images, None, variant, "bfloat16"),
        row_fingerprint(clean, images, Library().shifted("digits", "ood_uniform", 0), variant, "float32"),
        row_fingerprint(clean, images, Library().shifted("digits", "ood_constant", 0), variant, "float32"),
    }
    assert len(fingerprints) == 8
    assert row_fingerprint(clean, Library().load("digits", "test"), None, variant, "float32") in fingerprints


def test_the_weights_hash_follows_names_values_and_types():
    weights = {"a": torch.arange(4.0), "n": torch.tensor(3)}
    changed = [
        {"b": torch.arange(4.0), "n": torch.tensor(3)},
        {"a": torch.arange(4.0).flip(0), "n": torch.tensor(3)},
        {"a": torch.arange(4.0).bfloat16(), "n": torch.tensor(3)},
        {"a": torch.arange(4.0).view(2, 2), "n": torch.tensor(3)},
    ]
    assert len({weights_hash(weights), *map(weights_hash, changed)}) == 5
    assert weights_hash(weights) == weights_hash({"a": torch.arange(8.0)[:4], "n": torch.tensor(3)})


def test_probabilities_of_a_constant_predictor_are_measured(zoo_root, recipe):
    index = spaces.get("tss").arch_index(topology("NNNNNN"))
    folder = archive_folder(zoo_root, recipe, "tss", Library())
    evaluated = evaluate(Parcel("tss", (unit(recipe, index),)), context(folder))
    pre, _ = evaluated.rows
    assert pre["KDECE"] is None
    assert "KDECE" in pre["reasons"]
    assert np.count_nonzero(pre["bin15_count"]) == 1
