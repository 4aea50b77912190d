"""Conditions: rows of their own, calibrated on unshifted images, scored on what is shown."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from harness import datasets
from harness.archives import open_archive
from harness.cli.main import main
from harness.datasets import Library
from harness.metrics import MEASUREMENTS, measure, softmax
from harness.store import open_store
from harness.zoo import archive_folder
from harness.zoo.training import initialised

OOD = [m.name for m in MEASUREMENTS if m.family == "ood"]
LABELLED = [m.name for m in MEASUREMENTS if m.family == "study"]


@pytest.fixture(scope="module")
def arguments(overrides, tmp_path_factory):
    """The overrides of a study of five conditions, two of them files of one's own."""
    root = tmp_path_factory.mktemp("conditions")
    test = Library().load("digits", "test")
    pixels = test.images.permute(0, 2, 3, 1).numpy()
    np.save(root / "same.npy", pixels)
    np.savez(root / "darker.npz", images=pixels // 2, labels=test.labels.numpy())
    files = f"image_files=[same:{root}/same.npy,darker:{root}/darker.npz]"
    conditions = "study.conditions=[unshifted,ood_inverted,ood_uniform,same,darker]"
    return [*overrides, f"results={root}", files, conditions, "study.spaces=[tss]"]


@pytest.fixture(scope="module")
def rows(arguments):
    assert main(["run", *arguments]) == 0
    assert main(["verify", *arguments]) == 0
    root = next(argument for argument in arguments if argument.startswith("results=")).removeprefix("results=")
    return open_store(f"{root}/store").measurements().df()


def of(rows, condition, calibrator="none"):
    chosen = rows[(rows["condition"] == condition) & (rows["calibrator"] == calibrator)]
    return chosen.set_index(["arch_index", "seed"]).sort_index()


def test_rows_without_labels_hold_detection_and_nothing_else(rows):
    for condition in ("ood_inverted", "ood_uniform", "same"):
        found = of(rows, condition)
        assert len(found) == 7
        assert found[OOD].notna().all(axis=None)
        assert found[LABELLED].isna().all(axis=None)
        assert found["bin15_count"].isna().all()
        assert set(found["n_samples"]) == {720}
        assert set(found["n_shifted"]) == {900}
        assert {tuple(families) for families in found["families"]} == {("ood@1",)}


def test_rows_of_labelled_shifts_hold_both(rows):
    found = of(rows, "darker")
    assert found[OOD].notna().all(axis=None)
    assert found["ECE_15"].notna().all()
    assert set(found["n_samples"]) == {720}, "versions of the test images are scored where those are"
    assert {tuple(families) for families in found["families"]} == {("ood@1", "study@1")}
    unshifted = of(rows, "unshifted")
    assert unshifted[OOD].isna().all(axis=None)
    assert unshifted["n_shifted"].isna().all()


def test_the_calibrator_is_that_of_the_unshifted_images(rows):
    unshifted = of(rows, "unshifted", "temperature")["temperature"]
    for condition in ("ood_inverted", "same", "darker"):
        assert of(rows, condition, "temperature")["temperature"].tolist() == unshifted.tolist()


def test_images_of_the_same_kind_cannot_be_told_apart(rows):
    assert of(rows, "same")["ood_auroc"].between(0.47, 0.53).all()


def test_a_constant_predictor_tells_nothing_apart(rows):
    constant = of(rows, "ood_uniform")
    assert (constant["ood_auroc"] == 0.5).any()


@pytest.fixture(scope="module")
def logits(zoo_root, recipe):
    """What a network says of some pixels, computed plainly."""
    archive = open_archive(archive_folder(zoo_root, recipe, "tss", Library()))
    norm = Library().load("digits", "test").normalisation
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in norm)

    def plain(index, seed, pixels):
        record = archive.record(index)
        network = initialised("tss", record.arch_str, 10, recipe, 0)
        network.load_state_dict(record.weights("digits", seed, recipe.hp))
        with torch.no_grad():
            return network.eval()((pixels.float() / 255 - mean) / std).double().numpy()

    return plain


def test_rows_are_what_independent_code_gives(rows, logits):
    test = Library().load("digits", "test")
    scored = datasets.split("random20", 900, 42).evaluation
    for (index, seed), row in of(rows, "ood_inverted", "temperature").iterrows():
        inside = softmax(logits(index, seed, test.images)[scored] / row["temperature"])
        outside = softmax(logits(index, seed, 255 - test.images) / row["temperature"])
        is_ood = np.repeat([0, 1], [len(inside), len(outside)])
        entropy = [-np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1) for p in (inside, outside)]
        assert row["ood_auroc"] == pytest.approx(roc_auc_score(is_ood, np.concatenate(entropy)), abs=2e-4)
        doubt = np.concatenate([1 - p.max(axis=1) for p in (inside, outside)])
        expected = average_precision_score(is_ood, doubt)
        assert row["ood_aupr_max_prob"] == pytest.approx(expected, abs=2e-4)
    for (index, seed), row in of(rows, "darker").iterrows():
        probs = softmax(logits(index, seed, test.images // 2)[scored])
        expected = measure(probs, test.labels.numpy()[scored])
        assert row["acc"] == pytest.approx(expected["acc"], abs=2e-3)
        assert row["Brier"] == pytest.approx(expected["Brier"], rel=1e-3)


def test_a_changed_file_gets_rows_of_its_own(arguments, rows, tmp_path):
    root = next(argument for argument in arguments if argument.startswith("results=")).removeprefix("results=")
    pixels = np.load(f"{root}/same.npy")
    np.save(f"{root}/same.npy", np.roll(pixels, 1, axis=0))
    assert main(["run", *arguments]) == 0
    store = open_store(f"{root}/store")
    assert len(set(store.sql("SELECT fingerprint FROM measurements WHERE condition = 'same'").df()["fingerprint"])) == 4
    assert main(["verify", *arguments]) == 0


def test_made_corruptions_are_measured_without_any_download(overrides, tmp_path):
    arguments = [*overrides, f"results={tmp_path}", "study.spaces=[sss]", "limit=1", "study.seeds=[777]"]
    conditions = "study.conditions=[unshifted,made_contrast]"
    assert main(["run", *arguments, conditions]) == 0
    assert main(["verify", *arguments, conditions]) == 0
    rows = open_store(f"{tmp_path}/store").measurements(calibrator="none").df().sort_values("severity")
    assert rows["condition"].tolist() == ["unshifted", *["made_contrast"] * 5]
    assert rows["severity"].tolist() == [0, 1, 2, 3, 4, 5]
    assert set(rows["n_samples"]) == set(rows["n_shifted"].dropna()) == {720}
    assert rows["fingerprint"].is_unique
    assert rows["acc"].iloc[0] > rows["acc"].iloc[-1], "hardly any contrast is left"
