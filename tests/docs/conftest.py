"""The workplace in which the commands and snippets of the pages are run: a store, archives, data sets, other tables.

It lies where the pages have ``results/`` and ``/data``, and is small: the trained zoo of all tests, networks with the
weights that they began with, files of random pixels in the formats of the releases, and tables of made numbers.
"""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.io import savemat

from harness import networks, spaces
from harness.archives import NewTrial, record_dict, write_meta, write_record
from harness.cli.main import main
from harness.datasets import DataFolder, Library
from harness.store.published import PUBLISHED_COLUMNS, published_names

N = 50
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
FULL = {"tss": "NATS-tss-v1_0-3ffb9-full", "sss": "NATS-sss-v1_0-50262-full"}
BUDGETS = {"tss": "200", "sss": "90"}
ANALYSIS = Path(__file__).parents[2] / "analysis"


@pytest.fixture(scope="session")
def workplace(tmp_path_factory, overrides):
    """A folder to work in, with ``results/store`` of the small zoo; ``data`` and ``scratch`` stand for those of /."""
    folder = tmp_path_factory.mktemp("workplace")
    write_images(folder / "data", np.random.RandomState(0))
    write_archives(folder / "data")
    write_tables(folder / "data")
    copy_archives(folder, overrides)
    rng = np.random.default_rng(0)
    np.savez(folder / "predictions.npz", probs=rng.dirichlet(np.ones(10), 100), labels=rng.integers(0, 10, 100))
    (folder / "analysis").mkdir()
    shutil.copy(ANALYSIS / "overview.ipynb", folder / "analysis")
    study = ["study.families=[study,replicates]", "keep_logits=float32", f"results={folder / 'results'}"]
    assert main(["run", "experiment=demo", "study.conditions=[unshifted]", *overrides, *study]) == 0
    assert main(["run", *overrides, "limit=1", f"results={folder / 'other'}"]) == 0
    return folder


def copy_archives(folder, overrides):
    """Copy the small zoo to where the pages convert it from; what is kept beside its records then lies there."""
    (source,) = (word.partition("=")[2] for word in overrides if word.startswith("archives.tss="))
    shutil.copytree(source, folder / "results/zoo/zoo-8cd5ea6f-tss")


def write_images(root, rng):
    """Write small files of random pixels in the formats in which the data sets were released."""

    def pixels(*shape):
        return rng.randint(0, 256, shape, dtype=np.uint8)

    classes = {"cifar10": rng.randint(0, 10, (N, 1)), "cifar100": rng.randint(0, 20, (N, 2))}
    parts = [f"data_batch_{k}.bin" for k in range(1, 6)]
    for name, folder, files in (
        ("cifar10", "cifar-10-batches-bin", [*parts, "test_batch.bin"]),
        ("cifar100", "cifar-100-binary", ["train.bin", "test.bin"]),
    ):
        (root / folder).mkdir(parents=True)
        for file in files:
            (root / folder / file).write_bytes(np.hstack([classes[name].astype("u1"), pixels(N, 3072)]).tobytes())
    (root / "ImageNet16").mkdir()
    batch = {"data": pixels(N, 768), "labels": rng.randint(1, 121, N).tolist()}
    (root / "ImageNet16" / "val_data").write_bytes(pickle.dumps(batch))
    savemat(root / "test_32x32.mat", {"X": pixels(32, 32, 3, 2 * N), "y": np.ones((2 * N, 1))})
    for name, folder in (("cifar10", "CIFAR-10-C"), ("cifar100", "CIFAR-100-C")):
        (root / folder).mkdir()
        np.save(root / folder / "gaussian_noise.npy", pixels(5 * N, 32, 32, 3))
        np.save(root / folder / "labels.npy", np.tile(classes[name][:, -1], 5).astype("u1"))


def trial(space, index, dataset, library, weights=True):
    """A network with the weights it began with, and what it reaches, recorded as an archive does."""
    test = library.load(dataset, "test")
    torch.manual_seed(len(dataset))
    skeleton = {"channels": 4, "cells": 1} if space == "tss" else {}
    network = networks.build(space, spaces.get(space).arch_str(index), test.n_classes, **skeleton)
    logits = networks.infer(network, test.images, *test.normalisation, batch_size=N, device="cpu")
    return NewTrial(
        dataset=dataset, seed=777, num_classes=test.n_classes, parameters=1, multiply_adds=1,
        train_accuracies=(0.5,), train_losses=(1.0,), train_time_s=1.0, eval_time_s=1.0, latency_s=1.0,
        accuracies={"ori-test": float((logits.argmax(1) == test.labels).double().mean())},
        losses={"ori-test": float(torch.nn.functional.cross_entropy(logits, test.labels))},
        weights=network.state_dict() if weights else None, **skeleton,
    )  # fmt: skip


def write_archives(data):
    """Write archives called like the downloaded ones: two architectures of each space, one without weights."""
    library = Library(DataFolder(data, released_only=False))
    for space, name in FULL.items():
        write_meta(data / name, space)
        for index in spaces.get(space).representatives()[3:5] if space == "tss" else (0, 1):
            trials = {BUDGETS[space]: [trial(space, index, dataset, library) for dataset in DATASETS]}
            write_record(data / name, index, record_dict(space, index, trials))
    folder = data / "NATS-tss-v1_0-3ffb9-simple"
    write_meta(folder, "tss")
    for index in (0, 11):
        trials = {"200": [trial("tss", index, "cifar10", library, weights=False)]}
        write_record(folder, index, record_dict("tss", index, trials))


def write_tables(data):
    """Write a published table of all topologies, on the data set of the small zoo, and the data set of robustness."""
    space = spaces.get("tss")
    representatives = np.array([space.representative(index) for index in range(len(space))])
    rng = np.random.default_rng(0)

    names = [column.name for column in PUBLISHED_COLUMNS if "tss" in column.holds]
    frame = pd.DataFrame(rng.uniform(0.01, 0.99, (len(space), len(names))).round(3)[representatives], columns=names)
    frame["config"] = range(len(space))
    frame["arch"] = [space.strings[index] for index in representatives]
    for folder, n_rows in (("calibration-tables", len(space)), ("few-rows", 20)):
        (data / folder).mkdir()
        frame[published_names("tss")][:n_rows].to_csv(data / folder / "digits_tss.csv", index=False)
    write_robustness(data / "robustness")


def write_robustness(folder):
    """Write the data set of robustness, of two topologies under one attack."""
    ids = {str(index): {"nb201-string": spaces.get("tss").arch_str(index), "isomorph": str(index)} for index in (7, 11)}
    epsilons = {"fgsm@Linf": [1.0], "pgd@Linf": [0.1, 0.5], "aa_apgd-ce@Linf": [4.0], "aa_square@Linf": [8.0]}
    accuracies = {"cifar10": {"pgd@Linf": {"accuracy": {"7": [0.5, 0.1], "11": [0.4, 0.0]}}}}
    (folder / "cifar10").mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"ids": ids, "epsilons": epsilons}))
    (folder / "cifar10/pgd@Linf_accuracy.json").write_text(json.dumps(accuracies))
