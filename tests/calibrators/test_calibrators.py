"""What every calibrator keeps, over the table of calibrators."""

import numpy as np
import pytest

from harness import calibrators
from harness.metrics import softmax
from harness.metrics.checks import require_predictions

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 300)
LOGITS = 4 * (RNG.normal(size=(300, 5)) + 1.5 * np.eye(5)[LABELS])

PROTOCOLS = ("clean", "paper")

every_calibrator = pytest.mark.parametrize(
    ("name", "protocol"), [(name, protocol) for protocol in PROTOCOLS for name in calibrators.names(protocol)]
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown_name_lists_the_known_ones(protocol):
    with pytest.raises(ValueError, match="calibrator: expected one of none, temperature, got 'platt'"):
        calibrators.get("platt", protocol=protocol)


def test_unknown_protocol_lists_the_known_ones():
    with pytest.raises(ValueError, match="protocol: expected one of clean, paper, got 'papre'"):
        calibrators.get("none", protocol="papre")
    with pytest.raises(ValueError, match="protocol: expected one of clean, paper, got ''"):
        calibrators.names(protocol="")


def test_protocols_have_calibrators_of_their_own():
    assert calibrators.get("temperature") is calibrators.get("temperature", protocol="clean")
    for name in set(calibrators.names("clean")) & set(calibrators.names("paper")):
        assert type(calibrators.get(name, "clean")) is not type(calibrators.get(name, "paper"))


def test_none_is_the_softmax():
    fitted = calibrators.get("none").fit(LOGITS, LABELS)
    np.testing.assert_array_equal(fitted.apply(LOGITS), softmax(LOGITS))
    assert fitted.parameters == {}


@every_calibrator
def test_name_and_version(name, protocol):
    assert calibrators.get(name, protocol).name == name
    assert calibrators.get(name, protocol).version >= 1


@every_calibrator
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_applied_to_other_samples_gives_probabilities(name, protocol, dtype):
    fitted = calibrators.get(name, protocol).fit(LOGITS[:100].astype(dtype), LABELS[:100].astype(np.uint8))
    probs = fitted.apply(LOGITS[100:].astype(dtype))
    require_predictions(probs, LABELS[100:])
    assert set(fitted.reasons) <= set(fitted.parameters)


@every_calibrator
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (LOGITS + np.nan, LABELS, "logits: expected finite values, got NaN or infinity in 300 of 300 rows"),
        (np.where(LOGITS > 0, np.inf, LOGITS), LABELS, "logits: expected finite values"),
        (LOGITS[:0], LABELS[:0], "logits: expected at least one sample"),
        (LOGITS[:, :1], LABELS, "logits: expected at least two classes"),
        (LOGITS, LABELS + 1, r"labels: expected values in 0 .. 4, got values from 1 to 5"),
        (LOGITS, LABELS - 1, r"labels: expected values in 0 .. 4, got values from -1 to 3"),
    ],
)
def test_refused_values(name, protocol, logits, labels, message):
    with pytest.raises(ValueError, match=message):
        calibrators.get(name, protocol).fit(logits, labels)


@every_calibrator
@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (LOGITS[0], LABELS),
        (LOGITS, LABELS[:-1]),
        (LOGITS, LABELS[:, None]),
        (LOGITS, LABELS.astype(float)),
        (LOGITS.astype(int), LABELS),
    ],
)
def test_refused_shapes_and_dtypes(name, protocol, logits, labels):
    with pytest.raises((TypeError, ValueError)):  # under the shape hook all of them are a TypeError
        calibrators.get(name, protocol).fit(logits, labels)


@every_calibrator
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_to_apply_to_values_that_are_not_finite(name, protocol, bad):
    logits = LOGITS.copy()
    logits[3, 1] = bad
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 300 rows"):
        calibrators.get(name, protocol).fit(LOGITS, LABELS).apply(logits)
