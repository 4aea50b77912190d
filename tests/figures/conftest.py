"""Rows as a store gives them, made up: half of the networks topologies, half sizes, pre and post."""

import numpy as np
import pandas as pd
import pytest

from harness.figures import DETECTION_COLUMNS, columns_at_bin_counts

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


@pytest.fixture(scope="session")
def make():
    """The makers of rows, for tests to name."""

    class Make:
        bin_columns = BIN_COLUMNS
        rows = staticmethod(rows_of)
        shifted = staticmethod(shifted_rows)
        nulls = staticmethod(all_null)

    return Make
