"""The published protocol, bug for bug: its constants, its images, its grid, its arithmetic, its seed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from harness import datasets
from harness.archives import open_archive
from harness.cli.main import main
from harness.datasets import Library, Normalisation, PublishedNormalisation, digits, registry
from harness.store import open_store
from harness.zoo import archive_folder
from harness.zoo.training import initialised

PRE = Normalisation((0.2, 0.3, 0.4), (0.5, 0.4, 0.3))
POST = Normalisation((0.4, 0.3, 0.2), (0.3, 0.4, 0.5))
CALIBRATORS = ("none", "temperature")


def load(part, folder=None):
    """The digits with published constants that are wrong in two ways, as those of cifar100 are."""
    return replace(digits.load(part), published=PublishedNormalisation(PRE, POST))


@pytest.fixture(scope="module")
def root(overrides, tmp_path_factory):
    """A store of both protocols, made with wrong published constants."""
    root = tmp_path_factory.mktemp("protocols")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.DATASETS, "digits", load)
        arguments = [*overrides, f"results={root}", "study.protocols=[clean,paper]", "study.spaces=[tss]"]
        assert main(["run", *arguments, "study.conditions=[unshifted,ood_inverted]"]) == 0
        assert main(["verify", *arguments, "study.conditions=[unshifted,ood_inverted]"]) == 0
    return root


@pytest.fixture(scope="module")
def rows(root):
    return open_store(str(root / "store")).measurements(protocol="paper", condition="unshifted").df()


@pytest.fixture(scope="module")
def logits_of(zoo_root, recipe):
    """What a network says of some pixels, shown with some constants, computed plainly."""
    archive = open_archive(archive_folder(zoo_root, recipe, "tss", Library()))

    def plain(index, normalisation, pixels):
        record = archive.record(index)
        network = initialised("tss", record.arch_str, 10, recipe, 0)
        network.load_state_dict(record.weights("digits", 777, recipe.hp))
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in normalisation)
        with torch.no_grad():
            return network.eval()((pixels.float() / 255 - mean) / std)

    return plain


def plain_ece(probs, labels):
    """ECE of 15 bins as the study's code loops over them, in float32."""
    confidence, predicted = probs.max(dim=1)
    right = predicted.eq(labels)
    edges, ece = torch.linspace(0, 1, 16), 0.0
    for low, high in pairwise(edges):
        inside = confidence.gt(low.item()) & confidence.le(high.item())
        if inside.any():
            gap = (confidence[inside].mean() - right[inside].float().mean()).abs()
            ece += float(gap * inside.float().mean())
    return ece


def plain_temperature(logits, labels):
    best, chosen, t = 1e7, 1.0, 0.1
    for _ in range(100):
        error = plain_ece(torch.softmax(logits / t, dim=1), labels)
        if best > error:
            best, chosen = error, t
        t += 0.1
    return chosen


def test_paper_rows_are_what_the_published_steps_give(rows, logits_of):
    test = Library().load("digits", "test")
    part = datasets.split("random20", 900, 42)
    for index in sorted(set(rows["arch_index"])):
        pre, post = (rows[(rows["arch_index"] == index) & (rows["calibrator"] == c)].iloc[0] for c in CALIBRATORS)
        logits = logits_of(index, PRE, test.images)
        probs = torch.softmax(logits, dim=1)
        assert pre["acc"] == pytest.approx(float((logits.argmax(1) == test.labels).double().mean()))
        assert pre["ECE_15"] == pytest.approx(plain_ece(probs, test.labels), abs=2e-6)
        assert pre["NLL"] == pytest.approx(float(torch.nn.functional.nll_loss(probs.log(), test.labels)), rel=1e-4)
        after = logits_of(index, POST, test.images)
        fitted = plain_temperature(after[part.fit], test.labels[part.fit])
        assert post["temperature"] == pytest.approx(fitted)
        scored = torch.softmax(after[part.evaluation] / fitted, dim=1)
        assert post["ECE_15"] == pytest.approx(plain_ece(scored, test.labels[part.evaluation]), abs=2e-6)


def test_before_calibration_all_images_are_scored_after_it_four_fifths(rows):
    assert set(rows.loc[rows["calibrator"] == "none", "n_samples"]) == {900}
    assert set(rows.loc[rows["calibrator"] == "temperature", "n_samples"]) == {720}


def test_paper_rows_carry_the_gate_of_the_clean_inference(rows, root):
    assert set(rows["gate"]) == {"pass"}
    clean = open_store(str(root / "store")).measurements(condition="unshifted").df()
    assert set(clean["recomputed_accuracy"]) >= set(rows["recomputed_accuracy"])
    learned = rows[(rows["calibrator"] == "none") & (rows["recomputed_accuracy"] > 0.5)]
    assert (learned["acc"] < learned["recomputed_accuracy"] - 0.01).any(), "wrong constants cost accuracy"


def test_paper_takes_the_first_seed_alone(rows):
    assert set(rows["seed"]) == {777}


def test_the_protocols_are_kept_apart(root):
    store = open_store(str(root / "store"))
    assert set(store.measurements().df()["protocol"]) == {"clean"}
    assert set(store.sql("SELECT protocol FROM measurements").df()["protocol"]) == {"clean"}
    assert set(store.sql("SELECT protocol FROM paper_measurements").df()["protocol"]) == {"paper"}
    assert set(store.wide().df()["protocol"]) == set(store.tidy().df()["protocol"]) == {"clean"}
    both = store.measurements(protocol=["clean", "paper"]).df()
    assert not set(both.loc[both["protocol"] == "clean", "fingerprint"]) & set(
        both.loc[both["protocol"] == "paper", "fingerprint"]
    )


def test_paper_shows_ood_images_with_its_own_constants(root, logits_of):
    found = open_store(str(root / "store")).measurements(protocol="paper", condition="ood_inverted", calibrator="none")
    test = Library().load("digits", "test")
    for _, row in found.df().iterrows():
        scores = []
        for pixels, constants in ((test.images, PRE), (255 - test.images, POST)):
            probs = torch.softmax(logits_of(row["arch_index"], constants, pixels), dim=1).double().numpy()
            scores.append(-np.sum(np.where(probs > 0, probs * np.log(np.maximum(probs, 1e-300)), 0), axis=1))
        expected = roc_auc_score([0] * 900 + [1] * 900, np.concatenate(scores))
        assert row["ood_auroc"] == pytest.approx(expected, abs=2e-4)


def test_only_paper_verifies_too(overrides, tmp_path):
    arguments = [*overrides, f"results={tmp_path}", "study.protocols=[paper]", "limit=1"]
    assert main(["run", *arguments]) == 0
    assert main(["verify", *arguments]) == 0
    store = open_store(str(tmp_path / "store"))
    assert len(store.measurements(protocol="paper").df()) == 4
    assert main(["report", *arguments]) == 0
