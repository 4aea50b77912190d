"""Corrected labels: what people voted becomes labels, index by index, and files about other images are refused."""

import json

import numpy as np
import pytest
import torch

from harness.datasets import DataFolder, ImageSet, Library, Normalisation, label_set_names, label_sets, label_sets_of
from harness.errors import DataError

NORM = Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
LABELS = [3, 1, 4, 1, 5, 9, 2, 6]
VOTES = {  # image: (guessed label; votes for given, guessed, neither, both)
    0: (7, 3, 2, 0, 0),  # three for the given label: no error
    2: (0, 2, 3, 0, 0),  # three for the guessed one: relabelled
    3: (8, 0, 5, 0, 0),
    5: (1, 2, 2, 1, 0),  # no majority: left out
    6: (3, 0, 0, 1, 4),  # most for both: left out
    7: (2, 1, 1, 3, 0),  # most for neither: left out
}


def images_of(labels=LABELS, n_classes=10):
    images = torch.zeros(len(labels), 3, 2, 2, dtype=torch.uint8)
    return ImageSet("cifar10/test", images, torch.tensor(labels), n_classes, NORM)


def entries():
    return [
        {
            "id": image,
            "url": f"https://labelerrors.com/{image}.png",
            "given_original_label": LABELS[image],
            "our_guessed_label": guessed,
            "mturk": dict(zip(("given", "guessed", "neither", "both"), votes, strict=True)),
        }
        for image, (guessed, *votes) in VOTES.items()
    ]


@pytest.fixture
def write(tmp_path):
    """Write the files of CIFAR-10 as ``labels/`` holds them, changed by the test, and return the folder."""

    def write(change=lambda entries: None, original=LABELS, text=None):
        content = entries()
        change(content)
        folder = tmp_path / "labels"
        folder.mkdir(exist_ok=True)
        np.save(folder / "original_test_labels__cifar10_test_set_original_labels.npy", np.asarray(original))
        (folder / "mturk__cifar10_mturk.json").write_text(json.dumps(content) if text is None else text)
        return tmp_path

    return write


def read(root, name="errors_removed", test=None, *, released_only=False):
    return label_sets.label_set(
        name, "cifar10", test or images_of(), DataFolder(root, released_labels_only=released_only)
    )


def test_errors_are_removed_or_relabelled_by_majority(write):
    root = write()
    removed, relabelled = (read(root, name) for name in ("errors_removed", "errors_relabelled"))
    assert removed.labels.tolist() == LABELS
    assert np.flatnonzero(~removed.counts).tolist() == [2, 3, 5, 6, 7]
    assert relabelled.labels.tolist() == [3, 1, 0, 8, 5, 9, 2, 6]
    assert np.flatnonzero(~relabelled.counts).tolist() == [5, 6, 7]
    assert removed.content_hash != relabelled.content_hash


def test_original_labels_need_no_files():
    found = read(None, "original")
    assert found.labels.tolist() == LABELS
    assert found.counts.all()


def test_hash_follows_what_is_scored_and_nothing_else(write):
    def other_vote(content):
        content[1]["mturk"] |= {"given": 1, "neither": 1}

    def other_guess(content):
        content[2]["our_guessed_label"] = 6

    before = read(write(), "errors_relabelled").content_hash
    assert read(write(other_vote), "errors_relabelled").content_hash == before
    assert read(write(other_guess), "errors_relabelled").content_hash != before


def test_both_places_of_the_release_are_looked_at(write, tmp_path):
    root, clone = write(), tmp_path / "clone"
    for file in (root / "labels").iterdir():
        path = clone / "label-errors" / file.name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.read_bytes())
    assert read(clone).content_hash == read(root).content_hash


@pytest.mark.parametrize(
    ("original", "message"),
    [
        (LABELS[:-1], r"expected 8 integers, the labels of cifar10/test, got int64 of shape \(7,\)"),
        ([*LABELS, 0], r"got int64 of shape \(9,\)"),
        (np.array(LABELS, float), r"got float64 of shape \(8,\)"),
        (
            [3, 1, 4, 1, 9, 5, 2, 6],
            r"in their order; 2 of 8 are others, the first at index 4: 9, not 5; corrections go",
        ),
    ],
)
def test_labels_of_other_images_are_refused(write, original, message):
    with pytest.raises(DataError, match=rf"original_labels\.npy: .*{message}"):
        read(write(original=original))


def test_bytes_behind_the_labels_are_refused(write):
    root = write()
    with (root / "labels" / "original_test_labels__cifar10_test_set_original_labels.npy").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(DataError, match=r"original_labels\.npy: .*1 bytes follow its int64 of shape \(8,\)"):
        read(root)


@pytest.mark.parametrize(
    ("position", "changed", "message"),
    [
        (0, {"id": 8}, r"id: expected a whole number in 0\.\.7, got 8"),
        (0, {"id": -1}, r"id: expected a whole number in 0\.\.7, got -1"),
        (0, {"id": True}, r"id: expected a whole number in 0\.\.7, got True"),
        (0, {"id": "0"}, r"id: expected a whole number"),
        (1, {"id": 3}, r"image 3: expected the given label 1 of the data set, got 4"),
        (1, {"id": 4, "given_original_label": 5}, None),
        (1, {"given_original_label": 10}, r"image 2: given_original_label: expected a whole number in 0\.\.9, got 10"),
        (1, {"our_guessed_label": 10}, r"image 2: our_guessed_label: expected a whole number in 0\.\.9, got 10"),
        (1, {"our_guessed_label": 4}, r"image 2: expected another guessed label than the given 4"),
        (1, {"mturk": {"given": 2, "guessed": 3, "neither": 0}}, "image 2: mturk with given, guessed, neither, both"),
        (1, {"mturk": [2, 3, 0, 0]}, "image 2: mturk with given, guessed, neither, both"),
        (2, {"mturk": {"given": 0, "guessed": 4, "neither": 0, "both": 0}}, "image 3: expected 5 votes, got 4"),
        (2, {"mturk": {"given": 6, "guessed": -1, "neither": 0, "both": 0}}, r"image 3: given: .* 0\.\.5, got 6"),
    ],
)
def test_votes_that_do_not_fit_are_refused_by_entry(write, position, changed, message):
    root = write(lambda content: content[position].update(changed))
    if message is None:  # another image, of which the entry is right
        assert not read(root).counts[changed["id"]]
        return
    with pytest.raises(DataError, match=rf"mturk__cifar10_mturk\.json: entry {position}: .*{message}"):
        read(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a sound JSON file: "),
        ("[" * 100_000, "not a sound JSON file: "),
        ('[{"id": 0, "id": 1}]', "not a sound JSON file: 'id' occurs twice in one object"),
        ("[NaN]", "not a sound JSON file: NaN is no number"),
        (f"[{'9' * 5000}]", "not a sound JSON file: "),
        ("{}", "expected a list of votes"),
        ("[]", "expected a list of votes"),
        ("[1]", "entry 0: expected an object with id, given_original_label, our_guessed_label, mturk"),
    ],
)
def test_files_of_another_form_are_refused(write, text, message):
    with pytest.raises(DataError, match=rf"mturk__cifar10_mturk\.json: {message}"):
        read(write(text=text))


def test_an_image_is_listed_once(write):
    with pytest.raises(DataError, match=r"mturk__cifar10_mturk\.json: image 3 is listed more than once"):
        read(write(lambda content: content.append(content[2])))


def test_other_files_than_the_released_ones_are_refused(write):
    with pytest.raises(DataError, match=r"labels\.npy: expected the public release with MD5 4628c5fffd22eec530997e53d"):
        read(write(), released_only=True)
    with pytest.raises(DataError, match="say released_labels_only=false to use a variant of your own"):
        label_sets.label_set("errors_removed", "cifar10", images_of(), DataFolder(write(), released_only=False))


def test_missing_files_are_asked_for(write, tmp_path):
    places = (
        r"label-errors/mturk/cifar10_mturk\.json or labels/mturk/cifar10_mturk\.json or "
        r"labels/mturk__cifar10_mturk\.json"
    )
    root = write()
    (root / "labels" / "mturk__cifar10_mturk.json").unlink()
    with pytest.raises(DataError, match=rf"labels errors_removed: looked for {places} in .*cleanlab/label-errors"):
        read(root)
    with pytest.raises(DataError, match=r"labels errors_removed: say where its files are with data_root=FOLDER"):
        read(None)


def test_names_and_data_sets():
    assert label_set_names() == ("original", "errors_removed", "errors_relabelled")
    assert label_sets_of("cifar10-valid") == label_sets_of("cifar100") == label_set_names()
    assert label_sets_of("digits") == label_sets_of("ImageNet16-120") == ("original",)
    with pytest.raises(ValueError, match="label set of digits among original, got 'errors_removed'"):
        Library().choices.label_set("errors_removed", "digits", Library().load("digits", "test"))
    with pytest.raises(ValueError, match="among original, errors_removed, errors_relabelled, got 'mended'"):
        read(None, "mended")


@pytest.mark.parametrize(("dataset", "n_errors", "n_agreed"), [("cifar10", 54, 18), ("cifar100", 585, 318)])
def test_real_files_give_the_published_counts(real_data, dataset, n_errors, n_agreed):
    """Northcutt et al. 2021: errors in table 1, those that can be corrected in table 2."""
    original = np.load(real_data / "labels" / f"original_test_labels__{dataset}_test_set_original_labels.npy")
    test = images_of(original.astype(np.int64).tolist(), 10 if dataset == "cifar10" else 100)
    folder = DataFolder(real_data)
    removed, relabelled = (label_sets.label_set(n, dataset, test, folder) for n in label_set_names()[1:])
    assert len(original) - removed.counts.sum() == n_errors
    assert len(original) - relabelled.counts.sum() == n_errors - n_agreed
    changed = relabelled.labels != original
    assert changed.sum() == n_agreed
    assert relabelled.counts[changed].all()
    assert not removed.counts[changed].any()
