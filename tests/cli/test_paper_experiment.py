"""``experiment=paper``, from files in the formats of their releases to the published layout."""

import pickle

import numpy as np
import pytest
import torch
from scipy.io import savemat

from harness import networks, spaces
from harness.archives import NewTrial, record_dict, write_meta, write_record
from harness.cli.main import main
from harness.datasets import DataFolder, Library
from harness.store import open_store

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
N = 25
VARIANT = "released_only=false"
INDICES = {"tss": spaces.get("tss").representatives()[3], "sss": 0}
BUDGETS = {"tss": "200", "sss": "90"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small files of random pixels in the formats in which the data sets were released."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.RandomState(0)

    def pixels(*shape):
        return rng.randint(0, 256, shape, dtype=np.uint8)

    classes = {"cifar10": rng.randint(0, 10, (N, 1)), "cifar100": rng.randint(0, 20, (N, 2))}
    for name, folder, file in (
        ("cifar10", "cifar-10-batches-bin", "test_batch.bin"),
        ("cifar100", "cifar-100-binary", "test.bin"),
    ):
        (root / folder).mkdir()
        (root / folder / file).write_bytes(np.hstack([classes[name].astype("u1"), pixels(N, 3072)]).tobytes())
    (root / "ImageNet16").mkdir()
    batch = {"data": pixels(N, 768), "labels": rng.randint(1, 121, N).tolist()}
    (root / "ImageNet16" / "val_data").write_bytes(pickle.dumps(batch))
    savemat(root / "test_32x32.mat", {"X": pixels(32, 32, 3, 2 * N), "y": np.ones((2 * N, 1))})
    for name, folder in (("cifar10", "CIFAR-10-C"), ("cifar100", "CIFAR-100-C")):
        (root / folder).mkdir()
        np.save(root / folder / "gaussian_noise.npy", pixels(5 * N, 32, 32, 3))
        np.save(root / folder / "labels.npy", np.tile(classes[name][:, -1], 5).astype("u1"))
    return root


def trial(space, dataset, library):
    """A network with the weights it began with, and what it reaches, recorded as an archive does."""
    test = library.load(dataset, "test")
    torch.manual_seed(len(dataset))
    skeleton = {"channels": 4, "cells": 1} if space == "tss" else {}
    network = networks.build(space, spaces.get(space).arch_str(INDICES[space]), test.n_classes, **skeleton)
    logits = networks.infer(network, test.images, *test.normalisation, batch_size=N, device="cpu")
    return NewTrial(
        dataset=dataset, seed=777, num_classes=test.n_classes, parameters=1, multiply_adds=1,
        train_accuracies=(0.5,), train_losses=(1.0,), train_time_s=1.0, eval_time_s=1.0, latency_s=1.0,
        accuracies={"ori-test": float((logits.argmax(1) == test.labels).double().mean())},
        losses={"ori-test": float(torch.nn.functional.cross_entropy(logits, test.labels))},
        weights=network.state_dict(), **skeleton,
    )  # fmt: skip


@pytest.fixture(scope="module")
def arguments(data, tmp_path_factory):
    """The command line of the whole study, on one architecture of each space."""
    root = tmp_path_factory.mktemp("paper")
    library = Library(DataFolder(data, released_only=False))
    folders = {"tss": root / "NATS-tss-v1_0-3ffb9-full", "sss": root / "NATS-sss-v1_0-50262-full"}
    for space, folder in folders.items():
        write_meta(folder, space)
        trials = {BUDGETS[space]: [trial(space, dataset, library) for dataset in DATASETS]}
        write_record(folder, INDICES[space], record_dict(space, INDICES[space], trials))
    archives = [f"archives.{space}={folder}" for space, folder in folders.items()]
    return ["experiment=paper", *archives, f"data_root={data}", f"results={root}", "runner=local", VARIANT]


@pytest.fixture(scope="module")
def store(arguments):
    assert main(["check", *arguments]) == 0
    assert main(["run", *arguments]) == 0
    assert main(["verify", *arguments]) == 0
    return open_store(arguments[4].removeprefix("results=") + "/store")


def test_every_network_is_measured_under_both_protocols_and_every_condition_that_fits_it(store):
    counted = store.sql("SELECT dataset, protocol, count(*) AS n FROM all_measurements GROUP BY ALL").df()
    found = counted.set_index(["dataset", "protocol"])["n"].to_dict()
    # Two spaces, two calibrators; unshifted, svhn and noise on the two of 32x32 pixels.
    for protocol in ("clean", "paper"):
        assert found["cifar10", protocol] == found["cifar100", protocol] == 2 * 2 * 3
        assert found["ImageNet16-120", protocol] == 2 * 2
    absent = store.failures(kind="absent").df()
    assert set(absent["seed"]) == {888, 999}
    assert set(absent["protocol"]) == {"clean"}


@pytest.mark.parametrize("protocol", ["clean", "paper"])
def test_the_published_layout_holds_both_detection_columns(store, protocol):
    wide = store.wide(protocol=protocol, condition="unshifted").df()
    assert len(wide) == 6
    with_ood = wide["dataset"] != "ImageNet16-120"
    assert wide["auc_svhn"].notna().tolist() == with_ood.tolist()
    assert wide["auc_cifar10c"].notna().tolist() == (wide["dataset"] == "cifar10").tolist(), "cifar100 has CIFAR-100-C"
    rows = store.measurements(protocol=protocol, condition="svhn", dataset="cifar10", calibrator="none").df()
    expected = rows.set_index("space")["ood_auroc"].to_dict()
    assert wide[wide["dataset"] == "cifar10"].set_index("space")["auc_svhn"].to_dict() == expected


def test_cifar100_is_inferred_twice_by_the_paper(store):
    paper = store.measurements(protocol="paper", condition="unshifted", dataset="cifar100", space="tss").df()
    clean = store.measurements(condition="unshifted", dataset="cifar100", space="tss").df()
    confidence = {row["calibrator"]: row["correct_confidence"] for _, row in paper.iterrows()}
    assert len(set(confidence.values()) | set(clean["correct_confidence"])) == 4
    assert paper.set_index("calibrator")["n_samples"].to_dict() == {"none": N, "temperature": 4 * N // 5}
    assert set(paper["recomputed_accuracy"]) == set(clean["recomputed_accuracy"]), "the gate is the clean one"


def test_a_missing_data_set_is_named_before_anything_is_written(arguments, tmp_path, capsys):
    changed = [a for a in arguments if not a.startswith(("data_root", "results"))]
    assert main(["run", *changed, f"data_root={tmp_path}", f"results={tmp_path}"]) == 2
    message = capsys.readouterr().err
    assert "cifar10" in message
    assert "cifar-10-batches-bin" in message
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz" in message
    assert not (tmp_path / "store").exists()
