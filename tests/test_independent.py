"""The store's numbers, computed again by other people's code: xautodl's modules, netcal, scikit-learn, scipy."""

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from harness.archives import open_archive
from harness.cli.main import main
from harness.datasets import Library
from harness.store import open_store
from harness.zoo import archive_folder

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from netcal.metrics import ECE, MCE
    from xautodl.models.cell_infers.tiny_network import TinyNetwork
    from xautodl.models.cell_searchs.genotypes import Structure
    from xautodl.models.shape_infers.InferTinyCellNet import DynamicShapeTinyNet

GENOTYPE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


@pytest.fixture(scope="module")
def rows(overrides, tmp_path_factory):
    root = tmp_path_factory.mktemp("independent")
    assert main(["run", *overrides, f"results={root}"]) == 0
    return open_store(str(root / "store")).measurements().df()


def digits():
    """The 900 test images, from scikit-learn's own arrays: pixels of 17 levels over 16, as the zoo saw them."""
    order = np.random.RandomState(1998).permutation(1797)[897:]
    data = load_digits()
    pixels = np.rint(data.images[order] * 255 / 16) / 255
    return torch.tensor((pixels - 0.3053) / 0.3760, dtype=torch.float32)[:, None].repeat(1, 3, 1, 1), data.target[order]


def logits_of(row, archive, images):
    if row["space"] == "tss":
        network = TinyNetwork(16, 1, Structure.str2structure(archive.record(row["arch_index"]).arch_str), 10)
    else:
        channels = [int(width) for width in archive.record(row["arch_index"]).arch_str.split(":")]
        network = DynamicShapeTinyNet(channels, Structure.str2structure(GENOTYPE), 10)
    network.load_state_dict(archive.weights(row["arch_index"], "digits", row["seed"], row["hp"]))
    network.eval()
    with torch.no_grad():
        return network(images)[1].double().numpy()


@pytest.mark.parametrize("space", ["tss", "sss"])
def test_measurements_of_the_store_are_those_of_other_code(rows, zoo_root, recipe, space):
    images, labels = digits()
    order = np.random.RandomState(42).permutation(900)
    fit, scored = order[:180], order[180:]
    archive = open_archive(archive_folder(zoo_root, recipe, space, Library()))
    for _, row in rows[rows["space"] == space].iterrows():
        logits = logits_of(row, archive, images)
        temperature = 1.0
        if row["calibrator"] == "temperature":
            temperature = optimal_temperature(logits[fit], labels[fit])
            assert row["temperature"] == pytest.approx(temperature, rel=1e-4)
        probs = softmax(logits[scored] / temperature, axis=1)
        truth = labels[scored]
        assert row["n_samples"] == 720
        assert row["acc"] == pytest.approx(accuracy_score(truth, probs.argmax(axis=1)), abs=1e-12)
        assert row["NLL"] == pytest.approx(log_loss(truth, probs, labels=range(10)), rel=1e-4)
        # scikit-learn's multi-class Brier score sums over the classes.
        assert row["Brier_sum"] == pytest.approx(
            brier_score_loss(truth, probs, labels=range(10), scale_by_half=False), rel=1e-4
        )
        for n_bins in (10, 15):
            assert row[f"ECE_{n_bins}"] == pytest.approx(ECE(n_bins).measure(probs, truth), rel=1e-3, abs=2e-6)
            assert row[f"MCE_{n_bins}"] == pytest.approx(MCE(n_bins).measure(probs, truth), rel=1e-3, abs=2e-6)


def optimal_temperature(logits, labels):
    def loss(log_t):
        return -log_softmax(logits / np.exp(log_t), axis=1)[np.arange(len(labels)), labels].mean()

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), options={"xatol": 1e-10}).x))
