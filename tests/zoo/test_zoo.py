"""The embedded zoo: what it samples, that the official API reads it, that the same recipe gives the same weights."""

import nats_bench
import numpy as np
import pytest
import torch

from harness import spaces
from harness.archives import open_archive
from harness.datasets import Library
from harness.networks import build
from harness.zoo import (
    SSS_SAMPLE,
    TSS_SAMPLE,
    TWO_SEEDS,
    Recipe,
    TrainTask,
    archive_folder,
    missing_records,
    prepare_archive,
)
from harness.zoo.sample import sample_indices, topology


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


def test_the_hash_follows_whatever_decides_the_weights(recipe):
    changed = [
        Recipe("digits", 3, 64, 0.1, 5e-4, 16, 1, False, (777, 888)),
        Recipe("digits", 2, 64, 0.2, 5e-4, 16, 1, False, (777, 888)),
        Recipe("digits", 2, 64, 0.1, 5e-4, 16, 1, False, (777,)),
        Recipe("digits", 2, 64, 0.1, 5e-4, 16, 1, True, (777, 888)),
    ]
    library = Library()
    assert len({recipe.hash(library), *(r.hash(library) for r in changed)}) == 5
    assert recipe.hash(library) == Recipe("digits", 2, 64, 0.1, 5e-4, 16, 1, False, (777, 888)).hash(Library())


def test_what_is_trained_is_not_trained_again(zoo_root, recipe):
    folders = {space: archive_folder(zoo_root, recipe, space, Library()) for space in ("tss", "sss")}
    assert len(missing_records(folders["tss"], "tss")) == 20
    assert len(missing_records(folders["sss"], "sss")) == 6
    first = sample_indices("tss")[:5]
    held = open_archive(folders["tss"]).held
    assert missing_records(folders["tss"], "tss", 5) == [("tss", index) for index in first if index not in held]
