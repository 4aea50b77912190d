"""``harness check``: what a user sees in the first two minutes, with good paths and with bad ones."""

import pytest

from harness.cli.main import main
from harness.datasets import Normalisation, PublishedNormalisation, digits, registry
from harness.datasets.images import ImageSet


@pytest.fixture
def check(overrides, tmp_path, capsys):
    def call(*more):
        code = main(["check", *overrides, f"results={tmp_path}", *more])
        return code, capsys.readouterr().out

    return call


def test_what_is_well_is_said_so(check, tmp_path):
    code, out = check("study.conditions=[unshifted,ood_uniform]")
    assert code == 0, out
    assert out.count("the training's constants fit") == 5, "three topologies and two sizes"
    assert "ood_uniform" in out
    assert "random20" in out
    assert "720" in out
    assert "6 trials" not in out
    assert "next: `harness plan" in out
    assert list(tmp_path.rglob("*.parquet")) == [], "nothing is written"


def test_wrong_constants_are_named(check, monkeypatch):
    right = digits.NORMALISATION

    def load(part: str, folder: object = None) -> ImageSet:
        images = digits.load(part)
        wrong = Normalisation((0.9, 0.9, 0.9), (0.05, 0.05, 0.05))
        published = PublishedNormalisation(right, wrong)
        return ImageSet(images.name, images.images, images.labels, 10, wrong, published)

    monkeypatch.setitem(registry.DATASETS, "digits", load)
    code, out = check("study.spaces=[sss]")
    assert code == 1
    assert "the constants of published, before calibration come nearest" in " ".join(out.split())


def test_what_cannot_be_read_is_a_problem_and_the_rest_is_tried(check, tmp_path):
    code, out = check("archives.tss=/nowhere", "study.conditions=[unshifted]")
    assert code == 1
    assert "problem: archives.tss: /nowhere: does not exist" in out
    assert "the training's constants fit" in out, "the sizes are tried all the same"


def test_an_empty_choice_is_a_problem(check):
    code, out = check("study.archs=representatives", "study.spaces=[tss]", "archives.tss=null")
    assert code == 1
    assert "problem: archives.tss: archives.tss is null" in out


def test_stripped_weights_are_named(check, real_data):
    tss = real_data / "nats_simple" / "NATS-tss-v1_0-3ffb9-simple"
    arguments = [f"archives.tss={tss}", "study.spaces=[tss]", "study.datasets=[cifar10]", "study.hps=['200']"]
    code, out = check(*arguments, "study.conditions=[unshifted]")
    assert code == 1
    no_weights, no_data = [line for line in out.splitlines() if line.startswith("problem: ")]
    assert no_weights.startswith("problem: tss 0 cifar10, tss 11 cifar10: the record has logs and no weights")
    assert no_data.startswith("problem: cifar10 test images: "), "no data_root was given"
    assert "85.62" in out, "what the logs say"
    assert "data_root=FOLDER" in out
    assert no_data.endswith("its conditions, splits and label sets are looked for when these are there")
    assert "mend these, or leave out what is not there; docs/data_sets.md lists where files are from" in out


def test_what_is_next_suits_the_problem(check):
    code, out = check("archives.tss=/nowhere", "limit=1")
    assert (code, "next: mend these, or leave out what is not there\n" in out) == (1, True), "the data is there"
    code, out = check("study.spaces=[sss]", "limit=2", "limit=1")
    assert (code, out.count("limit=2"), out.count("limit=1")) == (0, 0, 2)
