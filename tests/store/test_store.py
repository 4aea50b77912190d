"""The store on real Parquet files: what is written is read, nothing is written twice, damage is found."""

import hashlib
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import StoreError
from harness.store import StoreRoot, open_store
from harness.store.audit import check_files, check_rows, count_duplicates, remove_leftovers
from harness.store.schema import FAILURE_TABLE, MEASUREMENT_COLUMNS, MEASUREMENT_TABLE, RUN_TABLE
from harness.store.seal import BLANK, SEAL_KEY, is_sealed, seal
from harness.store.writer import content_name, to_parquet, write_failures, write_measurements
from harness.values import Failure, FailureKind, ModelKey, UnitKey, Variant, WantedRow, WantedUnit

KEY = {
    "source": "zoo-00000000", "space": "sss", "arch_index": 7, "dataset": "digits", "hp": "12", "seed": 777,
    "protocol": "clean", "condition": "unshifted", "severity": 0,
    "split": "random20", "split_seed": 42, "label_set": "original", "calibrator": "none",
}  # fmt: skip


def row(**changes):
    return {**KEY, "families": ["study@1"], "fingerprint": "f" * 32, "run_id": "r1", "ECE_15": 0.25, **changes}


@pytest.fixture
def root(tmp_path):
    return StoreRoot.create(tmp_path / "store")


def value_for(column, number):
    return {
        "string": f"text {number}",
        "double": number / 7,
        "int32": number,
        "int8": number % 100,
        "list<item: string>": [f"a{number}", "b"],
        "list<item: int32>": [number, 0],
        "list<item: double>": [number / 3, None],
        "map<string, string>": [("NLL", f"why {number}")],
        "map<string, double>": [("gap", number / 9), ("gap_where_sure", None)],
    }[str(column.type)]


def test_every_column_comes_back_with_its_own_value(root):
    written = {column.name: value_for(column, i) for i, column in enumerate(MEASUREMENT_COLUMNS, start=1)}
    write_measurements(root, [written], "r1")
    (read,) = open_store(str(root.path)).sql("SELECT * FROM all_measurements").to_arrow_table().to_pylist()
    assert read == written


def test_a_column_that_no_table_knows_is_refused():
    with pytest.raises(ValueError, match="measurements, got also ECE_16"):
        to_parquet([row(ECE_16=0.1)], MEASUREMENT_TABLE)


def test_the_seal_of_a_file_is_its_hash_with_zeros_in_its_place():
    content = to_parquet([row()], MEASUREMENT_TABLE)
    (found,) = re.findall(rb"harness_file_sha256.{2,8}?([0-9a-f]{64})", content, re.DOTALL)
    assert hashlib.sha256(content.replace(found, b"0" * 64)).hexdigest().encode() == found
    assert is_sealed(content)
    assert not is_sealed(content[:-1])
    assert not is_sealed(b"")
    with pytest.raises(ValueError, match="expected one blank seal"):
        seal(content)
    with pytest.raises(ValueError, match="got 0 places"):
        seal(b"PAR1")


def test_files_are_named_by_what_they_hold_not_by_order_or_run(root):
    identity = (*KEY, "fingerprint", "families")
    a, b = row(), row(seed=888)
    assert content_name([a, b], identity) == content_name([b, {**a, "run_id": "r2"}], identity)
    assert content_name([a], identity) != content_name([row(fingerprint="e" * 32)], identity)
    write_measurements(root, [a, b], "r1")
    (path,) = root.table_files("measurements")
    before = path.stat().st_mtime_ns
    write_measurements(root, [b, a], "r2")
    assert root.table_files("measurements") == [path]
    assert path.stat().st_mtime_ns == before


def test_one_file_per_partition(root):
    write_measurements(root, [row(), row(space="tss"), row(space="tss", seed=888)], "r1")
    folders = [path.parent.relative_to(root.path).as_posix() for path in root.table_files("measurements")]
    assert folders == [f"measurements/space={s}/dataset=digits/protocol=clean" for s in ("sss", "tss")]


def test_of_equal_keys_the_row_with_most_families_is_read(root):
    write_measurements(root, [row()], "r1")
    write_measurements(root, [row(families=["other@1", "study@1"], ECE_15=0.5)], "r2")
    assert open_store(str(root.path)).measurements().df()["ECE_15"].tolist() == [0.5]


def test_equal_duplicates_are_counted_and_unequal_ones_are_found(root):
    write_measurements(root, [row()], "r1")
    write_measurements(root, [row(run_id="r2"), row(seed=888)], "r2")
    store = open_store(str(root.path))
    assert count_duplicates(store) == 1
    assert list(check_rows(store)) == []
    assert len(store.measurements().df()) == 2
    write_measurements(root, [row(ECE_15=0.26), row(seed=999)], "r3")
    (finding,) = check_rows(open_store(str(root.path)))
    assert finding.check == "duplicates"
    assert "sss/7/digits" in finding.where


def test_mixed_fingerprints_are_refused_until_one_is_named(root):
    write_measurements(root, [row(), row(seed=888, fingerprint="e" * 32)], "r1")
    store = open_store(str(root.path))
    with pytest.raises(StoreError, match=r"several fingerprints: e{32}, f{32}"):
        store.measurements()
    assert len(store.measurements(fingerprint="e" * 32).df()) == 1
    with pytest.raises(StoreError, match="several fingerprints"):
        store.measurements(fingerprint=["e" * 32, "f" * 32])


def test_one_fingerprint_for_each_calibrator_can_be_chosen(root):
    chosen = {"none": "1" * 32, "temperature": "2" * 32}
    stale = [row(seed=888, fingerprint="0" * 32)]
    write_measurements(root, [row(calibrator=c, fingerprint=f) for c, f in chosen.items()] + stale, "r1")
    rows = open_store(str(root.path)).measurements(fingerprint=list(chosen.values())).df()
    assert sorted(rows["calibrator"]) == ["none", "temperature"]


def test_filters_by_key_take_values_and_lists(root):
    write_measurements(root, [row(), row(seed=888), row(seed=999)], "r1")
    store = open_store(str(root.path))
    assert len(store.measurements(seed=888).df()) == 1
    assert len(store.measurements(seed=[777, 999], space="sss").df()) == 2
    with pytest.raises(StoreError, match=r"cannot filter by architecture; expected among source"):
        store.measurements(architecture=3)


def test_an_empty_store_has_all_columns(root):
    assert open_store(str(root.path)).measurements().columns == [column.name for column in MEASUREMENT_COLUMNS]


def test_a_column_that_older_files_lack_is_null(root):
    write_measurements(root, [row()], "r1")
    (path,) = root.table_files("measurements")
    pq.write_table(pq.read_table(path).drop_columns(["NLL"]), path)
    assert open_store(str(root.path)).measurements().df()["NLL"].isna().all()


def test_filters_that_cannot_match_are_refused_or_empty(root):
    write_measurements(root, [row()], "r1")
    store = open_store(str(root.path))
    assert len(store.measurements(seed=[]).df()) == 0
    assert len(store.measurements(seed=np.array([777, 888])).df()) == 1
    assert len(store.measurements(calibrator=(name for name in ["none"])).df()) == 1
    with pytest.raises(StoreError, match=r"calibrator: no row of .* has temperatur; the rows have none"):
        store.measurements(calibrator=("none", "temperatur"))
    with pytest.raises(StoreError, match="cannot filter seed by 'abc'; expected a whole number"):
        store.measurements(seed="abc")
    with pytest.raises(StoreError, match="cannot filter space by 3; expected a text"):
        store.measurements(space=3)
    assert len(store.measurements(arch_index=np.int64(7), protocol=iter(["clean"])).df()) == 1
    for value in (3.0, None, True):
        with pytest.raises(StoreError, match=f"cannot filter arch_index by {value}; expected a whole number"):
            store.measurements(arch_index=[value])
    with pytest.raises(StoreError, match=r"fingerprint: no row of .* has xyz"):
        store.measurements(fingerprint="xyz")
    with pytest.raises(StoreError, match=r"kind: expected .*failed.*, got faild"):
        store.failures(kind="faild")


def test_a_value_that_is_null_in_one_of_two_equal_rows_is_found(root):
    write_measurements(root, [row()], "r1")
    write_measurements(root, [row(ECE_15=None), row(seed=888)], "r2")
    assert [f.message for f in check_rows(open_store(str(root.path)))] == [
        "a value is null in one of two rows of one key"
    ]


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"no store at .*`harness run` makes one"):
        open_store(str(tmp_path / "nothing"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match="is no store"):
        StoreRoot.create(tmp_path / "other")


def test_a_store_of_another_version_is_refused(root):
    (root.path / "store.json").write_text(json.dumps({"schema_version": 99}))
    for opener in (StoreRoot.create, StoreRoot.existing):
        with pytest.raises(StoreError, match="schema version 99, this harness reads and writes version 1"):
            opener(root.path)
    (root.path / "store.json").write_text("{")
    with pytest.raises(StoreError, match="expected JSON with schema_version"):
        StoreRoot.existing(root.path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*give another folder with results="):
        StoreRoot.create(tmp_path / "file" / "store")


def failure(kind=FailureKind.FAILED, attempt=1, fingerprints=("f" * 32,)):
    model = ModelKey("zoo-00000000", "sss", 7, "digits", "12", 777)
    rows = tuple(WantedRow(Variant("random20", 42, "original", "none"), f) for f in fingerprints)
    unit = WantedUnit(UnitKey(model, "clean", "unshifted", 0), rows, frozenset(), ("study",), attempt)
    return Failure(unit, kind, "inference", "EvaluationError", f"attempt {attempt}", "")


def test_a_failure_is_open_until_its_rows_are_there(root):
    write_failures(root, [failure()], "r1")
    write_failures(root, [failure(attempt=2)], "r2")
    assert open_store(str(root.path)).failures().df()["message"].tolist() == ["attempt 2"]
    write_measurements(root, [row(seed=888)], "r3")
    assert len(open_store(str(root.path)).failures(kind="failed").df()) == 1
    write_measurements(root, [row()], "r3")
    assert len(open_store(str(root.path)).failures().df()) == 0


def test_a_failure_of_other_rows_stays_open(root):
    write_failures(root, [failure(fingerprints=("f" * 32, "e" * 32))], "r1")
    write_measurements(root, [row()], "r1")
    assert len(open_store(str(root.path)).failures().df()) == 1


def test_of_a_unit_that_has_failed_and_is_absent_the_later_counts(root):
    def kinds():
        return open_store(str(root.path)).failures().df()[["kind", "attempt"]].to_numpy().tolist()

    write_failures(root, [failure()], "r1")
    write_failures(root, [failure(FailureKind.ABSENT, attempt=2)], "r2")
    assert kinds() == [["absent", 2]], "the archive was damaged, and does not hold it"
    write_failures(root, [failure(attempt=3)], "r3")
    assert kinds() == [["failed", 3]], "it was put there since, and is damaged"
    write_measurements(root, [row()], "r4")
    assert kinds() == []


def test_the_audit_passes_a_sound_store_and_finds_each_planted_fault(root):
    write_measurements(root, [row()], "r1")
    write_failures(root, [failure()], "r1")
    assert list(check_files(root)) == []
    (path,) = root.table_files("measurements")
    original = path.read_bytes()

    path.rename(path.with_name("0" * 32 + ".parquet"))
    assert [f.check for f in check_files(root)] == ["name"]
    path.with_name("0" * 32 + ".parquet").rename(path)

    elsewhere = path.parents[2] / "space=tss" / "dataset=digits" / "protocol=clean"
    elsewhere.mkdir(parents=True)
    path.rename(elsewhere / path.name)
    assert [f.check for f in check_files(root)] == ["folder"]
    (elsewhere / path.name).rename(path)

    path.write_bytes(original[: len(original) // 2])
    assert [f.check for f in check_files(root)] == ["bytes"]

    path.write_bytes(original)
    leftover = path.with_name("x.parquet.r1.0.tmp")
    leftover.write_bytes(b"")
    assert [f.check for f in check_files(root)] == ["leftovers"]
    assert remove_leftovers(root) == [leftover]
    assert list(check_files(root)) == []


def test_a_flipped_bit_in_a_page_is_found(root):
    write_measurements(root, [row(source="marker-of-the-page" * 20)], "r1")
    (path,) = root.table_files("measurements")
    content = bytearray(path.read_bytes())
    offset = pq.ParquetFile(path).metadata.row_group(0).column(0).dictionary_page_offset
    content[offset + 40] ^= 1
    path.write_bytes(bytes(content))
    assert [f.check for f in check_files(root)] == ["bytes"]


def test_another_type_and_another_version_of_a_file_are_found(root):
    write_measurements(root, [row()], "r1")
    (path,) = root.table_files("measurements")
    table = pq.read_table(path)
    position = table.schema.get_field_index("seed")
    wrong = table.set_column(position, "seed", table.column("seed").cast("int64"))
    sink = pa.BufferOutputStream()
    pq.write_table(wrong.replace_schema_metadata({"harness_schema_version": "99", SEAL_KEY: BLANK}), sink)
    path.write_bytes(seal(sink.getvalue().to_pybytes()))
    assert [f.message for f in check_files(root)] == [
        "expected schema version 1, got 99",
        "seed: expected int32, got int64",
    ]


def test_tables_have_distinct_columns():
    for table in (MEASUREMENT_TABLE, FAILURE_TABLE, RUN_TABLE):
        names = [column.name for column in table.columns]
        assert len(names) == len(set(names))
