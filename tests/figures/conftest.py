"""Rows as a store gives them, made up: half of the networks topologies, half sizes, pre and post."""

import numpy as np
import pandas as pd
import pytest

from harness import spaces
from harness.figures import DETECTION_COLUMNS, METRICS, columns_at_bin_counts
from harness.statistics.population import POST, PRE, Population

BIN_COLUMNS = columns_at_bin_counts("ECE")


def rows_of(n=6, calibrators=("none", "temperature"), **columns):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "source": "zoo-0",
            "space": "tss" if i % 2 else "sss",
            "arch_index": i,
            "dataset": "digits",
            "hp": "12",
            "protocol": "clean",
            "condition": "unshifted",
            "severity": 0,
            "split": "random20",
            "split_seed": 42,
            "label_set": "original",
            "precision": "float32",
            "seed": 777,
            "calibrator": calibrator,
            "gate": "pass",
            "acc": 0.9 + i / 100,
            "NLL": 0.3,
            "temperature": None if calibrator == "none" else 1.2,
            "bin15_count": rng.multinomial(100, np.ones(15) / 15),
            "bin15_confidence": (np.arange(15) + 0.5) / 15,
            "bin15_accuracy": rng.random(15),
            **{
                name: 0.1 + i / 100 + n_bins / 10000 - (0.05 if calibrator == "temperature" else 0)
                for n_bins, name in BIN_COLUMNS.items()
            },
            "ECE_15": 0.1 + i / 100 - (0.05 if calibrator == "temperature" else 0),
            **dict.fromkeys(DETECTION_COLUMNS, np.nan),
        }
        for i in range(n)
        for calibrator in calibrators
    )
    return rows.assign(**columns)


def shifted_rows(condition="ood_uniform", severity=0, auroc=0.9, n=6):
    """Rows of a condition without labels: what needs labels is null, the networks are detected ever better."""
    rows = rows_of(n, condition=condition, severity=severity, acc=np.nan, ECE_15=np.nan)
    for i, name in enumerate(DETECTION_COLUMNS):
        rows[name] = auroc + rows["arch_index"] / 100 - i / 1000
    return rows


def all_null(rows):
    """The same rows without any measurement."""
    return rows.assign(**dict.fromkeys(["acc", "NLL", *BIN_COLUMNS.values(), *DETECTION_COLUMNS], np.nan))


def population_of(n=40, space="tss", dataset="cifar10", noise=0.01, n_resamples=20, seed=0, indices=None):
    """Networks of one space and data set, made up: errors follow a latent quality, and repeat up to some noise.

    The more accurate a network the smaller its errors; temperature scaling halves all of them.
    """
    rng = np.random.default_rng([seed, *dataset.encode()])
    of_space = spaces.get(space)
    if indices is None:
        indices = np.sort(np.random.default_rng(seed).choice(of_space.representatives(), size=n, replace=False))
    quality = np.random.default_rng(seed).permutation(np.linspace(0.1, 0.9, n))
    names = [*METRICS, *(name for name in BIN_COLUMNS.values() if name not in METRICS)]
    before = pd.DataFrame({name: 0.2 - 0.2 * quality + noise * rng.random(n) for name in names}, index=indices)
    before["acc"] = quality
    before["HCS"] = 2 * quality * (1 - before["ECE_15"]) / (quality + 1 - before["ECE_15"])
    before["NLL"] = 1 - quality
    before["Brier"] = before["Brier_top"] = 0.5 - 0.5 * quality
    before["Brier_top_miscalibration"] = before["ECE_15"] ** 2
    before["correct_confidence"] = quality + 0.5 * before["KSCE"]
    before["incorrect_confidence"] = 0.5 * quality
    scores = {PRE: before, POST: before.assign(**{name: before[name] / 2 for name in (*names, "NLL")})}
    resamples = {
        (calibrator, name): frame[[name]].to_numpy() + noise * rng.normal(size=(n, n_resamples))
        for calibrator, frame in scores.items()
        for name in frame.columns
        if n_resamples
    }
    robust = pd.DataFrame({"fog:3": quality / 2, "made_contrast:5": 1 - quality}, index=indices)
    return Population(
        whose="clean",
        space=space,
        dataset=dataset,
        setting={"source": "zoo", "hp": "200"},
        rule="one network of each isomorphism class",
        n_left_out=0,
        n_space=len(of_space.representatives()),
        networks=networks_of(of_space, indices),
        scores=scores,
        resamples=resamples,
        robust=robust,
        detection=pd.DataFrame({"svhn": quality}, index=indices),
    )


def networks_of(space, indices):
    """What a store knows of some architectures."""
    described = [space.features(int(index)) for index in indices]
    rows = {
        "arch_str": [space.strings[index] for index in indices],
        "representative": [space.representative(int(index)) for index in indices],
        "kernel_parameters": [each.kernel_parameters for each in described],
        "widths": [each.widths for each in described],
        "operations": [each.operations for each in described],
        "live_edges": [each.live_edges for each in described],
    }
    return pd.DataFrame(rows, index=pd.Index(indices, name="arch_index"))


@pytest.fixture(scope="session")
def make():
    """The makers of rows, for tests to name."""

    class Make:
        rows = staticmethod(rows_of)
        shifted = staticmethod(shifted_rows)
        nulls = staticmethod(all_null)
        population = staticmethod(population_of)

    return Make
