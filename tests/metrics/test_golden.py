"""Real predictions against values of the public reference implementations, in the folder HARNESS_TEST_DATA."""

import json

import numpy as np
import pytest

from harness.metrics import family, measure, measure_as_published

SETS = ["cleanlab_mnist", "netcal_wideresnet-16-4-cifar-10", "netcal_lenet-5-cifar-100"]


def load(folder, name):
    expected = json.loads((folder / "probs" / "expected.json").read_text())[name]
    with np.load(folder / "probs" / f"{name}.npz") as arrays:
        return arrays["probs"], arrays["labels"], expected


@pytest.mark.parametrize("name", SETS)
def test_every_measurement(real_data, name):
    probs, labels, expected = load(real_data, name)
    values = measure(probs.astype(np.float64), labels)
    for member in family("study").members:
        tolerance = 1e-6 if member == "KDECE" else 1e-9
        assert values[member] == pytest.approx(expected[member], rel=tolerance), member


@pytest.mark.parametrize("name", SETS)
def test_what_the_authors_code_computes(real_data, name):
    """The expected values come from the authors' code run on float64 arrays; what float32 does to each is allowed."""
    probs, labels, expected = load(real_data, name)
    authors, values = expected["authors"], measure_as_published(probs.astype(np.float32), labels).values
    for column, value in authors.items():
        if column.startswith("cwACE"):
            # their sort is not stable, which with 500 bins sends equal probabilities to other bins
            assert values[column] == pytest.approx(value, rel=2e-5 if column == "cwACE_500" else 1e-6), column
    # theirs divides each row by its sum, and the confidences of right predictions are rounded to float32
    assert values["KDECE"] == pytest.approx(authors["KDECE"], abs=3e-7)
    # each of 10,000 steps of a sum in float32 is off by up to half an ulp of it, 2^-11, most by less and either way
    assert values["KSCE"] == pytest.approx(authors["KSCE"], abs=1e-5)
    # clipped at the eps of float64 none of these losses changes; at that of float32 those above 15.9 do, and those
    # below 1.2e-7 by as much
    assert _mean_loss(probs, labels, highest=np.inf) == pytest.approx(authors["NLL"], rel=1e-12)
    assert values["NLL"] == pytest.approx(_mean_loss(probs, labels, highest=23 * np.log(2)), abs=1.2e-7)


def _mean_loss(probs, labels, *, highest):
    return np.minimum(-np.log(probs[np.arange(len(labels)), labels].astype(np.float64)), highest).mean()
