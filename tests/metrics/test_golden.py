"""Real predictions against values of the public reference implementations, in the folder HARNESS_TEST_DATA."""

import json

import numpy as np
import pytest

from harness.metrics import MEASUREMENTS, measure


@pytest.mark.parametrize("name", ["cleanlab_mnist", "netcal_wideresnet-16-4-cifar-10", "netcal_lenet-5-cifar-100"])
def test_every_measurement(real_data, name):
    folder = real_data / "probs"
    expected = json.loads((folder / "expected.json").read_text())[name]
    with np.load(folder / f"{name}.npz") as arrays:
        values = measure(arrays["probs"].astype(np.float64), arrays["labels"])
    for row in MEASUREMENTS:
        tolerance = 1e-6 if row.name == "KDECE" else 1e-9
        assert values[row.name] == pytest.approx(expected[row.name], rel=tolerance), row.name
