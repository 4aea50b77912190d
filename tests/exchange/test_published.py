"""Importing the published tables: whole or not at all, every fault named, and never shown as rows of our own."""

import gzip

import numpy as np
import pandas as pd
import pytest

from harness import spaces
from harness.errors import StoreError
from harness.store import StoreRoot
from harness.store.audit import check_files
from harness.store.consistency import check_store
from harness.store.published import PUBLISHED_COLUMNS, published_names


def write(folder, frame, name="cifar10_tss.csv"):
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / name, index=False)
    return folder / name


def without(frame, *columns):
    return frame.drop(columns=list(columns))


def with_value(frame, row, column, value):
    changed = frame.astype(object)
    changed.loc[row, column] = value
    return changed


def test_a_whole_table_comes_in_with_its_copies_marked(harness, tmp_path, tss_frame):
    write(tmp_path / "in", tss_frame)
    code, out, err = harness("import", "published", tmp_path / "in")
    assert (code, err) == (0, "")
    assert "cifar10_tss.csv" in out
    assert "15,625" in out
    found = harness.store().published(dataset="cifar10").df().sort_values("arch_index")
    assert len(found) == 15_625
    assert found["copied_from"].isna().sum() == 6_466
    names = published_names("tss")
    pd.testing.assert_frame_equal(found[names].reset_index(drop=True), tss_frame, check_dtype=False, check_exact=True)
    assert found["row"].tolist() == list(range(2, 15_627))
    assert set(found["origin"]) == {"published"}


def test_columns_that_sizes_lack_are_null(harness, tmp_path):
    space, names = spaces.get("sss"), published_names("sss")
    frame = pd.DataFrame(np.full((3, len(names)), 0.25), columns=names)
    frame["config"], frame["arch"] = [0, 5, 32767], [space.arch_str(i) for i in (0, 5, 32767)]
    code, _, err = harness("import", "published", write(tmp_path, frame, "ImageNet_sss.csv"), "--partial")
    assert (code, err) == (0, "")
    found = harness.store().published(space="sss").df()
    assert set(found["dataset"]) == {"ImageNet16-120"}
    assert found["pre_cwCE_em_15"].tolist() == [0.25] * 3
    absent = [column.name for column in PUBLISHED_COLUMNS if "sss" not in column.holds]
    assert found[absent].isna().all().all()
    assert "pre_KSCE" in absent
    assert "pre_MCE_15" in absent


def test_one_name_means_two_measurements():
    (column,) = [column for column in PUBLISHED_COLUMNS if column.name == "post_cwCE_em_15"]
    assert column.holds == {"tss": "cwACE_15", "sss": "cwCE_em_15"}
    assert column.calibrator == "temperature"


def test_imported_rows_are_no_measurements_of_ours(harness, tmp_path, some):
    harness("import", "published", write(tmp_path, some), "--partial")
    store = harness.store()
    for protocol in ("clean", "paper"):
        assert len(store.measurements(protocol=protocol)) == 0
    assert store.sql("SELECT count(*) FROM all_measurements").fetchall() == [(0,)]
    assert len(store.models()) == 0
    assert list(check_files(store.root)) == []
    assert list(check_store(store)) == []


def test_the_same_file_is_taken_once(harness, tmp_path, some):
    path = write(tmp_path, some)
    harness("import", "published", path, "--partial")
    before = harness.files()
    code, out, _ = harness("import", "published", path, "--partial")
    assert (code, harness.files()) == (0, before)
    assert "nothing to import" in out
    with gzip.open(tmp_path / "cifar10_tss.csv.gz", "wb") as file:
        file.write(path.read_bytes())
    assert "nothing to import" in harness("import", "published", tmp_path / "cifar10_tss.csv.gz", "--partial")[1]


def test_another_file_needs_another_name(harness, tmp_path, some):
    harness("import", "published", write(tmp_path, some), "--partial")
    other = write(tmp_path, with_value(some, 0, "acc", 0.5))
    code, _, err = harness("import", "published", other, "--partial")
    assert code == 2
    assert "published/tss/cifar10 already" in err
    assert harness("import", "published", other, "--partial", "--origin", "mine")[0] == 0
    assert len(harness.store().published(origin="mine")) == 12
    assert len(harness.store().published()) == 24
    with pytest.raises(StoreError, match=r"no row of .* has theirs"):
        harness.store().published(origin="theirs")


def test_two_files_of_one_origin_are_found_by_the_audit(harness, tmp_path, some):
    harness("import", "published", write(tmp_path, some), "--partial")
    other = tmp_path / "other"
    code, _, _ = harness(
        "import", "published", write(tmp_path, with_value(some, 0, "acc", 0.5)), "--partial", f"store={other}"
    )
    assert code == 0
    StoreRoot.existing(other)
    code, out, _ = harness("store", "merge", other, tmp_path / "results/store")
    assert code == 1
    assert "imports: published/published/tss/cifar10: different files" in out


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (lambda f: without(f, "pre_ECE_15"), ["row 1: the column pre_ECE_15 is missing"]),
        (lambda f: without(f, "config"), ["row 1: the column config is missing"]),
        (lambda f: without(f, "auc_svhn"), ["row 1: the column auc_svhn is missing"]),
        (lambda f: f.assign(colour="red"), ["row 1: the column 'colour' is not one of the published layout"]),
        (
            lambda f: f.rename(columns={"pre_ECE_15": "pre_ECE15"}),
            ["the column pre_ECE_15 is missing; is it 'pre_ECE15', renamed?", "the column 'pre_ECE15' is not one of"],
        ),
        (lambda f: with_value(f, 3, "post_KSCE", "high"), ["row 5, column post_KSCE: expected a number, got 'high'"]),
        (lambda f: with_value(f, 3, "acc", ""), ["row 5, column acc: expected a value, got ''"]),
        (lambda f: with_value(f, 3, "acc", 85.6), [r"row 5, column acc: expected a value in [0, 1], got '85.6'"]),
        (lambda f: with_value(f, 0, "pre_NLL", "inf"), [r"row 2, column pre_NLL: expected a value in [0, inf), got"]),
        (lambda f: with_value(f, 0, "pre_NLL", "1_0"), ["row 2, column pre_NLL: expected a number, got '1_0'"]),
        (lambda f: with_value(f, 2, "config", 7), ["row 9, column config: the index 7 is in row 4 already"]),
        (lambda f: with_value(f, 2, "config", 15625), ["row 4, column config: expected a value in [0, 15624]"]),
        (lambda f: with_value(f, 2, "config", 2.5), ["row 4, column config: expected a whole number, got 2.5"]),
        (lambda f: with_value(f, 2, "config", "two"), ["row 4, column config: expected a number, got 'two'"]),
        (lambda f: with_value(f, 4, "arch", "|none~0|"), ["row 6, column arch: expected |", "got '|none~0|'"]),
        (lambda f: with_value(with_value(f, 1, "acc", "x"), 5, "pre_MMCE", "y"), ["column acc", "column pre_MMCE"]),
    ],
)  # fmt: skip
def test_every_fault_is_named_and_nothing_is_imported(harness, tmp_path, some, change, messages):
    write(tmp_path / "in", some, "cifar100_tss.csv")
    write(tmp_path / "in", change(some))
    code, _, err = harness("import", "published", tmp_path / "in", "--partial")
    assert code == 2
    assert "nothing was imported" in err
    assert f"{tmp_path / 'in' / 'cifar10_tss.csv'}, " in err
    for message in messages:
        assert message in err
    assert harness.files() == [], "the sound file is not imported either"


def test_missing_indices_are_named(harness, tmp_path, tss_frame):
    lacking = tss_frame.drop(index=[3, 4])
    code, _, err = harness("import", "published", write(tmp_path, lacking))
    assert code == 2
    assert "column config: 2 of the 15,625 indices of tss are missing: 3, 4" in err
    assert "--partial" in err


@pytest.mark.parametrize("group", ["auc", "Linf", "blur"])
def test_other_data_sets_may_lack_whole_groups_alone(harness, tmp_path, some, group):
    groups = {"auc": "detection", "Linf": "attacks", "blur": "corruptions"}
    lacking = [column.name for column in PUBLISHED_COLUMNS if column.group == groups[group]]
    path = write(tmp_path, without(some, *lacking), "cifar100_tss.csv")
    assert harness("import", "published", path, "--partial")[0] == 0
    code, _, err = harness("import", "published", write(tmp_path, without(some, *lacking)), "--partial")
    assert (code, f"column {lacking[0]} is missing" in err) == (2, True)
    path = write(tmp_path, without(some, lacking[0]), "ImageNet_tss.csv")
    code, _, err = harness("import", "published", path, "--partial")
    assert (code, f"column {lacking[0]} is missing" in err) == (2, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"config,acc,acc\n1,2,3\n", "row 1: the column 'acc' is there 2 times"),
        (b"config,acc\n0,0.5\n1,0.5,9\n2,0.5\n", "row 3: expected 2 columns as in the header, got 3"),
        (b"config,\xff\n0,0.5\n", "row 1: expected names of columns in UTF-8"),
        (b"config,acc\n0,\xff\n", "no sound CSV file"),
    ],
)
def test_what_is_no_table_is_refused(harness, tmp_path, content, message):
    path = tmp_path / "cifar10_tss.csv"
    path.write_bytes(content)
    code, _, err = harness("import", "published", path)
    assert (code, message in err) == (2, True), err
    assert str(path) in err


def test_an_empty_line_is_a_row_without_values(harness, tmp_path, some):
    path = write(tmp_path, some)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], "", *lines[3:], ""]))
    code, _, err = harness("import", "published", path, "--partial")
    assert (code, f"{path}, row 4, column config: expected a value, got ''" in err) == (2, True), err


def test_a_damaged_archive_is_refused(harness, tmp_path):
    path = tmp_path / "cifar10_tss.csv.gz"
    path.write_bytes(gzip.compress(b"config,acc\n" * 100)[:-9])
    code, _, err = harness("import", "published", path)
    assert (code, f"{path} cannot be read" in err) == (2, True)


def test_a_place_without_tables_is_refused(harness, tmp_path, some):
    assert "expected cifar10_tss.csv" in harness("import", "published", tmp_path)[2]
    assert "no such file" in harness("import", "published", tmp_path / "nowhere")[2]
    path = write(tmp_path, some)
    (tmp_path / "cifar10_tss.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert "holds this table twice" in harness("import", "published", tmp_path)[2]


@pytest.mark.parametrize("origin", ["clean", "paper", "a/b", ""])
def test_an_origin_is_a_name_of_its_own(harness, tmp_path, some, origin):
    code, _, err = harness("import", "published", write(tmp_path, some), "--partial", "--origin", origin)
    assert (code, "--origin: " in err) == (2, True)


def test_a_changed_byte_of_an_import_is_found(harness, tmp_path, some):
    harness("import", "published", write(tmp_path, some), "--partial")
    root = harness.store().root
    (path,) = root.table_files("published")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (finding,) = check_files(root)
    assert (finding.check, finding.where) == ("bytes", str(path))


def test_a_renamed_import_is_found(harness, tmp_path, some):
    harness("import", "published", write(tmp_path, some), "--partial")
    root = harness.store().root
    (path,) = root.table_files("published")
    path.rename(path.with_name("other.parquet"))
    (finding,) = check_files(root)
    assert finding.check == "name"
