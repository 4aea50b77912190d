"""Families of one's own under `measure`: what they may return, and that they cannot touch what others see."""

import numpy as np
import pytest

from harness.metrics import Measurement, Undefined, family, label_families, measure, measure_with_reasons

PROBS, LABELS = np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])
FILE = """
from __future__ import annotations

import dataclasses
import numpy as np
from harness.metrics import Family, Measurement, Undefined

@dataclasses.dataclass
class Kept:
    value: float

def function(probs, labels):
    return {returned}

FAMILY = Family(
    "mine",
    version=3,
    measurements=tuple(
        Measurement(name=name, upper=9.0, definition="d", formula="f", source="s", function=len)
        for name in ("one", "two")
    ),
    function=function,
)
"""


@pytest.fixture
def place(tmp_path):
    def write(returned):
        path = tmp_path / "mine.py"
        path.write_text(FILE.replace("{returned}", returned))
        return str(path)

    return write


def test_values_and_reasons_come_in_the_order_of_the_rows(place):
    mine = place('{"two": np.float64(2.5), "one": Undefined("why")}')
    measured = measure_with_reasons(PROBS, LABELS, [mine, "signed"])
    assert list(measured.values) == ["one", "two", "over_confidence_15", "under_confidence_15"]
    assert measured.values["one"] is None
    assert measured.reasons == {"one": "why"}
    assert (measured.values["two"], type(measured.values["two"])) == (2.5, float)
    assert isinstance(Undefined("why"), Undefined)


def test_a_family_is_loaded_once_and_wherever_it_is_named_from(place, monkeypatch, tmp_path):
    mine = place('{"one": 1.0, "two": 2.0}')
    monkeypatch.chdir(tmp_path)
    assert family(mine) is family("./mine.py") is label_families(["study", "mine.py"])[1]
    assert family(mine).tag == "mine@3"
    assert {row.family for row in family(mine).measurements} == {"mine"}
    assert measure(PROBS, LABELS, [mine, "mine.py"]) == {"one": 1.0, "two": 2.0}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ('{"one": 1.0}', "expected its function to return one, two by name, got one"),
        ('{"one": 1.0, "two": 2.0, "three": 3.0}', "got one, two, three"),
        ("None", "expected its function to return one, two by name, got None"),
        ("[1.0, 2.0]", r"by name, got \[1.0, 2.0\]"),
        ('{"one": 1, "two": 2.0}', r"expected one to be a finite float or Undefined\(reason\), got 1"),
        ('{"one": 1.0, "two": None}', r"expected two to be a finite float .* got None"),
        ('{"one": np.float32(1), "two": 2.0}', r"got np.float32\(1.0\)"),
        ('{"one": float("nan"), "two": 2.0}', "got nan"),
        ('{"one": -float("inf"), "two": 2.0}', "got -inf"),
    ],
)
def test_what_is_not_a_number_by_name_is_refused(place, returned, message):
    with pytest.raises(ValueError, match=f"family mine: .*{message}"):
        measure(PROBS, LABELS, [place(returned)])


def test_predictions_are_read_only_for_a_family(place):
    mine = place('{"one": 1.0, "two": float(np.multiply(probs, 2, out=probs).sum())}')
    with pytest.raises(ValueError, match="read-only"):
        measure(PROBS, LABELS, [mine])
    assert PROBS.flags.writeable


@pytest.mark.parametrize("value", [-0.5, 9.5])
def test_values_outside_of_the_range_of_the_row_are_refused(place, value):
    with pytest.raises(
        ValueError, match=rf"family mine: expected one in the range of its row, 0\.0 to 9\.0, got {value}"
    ):
        measure(PROBS, LABELS, [place(f'{{"one": {value}, "two": 1.0}}')])


def test_what_its_function_raises_is_said_with_its_name(place):
    with pytest.raises(ValueError, match="family mine: its function raised ZeroDivisionError: ") as caught:
        measure(PROBS, LABELS, [place("1 / 0")])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_file_cannot_end_the_process(tmp_path):
    (tmp_path / "leaves.py").write_text("raise SystemExit(5)")
    with pytest.raises(ValueError, match=r"leaves\.py: cannot be imported: SystemExit: 5, in line 1"):
        family(str(tmp_path / "leaves.py"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unit": ""}, "measurement x: expected unit to be a text, got ''"),
        ({"definition": ""}, "measurement x: expected definition to be a text, got ''"),
        ({"lower": 1.0, "upper": 0.0}, "measurement x: expected lower <= upper, got 1.0 and 0.0"),
        ({"name": "x y"}, "measurement: expected a name of letters, digits and _, got 'x y'"),
    ],
)
def test_rows_that_say_nothing_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Measurement(**{"name": "x", "definition": "d", "formula": "f", "source": "s", "function": len, **fields})


@pytest.mark.parametrize("reason", ["", None])
def test_undefined_takes_a_reason(reason):
    with pytest.raises((TypeError, ValueError)):  # under the shape hook no text is already a TypeError
        Undefined(reason)
