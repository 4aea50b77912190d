"""Corrected labels and the split ``nats`` in a run: rows of their own from the inferences that there are already."""

import json

import numpy as np
import pytest
import torch

from harness import datasets
from harness.archives import open_archive
from harness.cli.main import main
from harness.datasets import Library, label_sets, nats_splits
from harness.metrics import measure, softmax
from harness.runner.wanted import wanted_settings
from harness.store import open_store
from harness.values import Study
from harness.zoo import archive_folder
from harness.zoo.training import initialised

LABEL_SETS = ("original", "errors_removed", "errors_relabelled")
ERRORS, AGREED = 30, 10  # made-up errors among the 900 test images, and those of them with a majority
FILES = label_sets.LabelFiles("original.npy", "", "votes.json", "")
HALVES = nats_splits.HalvesFile("digits-test-split.txt", "", "xvalid", "xtest")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with votes on the labels of digits, and with its halves."""
    root = tmp_path_factory.mktemp("data")
    labels = Library().load("digits", "test").labels.numpy()
    votes = [
        {
            "id": 7 * i,
            "given_original_label": int(labels[7 * i]),
            "our_guessed_label": int(labels[7 * i] + 1) % 10,
            "mturk": {"given": 1, "guessed": 4 if i < AGREED else 1, "neither": 0 if i < AGREED else 3, "both": 0},
        }
        for i in range(ERRORS)
    ]
    (root / "labels").mkdir()
    np.save(root / "labels" / "original.npy", labels)
    (root / "labels" / "votes.json").write_text(json.dumps(votes))
    halves = {
        "xvalid": ["int", [str(i) for i in range(0, 900, 2)]],
        "xtest": ["int", [str(i) for i in range(1, 900, 2)]],
    }
    (root / HALVES.name).write_text(json.dumps(halves))
    return root


@pytest.fixture(scope="module")
def arguments(overrides, data, tmp_path_factory):
    """The overrides of a study of two files of images: versions of the test images, and images of other labels."""
    root = tmp_path_factory.mktemp("label_sets")
    test = Library().load("digits", "test")
    pixels, labels = test.images.permute(0, 2, 3, 1).numpy(), test.labels.numpy()
    np.savez(root / "darker.npz", images=pixels // 2, labels=labels)
    np.savez(root / "others.npz", images=pixels[::-1], labels=labels[::-1])
    files = f"image_files=[darker:{root}/darker.npz,others:{root}/others.npz]"
    conditions = "study.conditions=[unshifted,ood_uniform,darker,others]"
    kept = ["keep_logits=float32", "keep_logits_conditions=[unshifted,ood_uniform,darker,others]"]
    where = [f"results={root}", f"data_root={data}", "released_labels_only=false", "study.spaces=[tss]"]
    return [*overrides, *where, files, conditions, *kept]


@pytest.fixture(scope="module")
def before(arguments):
    """The rows of the original labels alone."""
    assert main(["run", *arguments]) == 0
    return measured(arguments)


@pytest.fixture(scope="module")
def rows(arguments, before, tmp_path_factory):
    """All rows, of which the new ones were made where no network is at hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(label_sets.FILES, "digits", FILES)
        patch.setitem(nats_splits.TEST_HALVES, "digits", HALVES)
        more = [f"study.label_sets=[{','.join(LABEL_SETS)}]", "study.splits=[random20,nats]"]
        nowhere = f"archives.tss={tmp_path_factory.mktemp('none')}/NATS-tss-none"
        changed = [nowhere if argument.startswith("archives.tss=") else argument for argument in arguments]
        assert main(["measure", *changed, *more]) == 0
        assert main(["verify", *arguments, *more]) == 0
        return measured(arguments)


def measured(arguments):
    root = next(argument for argument in arguments if argument.startswith("results=")).removeprefix("results=")
    return open_store(f"{root}/store").measurements().df()


def of(rows, condition, label_set, calibrator="none", split="random20"):
    chosen = rows[(rows["condition"] == condition) & (rows["label_set"] == label_set) & (rows["split"] == split)]
    return chosen[chosen["calibrator"] == calibrator].set_index(["arch_index", "seed"]).sort_index()


def test_rows_that_were_there_are_as_they_were(before, rows):
    again = rows[(rows["label_set"] == "original") & (rows["split"] == "random20")]
    assert set(again["fingerprint"]) == set(before["fingerprint"])
    assert not set(again["fingerprint"]) & set(rows.drop(again.index)["fingerprint"])


@pytest.mark.parametrize("condition", ["unshifted", "ood_uniform", "darker"])
def test_removed_images_leave_the_scored_part_of_the_split(rows, condition):
    scored = datasets.split("random20", 900, 42).evaluation
    n_errors, n_left_out = (int(np.isin(7 * np.arange(first, ERRORS), scored).sum()) for first in (0, AGREED))
    n_samples = {name: set(of(rows, condition, name)["n_samples"]) for name in LABEL_SETS}
    assert n_samples == {
        "original": {720},
        "errors_removed": {720 - n_errors},
        "errors_relabelled": {720 - n_left_out},
    }
    n_shifted = {"unshifted": None, "ood_uniform": 900, "darker": 720 - n_errors}[condition]
    found = of(rows, condition, "errors_removed")["n_shifted"]
    assert found.isna().all() if n_shifted is None else set(found) == {n_shifted}


def test_calibrators_are_fitted_on_original_labels_whatever_is_scored(rows):
    temperatures = {
        tuple(of(rows, condition, name, "temperature")["temperature"])
        for condition in ("unshifted", "darker")
        for name in LABEL_SETS
    }
    assert len(temperatures) == 1


def test_images_with_labels_of_their_own_have_those_alone(rows):
    assert set(rows.loc[rows["condition"] == "others", "label_set"]) == {"original"}


def test_each_row_has_a_fingerprint_of_its_own(rows):
    one = rows[rows["arch_index"] == rows["arch_index"].min()]
    one = one[one["seed"] == 777]
    assert one["fingerprint"].is_unique
    assert len(one) == 2 * 2 * (3 * 3 + 1), "splits x calibrators x (label sets of three conditions, one of a fourth)"


@pytest.fixture(scope="module")
def logits(zoo_root, recipe):
    archive = open_archive(archive_folder(zoo_root, recipe, "tss", Library()))
    test = Library().load("digits", "test")
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in test.normalisation)

    def plain(index, seed):
        record = archive.record(index)
        network = initialised("tss", record.arch_str, 10, recipe, 0)
        network.load_state_dict(record.weights("digits", seed, recipe.hp))
        with torch.no_grad():
            return network.eval()((test.images.float() / 255 - mean) / std).double().numpy()

    return plain


@pytest.mark.parametrize("split", ["random20", "nats"])
def test_measurements_are_those_of_the_remaining_images_with_their_labels(rows, logits, split):
    labels = Library().load("digits", "test").labels.numpy()
    scored = datasets.split("random20", 900, 42).evaluation if split == "random20" else np.arange(1, 900, 2)
    relabelled, errors = labels.copy(), 7 * np.arange(ERRORS)
    relabelled[errors[:AGREED]] = (labels[errors[:AGREED]] + 1) % 10
    expected = {
        "original": (labels, []),
        "errors_removed": (labels, errors),
        "errors_relabelled": (relabelled, errors[AGREED:]),
    }
    for name, (truth, left_out) in expected.items():
        images = scored[~np.isin(scored, left_out)]
        for (index, seed), row in of(rows, "unshifted", name, "temperature", split).iterrows():
            probs = softmax(logits(index, seed)[images] / row["temperature"])
            found = measure(probs, truth[images])
            assert row["n_samples"] == len(images)
            assert row["acc"] == pytest.approx(found["acc"], abs=2e-3)
            assert row["NLL"] == pytest.approx(found["NLL"], rel=1e-3)
            assert row["Brier"] == pytest.approx(found["Brier"], rel=1e-3)


def test_a_split_without_a_seed_makes_one_row_whatever_the_seeds(data, monkeypatch):
    monkeypatch.setitem(nats_splits.TEST_HALVES, "digits", HALVES)
    library = Library(datasets.DataFolder(data, released_labels_only=False))
    study = Study(
        ("tss",), "all", None, ("digits",), ("12",), (777,), ("clean",), (("unshifted", 0),),
        ("random20", "nats"), (1, 2), ("original",), ("none",), ("study",),
    )  # fmt: skip
    (wanted,) = wanted_settings(study, library).values()
    assert [(row.variant.split, row.variant.split_seed) for row in wanted.rows] == [
        ("random20", 1),
        ("random20", 2),
        ("nats", 0),
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            ["study.label_sets=[errors_removed]"],
            "study.label_sets: errors_removed is for networks of cifar10, cifar10-v",
        ),
        (["study.splits=[nats]"], "study.splits: nats is for networks of cifar100, ImageNet16-120, none of which"),
        (
            ["study.splits=[nats]", "study.datasets=[cifar100,digits]"],
            "study.splits: digits has random20, none of which",
        ),
        (["study.label_sets=[mended]"], "unknown value 'mended'; expected among original, errors_removed, errors_rel"),
    ],
)
def test_what_a_data_set_does_not_have_is_refused(overrides, override, message, tmp_path, capsys):
    assert main(["plan", *overrides, f"results={tmp_path}", *override]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_stops_the_run_before_it_starts(overrides, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(label_sets.FILES, "digits", FILES)
    arguments = [*overrides, f"results={tmp_path}", f"data_root={tmp_path}", "study.label_sets=[errors_removed]"]
    assert main(["run", *arguments]) == 2
    message = capsys.readouterr().err
    assert "labels errors_removed: looked for label-errors/original.npy" in message
    assert "https://github.com/cleanlab/label-errors" in message
    assert not (tmp_path / "store").exists()
