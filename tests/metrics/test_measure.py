"""`measure` as a whole: the dictionary, the nulls, what it refuses, and what must not change a number."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax as scipy_softmax

from harness.metrics import (
    FAMILIES,
    MEASUREMENTS,
    OOD_FAMILY,
    OTHER_FAMILIES,
    family,
    measure,
    measure_as_published,
    measure_with_reasons,
    softmax,
)
from harness.metrics.binning import BIN_COUNTS
from harness.metrics.checks import require_labels, require_logits, require_predictions

ROWS = [row for row in MEASUREMENTS if row.family == "study"]
NAMES = [row.name for row in ROWS]
ERRORS = [row.name for row in ROWS if row.higher_is_better is False]


def close(one, other, tolerance=1e-12):
    return all(
        (a is None and other[name] is None) or a == pytest.approx(other[name], rel=tolerance, abs=tolerance)
        for name, a in one.items()
    )


# the dictionary


def test_measure_returns_the_dictionary_in_its_order(predictions):
    assert list(measure(*predictions)) == NAMES


def test_names_are_unique():
    assert len({row.name.lower() for row in MEASUREMENTS}) == len(MEASUREMENTS)  # SQL does not tell case


def test_every_row_is_a_member_of_one_family():
    members = [name for member in (*FAMILIES.values(), OOD_FAMILY) for name in member.members]
    assert members == [row.name for row in MEASUREMENTS]


def test_a_phase_has_fifty_published_measurements():
    binned = ["ECE", "ECE_em", "cwCE", "cwCE_em", "MCE"]
    phase = [f"{name}_{n_bins}" for name in binned for n_bins in BIN_COUNTS]
    assert NAMES[:50] == [*phase, "KSCE", "KDECE", "MMCE", "NLL", "Brier"]


def test_a_published_column_of_a_space_holds_one_measurement():
    columns = [(row.published, space) for row in MEASUREMENTS for space in row.published_in]
    assert len(set(columns)) == len(columns)
    assert all((row.published is None) == (not row.published_in) for row in MEASUREMENTS)


@pytest.mark.parametrize("row", MEASUREMENTS, ids=lambda row: row.name)
def test_a_row_of_the_dictionary_is_complete(row):
    assert row.definition
    assert row.formula
    assert row.definition != row.formula
    assert row.source
    assert row.unit in {"probability", "probability^2", "nat", "fraction", "1"}
    assert row.name in family(row.family).members
    assert row.n_bins in {None, *BIN_COUNTS}
    assert row.function.__doc__.startswith("Return")


@pytest.mark.parametrize("member", FAMILIES.values(), ids=FAMILIES)
def test_a_family_computes_its_members(member, predictions):
    assert set(member.function(*predictions)) == set(member.members)
    assert member.tag == f"{member.name}@{member.version}"
    assert family(member.name) is member


def test_the_default_is_the_study_alone(predictions):
    assert tuple(measure(*predictions)) == family("study").members


@pytest.mark.parametrize("member", FAMILIES.values(), ids=FAMILIES)
def test_a_family_returns_the_order_of_the_dictionary(member, predictions):
    assert tuple(measure(*predictions, [member.name])) == member.members


def test_families_together_return_what_each_returns_alone(predictions):
    together = measure_with_reasons(*predictions, list(FAMILIES))
    assert list(together.values) == [row.name for row in MEASUREMENTS if row.family in FAMILIES]
    for name in FAMILIES:
        alone = measure_with_reasons(*predictions, [name])
        assert alone.values == {key: together.values[key] for key in alone.values}
        assert alone.reasons == {key: reason for key, reason in together.reasons.items() if key in alone.values}


def test_values_are_floats_within_their_bounds(predictions):
    values = measure(*predictions, list(FAMILIES))
    for row in (row for row in MEASUREMENTS if row.family in FAMILIES):
        value = values[row.name]
        if value is not None:
            assert type(value) is float
            assert (
                (-math.inf if row.lower is None else row.lower)
                <= value
                <= (math.inf if row.upper is None else row.upper) + 1e-12
            )


# known answers


def test_perfect_model():
    measured = measure_with_reasons(np.eye(4)[[0, 1, 2, 3] * 200], np.array([0, 1, 2, 3] * 200))
    assert measured.reasons == {
        "KDECE": "all right confidences lie within 1e-06 of each other",
        "incorrect_confidence": "no prediction is wrong",
    }
    assert {measured.values[name] for name in ERRORS} == {0.0, None}
    assert measured.values["acc"] == measured.values["HCS"] == measured.values["correct_confidence"] == 1


def test_certain_and_always_wrong():
    measured = measure_with_reasons(np.eye(2)[np.zeros(500, dtype=int)], np.ones(500, dtype=int))
    values = measured.values
    assert {name for name, value in values.items() if value is None} == set(measured.reasons)
    assert set(measured.reasons) == {"KDECE", "NLL", "correct_confidence", "HCS"}
    for name in ("ECE_15", "ECE_em_15", "MCE_15", "KSCE", "MMCE", "cwCE_em_15", "Brier", "incorrect_confidence"):
        assert values[name] == pytest.approx(1)
    assert values["cwCE_15"] == values["cwACE_15"] == 0.5  # the probabilities 0 of the other class are in no bin
    assert values["Brier_sum"] == 2
    assert values["acc"] == 0


def test_uniform_predictor():
    values = measure(np.full((1000, 10), 0.1), np.arange(1000) % 10)
    for name in ("ECE_10", "ECE_em_15", "MCE_500", "KSCE", "cwCE_20", "cwCE_em_5"):
        assert values[name] == pytest.approx(0, abs=1e-13)
    assert values["NLL"] == pytest.approx(math.log(10))
    assert values["Brier_sum"] == pytest.approx(0.9)
    assert values["acc"] == 0.1
    assert values["KDECE"] is None


def test_calibrated_model_with_two_levels_of_confidence():
    """Right in 3 of 4 at .75 and in 9 of 10 at .9: no error wherever the two levels have bins of their own."""
    probs = np.repeat([[0.75, 0.25], [0.9, 0.1]], [400, 400], axis=0)
    labels = np.concatenate([np.repeat([0, 1], [300, 100]), np.repeat([0, 1], [360, 40])])
    values = measure(probs, labels)
    for name in ("ECE_5", "ECE_em_500", "MCE_100", "KSCE", "cwCE_15", "cwCE_em_15"):
        assert values[name] == pytest.approx(0, abs=1e-12)


def test_one_sample():
    measured = measure_with_reasons(np.array([[0.25, 0.75]]), np.array([1]))
    assert measured.values["ECE_500"] == measured.values["MCE_5"] == measured.values["MMCE"] == 0.25
    assert measured.reasons["cwACE_5"] == "N = 1 is less than M = 5"
    assert set(measured.reasons) == {"KDECE", "incorrect_confidence", *(f"cwACE_{n_bins}" for n_bins in BIN_COUNTS)}


def test_every_null_has_a_reason_and_nothing_else(predictions):
    measured = measure_with_reasons(*predictions, list(FAMILIES))
    assert set(measured.reasons) == {name for name, value in measured.values.items() if value is None}
    assert all(measured.reasons.values())


# what must not change a number


def test_order_of_samples(predictions):
    order = np.random.default_rng(0).permutation(len(predictions.labels))
    before = measure(*predictions, list(FAMILIES))
    after = measure(predictions.probs[order], predictions.labels[order], list(FAMILIES))
    drawn = family("intervals").members  # resamples draw the i-th sample, whichever that is
    free = [name for name in before if not name.startswith("cwACE") and name not in drawn]  # parts equal probabilities
    assert close({name: before[name] for name in free}, after, tolerance=1e-9)


def test_order_of_samples_without_ties(continuous):
    order = np.random.default_rng(0).permutation(len(continuous.labels))
    after = measure(continuous.probs[order], continuous.labels[order])
    assert close(measure(*continuous), after, tolerance=1e-9)


def test_names_of_classes(continuous):
    n_classes = continuous.probs.shape[1]
    new_name = np.random.default_rng(1).permutation(n_classes)
    probs = np.empty_like(continuous.probs)
    probs[:, new_name] = continuous.probs
    after = measure(probs, new_name[continuous.labels], list(FAMILIES))
    assert close(measure(*continuous, list(FAMILIES)), after, tolerance=1e-9)


def test_dtype_and_memory_order(continuous):
    after = measure(np.asfortranarray(continuous.probs), continuous.labels.astype(np.uint8), list(FAMILIES))
    assert close(measure(*continuous, list(FAMILIES)), after)


def test_arguments_are_left_alone(predictions):
    probs, labels = predictions.probs.copy(), predictions.labels.copy()
    probs.flags.writeable = labels.flags.writeable = False
    measure(probs, labels, list(FAMILIES))


@st.composite
def small_predictions(draw):
    """Rows of small integers over their sum: ties, zeros, ones, absent classes, one sample."""
    n_classes = draw(st.integers(2, 5))
    rows = st.lists(st.integers(0, 6), min_size=n_classes, max_size=n_classes).filter(any)
    weights = np.array(draw(st.lists(rows, min_size=1, max_size=25)), dtype=np.float64)
    labels = draw(st.lists(st.integers(0, n_classes - 1), min_size=len(weights), max_size=len(weights)))
    return weights / weights.sum(axis=1, keepdims=True), np.array(labels)


@settings(deadline=None, max_examples=60)
@given(small_predictions())
def test_relations_between_measurements(arrays):
    values = measure(*arrays, list(FAMILIES))
    n_classes = arrays[0].shape[1]
    for n_bins in BIN_COUNTS:
        assert values[f"ECE_{n_bins}"] <= values[f"MCE_{n_bins}"] + 1e-12 <= 1 + 2e-12
        assert values[f"cwCE_{n_bins}"] <= 2 / n_classes + 1e-12
        assert values[f"cwCE_em_{n_bins}"] <= 2 / n_classes + 1e-12
    # merging bins cannot raise the error, and each of these refines the one before
    assert values["ECE_5"] <= values["ECE_10"] + 1e-12 <= values["ECE_100"] + 2e-12 <= values["ECE_500"] + 3e-12
    assert values["Brier_sum"] == pytest.approx(n_classes * values["Brier"])
    assert all(value is None or math.isfinite(value) for value in values.values())


# refusals


GOOD = np.array([[0.5, 0.5], [0.25, 0.75]])
LABELS = np.array([0, 1])


@pytest.mark.parametrize(
    ("probs", "labels", "error", "message"),
    [
        (GOOD.astype(np.float32), LABELS, TypeError, "probs: expected dtype float64, got float32; .*softmax"),
        (np.array([[1, 0], [0, 1]]), LABELS, TypeError, "probs: expected dtype float64, got int64"),
        (GOOD[0], LABELS, ValueError, r"probs: expected shape \(n, classes\), got \(2,\)"),
        (GOOD[None], LABELS, ValueError, r"probs: expected shape \(n, classes\), got \(1, 2, 2\)"),
        (GOOD[:0], LABELS[:0], ValueError, r"probs: expected at least one sample, got shape \(0, 2\)"),
        (np.ones((2, 1)), LABELS, ValueError, r"probs: expected at least two classes, got shape \(2, 1\)"),
        (GOOD * [[np.nan, 1]], LABELS, ValueError, "probs: expected no NaN, got NaN in 2 of 2 rows"),
        (
            np.log(GOOD),
            LABELS,
            ValueError,
            r"probs: expected values in \[0, 1\], got .* from -1.38629 .*softmax\(logits",
        ),
        (GOOD * 2, LABELS, ValueError, r"probs: expected values in \[0, 1\], got values from 0.5 to 1.5; if .* logits"),
        (GOOD * 0.9, LABELS, ValueError, "probs: expected rows that sum to 1 within 1e-05, got 0.9 in row "),
        (GOOD + np.array([[0, 0], [2e-5, 0]]), LABELS, ValueError, "got 1.00002 in row 1"),
        (np.ma.masked_array(GOOD), LABELS, TypeError, "probs: expected a numpy array, got a MaskedArray"),
        (GOOD.astype(">f8"), LABELS, TypeError, "probs: expected the byte order of this machine, got dtype >f8"),
        (GOOD, np.ma.masked_array(LABELS), TypeError, "labels: expected a numpy array, got a MaskedArray"),
        (GOOD, LABELS.astype("m8[s]"), TypeError, r"labels: expected an integer dtype, got timedelta64\[s\]"),
        (GOOD, LABELS.astype(np.float64), TypeError, "labels: expected an integer dtype, got float64"),
        (GOOD, LABELS == 1, TypeError, "labels: expected an integer dtype, got bool"),
        (GOOD, LABELS[:, None], ValueError, r"labels: expected shape \(2,\), one label per sample, got \(2, 1\)"),
        (GOOD, LABELS[:1], ValueError, r"labels: expected shape \(2,\), one label per sample, got \(1,\)"),
        (GOOD, LABELS + 1, ValueError, r"labels: expected values in 0 .. 1, got values from 1 to 2"),
        (GOOD, LABELS - 1, ValueError, r"labels: expected values in 0 .. 1, got values from -1 to 0"),
    ],
)
def test_refused_predictions(probs, labels, error, message):
    with pytest.raises(error, match=message):
        require_predictions(probs, labels)
    with pytest.raises((TypeError, ValueError)):  # under the shape hook a wrong shape is already a TypeError
        measure(probs, labels)


def test_rounding_of_float32_rows_is_no_refusal():
    assert measure(GOOD + np.array([[5e-6, 0], [0, -5e-6]]), LABELS)["acc"] == 1


@pytest.mark.parametrize("families", ["study", [], ()])
def test_refused_families(families):
    with pytest.raises(ValueError, match="families: expected a list of at least one family name"):
        measure(GOOD, LABELS, families)


def test_unknown_family_lists_the_known_ones():
    with pytest.raises(
        ValueError,
        match=f"family: expected one of {', '.join(sorted([*FAMILIES, 'replicates']))}, a file .* got 'sutdy'",
    ):
        measure(GOOD, LABELS, ["sutdy"])
    known = ", ".join(sorted([*FAMILIES, *OTHER_FAMILIES]))
    with pytest.raises(ValueError, match=f"family: expected one of {known}, a file .* got ''"):
        family("")


@pytest.mark.parametrize("families", [["replicates"], ["study", "replicates"]])
def test_a_family_of_lists_is_refused(families):
    with pytest.raises(ValueError, match=r"values of replicates are lists, use harness\.metrics\.measure_resamples"):
        measure(GOOD, LABELS, families)


@pytest.mark.parametrize("families", [["ood"], ["study", "ood"]])
def test_a_family_that_compares_two_image_sets_is_refused(families):
    known = ", ".join(sorted(FAMILIES))
    message = rf"family: ood compares the predictions of two image sets, use .*measure_ood\(.*; measure takes {known}"
    with pytest.raises(ValueError, match=message):
        measure(GOOD, LABELS, families)
    with pytest.raises(ValueError, match=message):
        measure_as_published(GOOD.astype(np.float32), LABELS, families)


# softmax


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_softmax_against_scipy(dtype):
    logits = np.random.default_rng(0).normal(scale=20, size=(200, 10)).astype(dtype)
    probs = softmax(logits)
    assert probs.dtype == np.float64
    np.testing.assert_allclose(probs, scipy_softmax(logits.astype(np.float64), axis=1), rtol=1e-12)
    require_predictions(probs, np.zeros(200, dtype=int))


def test_softmax_of_extreme_logits():
    assert softmax(np.array([[1e300, -1e300], [-1e4, -1e4]])).tolist() == [[1, 0], [0.5, 0.5]]


def test_softmax_is_float64_for_a_reason():
    """In float32 the confidence of a 20-point lead is exactly 1; in float64 it is not."""
    logits = np.array([[20.0, 0.0]], dtype=np.float32)
    assert scipy_softmax(logits, axis=1).max() == 1
    assert softmax(logits).max() < 1


@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        (np.zeros((2, 2), dtype=int), TypeError, "logits: expected a floating-point dtype, got int64"),
        (np.zeros(3), ValueError, r"logits: expected shape \(n, classes\), got \(3,\)"),
        (np.zeros((0, 3)), ValueError, "logits: expected at least one sample"),
        (np.zeros((3, 1)), ValueError, "logits: expected at least two classes"),
        (np.array([[0, np.nan], [0, 1]]), ValueError, "logits: expected finite values, got NaN or infinity in 1 of 2"),
        (np.array([[0, np.inf], [-np.inf, 1]]), ValueError, "NaN or infinity in 2 of 2 rows"),
    ],
)
def test_refused_logits(logits, error, message):
    with pytest.raises(error, match=message):
        require_logits(logits)
    with pytest.raises((TypeError, ValueError)):
        softmax(logits)


def test_labels_of_an_unsigned_type_are_compared_as_numbers():
    with pytest.raises(ValueError, match="got values from 255 to 255"):
        require_labels(np.array([255], dtype=np.uint8), n_samples=1, n_classes=10)
