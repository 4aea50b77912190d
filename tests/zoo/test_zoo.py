"""The zoo: what it samples, that the official API reads it, what its name follows, and what diverges."""

import json
import shutil
from dataclasses import replace

import nats_bench
import numpy as np
import pytest
import torch
from torch.nn import BatchNorm2d

from harness import spaces
from harness.archives import NewTrial, open_archive, weights_hash
from harness.datasets import Library
from harness.errors import ConfigError, DataError, TrainingError
from harness.networks import build
from harness.zoo import (
    SSS_SAMPLE,
    TSS_SAMPLE,
    TWO_SEEDS,
    DivergedNote,
    TrainTask,
    archive_folder,
    missing_records,
    missing_seeds,
    prepare_archive,
    read_notes,
    sample_indices,
    write_recipe,
)
from harness.zoo.diverged import write_note
from harness.zoo.sample import topology
from harness.zoo.training import train_network
from harness.zoo.unfinished import keep_trial, kept_trial


def test_the_sample_is_24_topologies_and_8_sizes_that_exist():
    assert (len(TSS_SAMPLE), len(SSS_SAMPLE)) == (24, 8)
    assert len(sample_indices("tss")) == 24
    assert len(sample_indices("sss")) == 8
    assert {*TSS_SAMPLE, *SSS_SAMPLE} > TWO_SEEDS


def test_the_sample_covers_the_spaces():
    features = [spaces.get("tss").features(index) for index in sample_indices("tss")]
    for operation in spaces.OPERATIONS:
        assert any(operation in f.operations for f in features)
    assert any(not any(f.live_edges) for f in features), "a constant predictor"
    dead = [sum(op != "none" for op in f.operations) - sum(f.live_edges) for f in features]
    assert sum(n > 0 for n in dead) >= 3, "cells with dead edges"
    widths = [tuple(map(int, string.split(":"))) for string in SSS_SAMPLE]
    assert (8,) * 5 in widths
    assert (64,) * 5 in widths
    assert any(list(w) == sorted(w) and len(set(w)) == 5 for w in widths), "growing"
    assert any(list(w) == sorted(w, reverse=True) and len(set(w)) == 5 for w in widths), "shrinking"


@pytest.mark.parametrize("space", ["tss", "sss"])
def test_the_official_api_reads_the_zoo(zoo_root, recipe, space, capsys):
    folder = archive_folder(zoo_root, recipe, space, Library())
    ours = open_archive(folder)
    api = nats_bench.create(str(folder), space, fast_mode=True, verbose=False)
    assert len(api) == len(spaces.get(space))
    for index in ours.held:
        record = ours.record(index)
        trial = record.trial("digits", 777, recipe.hp)
        config = api.get_net_config(index, "digits")
        assert config["num_classes"] == 10
        if space == "tss":
            assert (config["C"], config["N"], config["arch_str"]) == (16, 1, api[index])
        else:
            assert config["channels"] == api[index]
        theirs = api.get_net_param(index, "digits", 777, hp=recipe.hp)
        mine = record.weights("digits", 777, recipe.hp)
        assert list(theirs) == list(mine)
        assert all(torch.equal(theirs[name], mine[name]) for name in mine)
        info = api.get_more_info(index, "digits", hp=recipe.hp, is_random=777)
        assert info["valtest-accuracy"] == pytest.approx(100 * trial.recorded.accuracy)
        assert info["valtest-loss"] == pytest.approx(trial.recorded.loss)
        assert info["train-accuracy"] == pytest.approx(100 * trial.train_accuracy)
        cost = api.get_cost_info(index, "digits", hp=recipe.hp)
        assert cost["params"] * 1e6 == pytest.approx(trial.parameters)
        assert cost["flops"] * 1e6 == pytest.approx(trial.multiply_adds)


def test_recorded_accuracies_are_those_of_the_stored_weights(zoo_root, recipe):
    images = Library().load("digits", "test")
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in images.normalisation)
    archive = open_archive(archive_folder(zoo_root, recipe, "tss", Library()))
    for index in archive.held:
        record = archive.record(index)
        network = build("tss", record.arch_str, 10, 16, 1)
        network.load_state_dict(record.weights("digits", 777, recipe.hp))
        network.eval()
        with torch.no_grad():
            predicted = network((images.images.float() / 255 - mean) / std).argmax(dim=1)
        accuracy = (predicted == images.labels).double().mean().item()
        assert record.trial("digits", 777, recipe.hp).recorded.accuracy == pytest.approx(accuracy, abs=2e-3)


def test_the_disconnected_cell_is_a_constant_predictor(zoo_root, recipe):
    archive = open_archive(archive_folder(zoo_root, recipe, "tss", Library()))
    record = archive.record(spaces.get("tss").arch_index(topology("NNNNNN")))
    labels = Library().load("digits", "test").labels.numpy()
    frequencies = np.bincount(labels) / len(labels)
    for seed in (777, 888):
        recorded = record.trial("digits", seed, recipe.hp).recorded
        assert min(abs(frequencies - recorded.accuracy)) < 1e-9


def test_the_same_recipe_gives_the_same_weights(zoo_root, recipe, tmp_path):
    index = spaces.get("tss").arch_index(topology("NNN1NN"))
    first = open_archive(archive_folder(zoo_root, recipe, "tss", Library())).record(index)
    folder = archive_folder(tmp_path, recipe, "tss", Library())
    prepare_archive(folder, "tss")
    TrainTask(recipe, {"tss": folder}, Library()).start()(("tss", index))
    second = open_archive(folder).record(index)
    for seed in (777, 888):
        a, b = (record.weights("digits", seed, recipe.hp) for record in (first, second))
        assert all(torch.equal(a[name], b[name]) for name in a)
    one, other = (first.weights("digits", seed, recipe.hp)["classifier.weight"] for seed in (777, 888))
    assert not torch.equal(one, other)


CHANGES = (
    {"epochs": 3},
    {"learning_rate": 0.2},
    {"seeds": (777,)},
    {"crop": 1},
    {"flip": True},
    {"crop": 1, "flip": True},
    {"optimiser": "adamw"},
    {"schedule": "cosine"},
    {"label_smoothing": 0.1},
    {"mixup": 0.2},
    {"precision": "bfloat16"},
    {"train_images": 100},
    {"every_seed": True},
    {"budget_key": "short"},
)


def test_the_hash_follows_whatever_decides_the_weights(recipe):
    library = Library()
    hashes = {recipe.hash(library), *(replace(recipe, **change).hash(library) for change in CHANGES)}
    assert len(hashes) == 1 + len(CHANGES)
    assert recipe.hash(library) == replace(recipe).hash(Library())


def test_zoos_of_the_first_recipes_keep_their_names(recipe):
    library = Library()
    assert recipe.hash(library) == "e4ccf4e4"
    assert replace(recipe, epochs=12).hash(library) == "8cd5ea6f", "the embedded zoo"
    assert replace(recipe, crop=1, flip=True).hash(library) == "92ac63bf", "what was called augment"


def test_what_the_training_images_do_not_have_is_refused(recipe):
    for change, message in (
        ({"crop": 8}, "zoo.crop: expected less than the 8 pixels of digits/train, got 8"),
        ({"train_images": 898}, "zoo.train_images: expected at most the 897 images of digits/train, got 898"),
    ):
        with pytest.raises(ConfigError, match=message):
            replace(recipe, **change).hash(Library())
        with pytest.raises(ConfigError, match=message):
            replace(recipe, **change).training_images(Library())


def test_every_architecture_gets_every_seed_on_request(recipe):
    one, two = topology("3N3NNN"), topology("NNNNNN")
    assert [recipe.seeds_of(arch_str) for arch_str in (one, two)] == [(777,), (777, 888)]
    assert replace(recipe, every_seed=True).seeds_of(one) == (777, 888)


def test_the_budget_key_is_that_of_the_record(recipe, tmp_path):
    short = replace(recipe, epochs=1, budget_key="short", train_images=64)
    folder = archive_folder(tmp_path, short, "sss", Library())
    prepare_archive(folder, "sss")
    write_recipe(folder, short)
    trained = TrainTask(short, {"sss": folder}, Library()).start()(("sss", 0))
    trial = open_archive(folder).record(0).trial("digits", 777, "short")
    assert trial.epochs == 1
    assert trained.accuracies == (pytest.approx(trial.recorded.accuracy),)
    assert json.loads((folder / "recipe.json").read_text())["budget_key"] == "short"


def test_what_is_trained_is_not_trained_again(zoo_root, recipe):
    folders = {space: archive_folder(zoo_root, recipe, space, Library()) for space in ("tss", "sss")}
    wanted = {space: sample_indices(space) for space in folders}
    assert len(missing_records(folders["tss"], "tss", wanted["tss"])) == 20
    assert len(missing_records(folders["sss"], "sss", wanted["sss"])) == 6
    first, held = wanted["tss"][:5], open_archive(folders["tss"]).held
    assert missing_records(folders["tss"], "tss", first) == [("tss", index) for index in first if index not in held]


@pytest.fixture
def diverging(recipe, tmp_path):
    """A recipe that diverges, its task on the size space, and the folder of its archive."""
    wild = replace(recipe, epochs=1, learning_rate=1e6)
    folder = archive_folder(tmp_path, wild, "sss", Library())
    prepare_archive(folder, "sss")
    return TrainTask(wild, {"sss": folder}, Library()), folder


def test_what_diverges_is_noted_and_never_written_as_trained(diverging):
    task, folder = diverging
    trained = task.start()(("sss", 3))
    assert (trained.accuracies, trained.train_time_s) == ((), ())
    assert trained.diverged == {777: "the loss is nan in epoch 1 of 1"}
    assert "seed 777 diverged: the loss is nan" in trained.summary
    assert open_archive(folder).held == ()
    note = read_notes(folder)[3]
    assert (note.space, note.arch_str, note.trained) == ("sss", spaces.get("sss").arch_str(3), ())
    assert missing_records(folder, "sss", [2, 3]) == [("sss", 2)], "it would diverge again"
    assert missing_records(folder, "sss", [2, 3], with_diverged=True) == [("sss", 2), ("sss", 3)]


def test_a_seed_that_diverges_leaves_the_others_of_its_architecture(recipe, diverging, monkeypatch):
    task, folder = diverging
    gentle = replace(recipe, epochs=1)
    calm = TrainTask(gentle, {"sss": folder}, Library())
    index = spaces.get("sss").arch_index("16:16:16:16:16")

    def wild_for_888(network, images, of, seed):
        return train_network(network, images, task.recipe if seed == 888 else of, seed)

    with monkeypatch.context() as patched:
        patched.setattr("harness.zoo.work.train_network", wild_for_888)
        trained = calm.start()(("sss", index))
    assert (len(trained.accuracies), set(trained.diverged)) == (1, {888})
    assert open_archive(folder).record(index).seeds["digits", gentle.hp] == (777,)
    assert read_notes(folder)[index].trained == (777,)
    assert missing_records(folder, "sss", [index]) == []

    assert missing_records(folder, "sss", [index], with_diverged=True) == [("sss", index)]
    calm.start()(("sss", index))
    assert open_archive(folder).record(index).seeds["digits", gentle.hp] == (777, 888)
    assert read_notes(folder) == {}


def test_a_training_that_waits_for_other_seeds_is_what_it_was(recipe, tmp_path):
    folder = archive_folder(tmp_path, recipe, "sss", Library())
    prepare_archive(folder, "sss")
    quick = replace(recipe, epochs=1)
    index = spaces.get("sss").arch_index("16:16:16:16:16")
    TrainTask(quick, {"sss": folder}, Library()).start()(("sss", index))
    record = open_archive(folder).record(index)
    trial = NewTrial(
        dataset="digits",
        seed=777,
        num_classes=10,
        parameters=12,
        multiply_adds=34,
        train_accuracies=(0.1, 1 / 3),
        train_losses=(2.0, 0.1),
        accuracies={"ori-test": 0.7},
        losses={"ori-test": float("inf")},
        train_time_s=1e-9,
        eval_time_s=0.2,
        latency_s=0.3,
        weights=record.weights("digits", 777, "01"),
    )
    keep_trial(folder, 5, trial)
    kept = kept_trial(folder, 5, 777)
    assert replace(kept, weights=None) == replace(trial, weights=None)
    assert weights_hash(kept.weights) == weights_hash(trial.weights)
    assert missing_seeds(folder, replace(quick, every_seed=True), "sss", 5) == [888]
    assert missing_records(folder, "sss", [5]) == [("sss", 5)]


def test_a_damaged_or_misplaced_training_that_waits_is_named(recipe, tmp_path):
    trial = NewTrial(
        dataset="digits", seed=777, num_classes=10, parameters=1, multiply_adds=1, train_accuracies=(0.1,),
        train_losses=(2.0,), accuracies={}, losses={}, train_time_s=1.0, eval_time_s=1.0, latency_s=1.0,
        weights={"classifier.weight": torch.arange(8.0)},
    )  # fmt: skip
    keep_trial(tmp_path, 5, trial)
    path = tmp_path / "unfinished" / "000005-777.npz"
    content = path.read_bytes()
    path.with_name("000005-888.npz").write_bytes(content)
    path.with_name("000006-777.npz").write_bytes(content)
    for index, seed in ((5, 888), (6, 777)):
        with pytest.raises(DataError, match=r"npz: .*\(it is of architecture 5, seed 777\); remove it"):
            kept_trial(tmp_path, index, seed)
    flips = np.random.default_rng(0).integers(8 * len(content), size=300)
    for damaged in (b"", content[:-1], b"junk", *(flipped(content, bit) for bit in flips)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"000005-777.npz: .*not those that were written\); remove it"):
            kept_trial(tmp_path, 5, 777)


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_what_a_kill_left_of_recorded_architectures_is_removed(zoo_root, recipe, tmp_path):
    folder = shutil.copytree(archive_folder(zoo_root, recipe, "tss", Library()), tmp_path / "zoo")
    (folder / "unfinished").mkdir(exist_ok=True)
    held = open_archive(folder).held[0]
    left, waiting = (folder / "unfinished" / f"{index:06d}-777.npz" for index in (held, 15624))
    for path in (left, waiting):
        path.write_text("")
    prepare_archive(folder, "tss")
    assert not left.exists()
    assert waiting.exists()


def test_killed_between_the_note_and_the_record_the_record_is_missing(diverging):
    _, folder = diverging
    write_note(folder, DivergedNote("sss", 5, "8:8:8:8:48", {888: "the loss is nan in epoch 1 of 1"}, (777,)))
    assert missing_records(folder, "sss", [5]) == [("sss", 5)]


def test_a_damaged_note_is_named(diverging):
    _, folder = diverging
    write_note(folder, DivergedNote("sss", 5, "8:8:8:8:48", {777: "diverged"}, ()))
    for damage in ("", "[]", "{}", '{"space": "sss", "arch_index": 5, "arch_str": "", "reasons": [], "trained": []}'):
        (folder / "diverged" / "000005.json").write_text(damage)
        with pytest.raises(DataError, match=r"diverged/000005.json: expected the note .*; remove it"):
            missing_records(folder, "sss", [5])


def test_weights_and_running_statistics_that_are_no_numbers_count_as_diverged(recipe):
    images = Library().load("digits", "train").subset(torch.arange(64))
    network = build("sss", "8:8:8:8:8", 10)
    next(module for module in network.modules() if isinstance(module, BatchNorm2d)).running_var[0] = torch.inf
    with pytest.raises(TrainingError, match=r"running_var has values that are no finite numbers after the last epoch"):
        train_network(network, images, replace(recipe, epochs=1), 777)
