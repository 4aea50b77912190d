"""Files are grouped by their columns, and stores whose files have different columns are read as one table."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import StoreError
from harness.store.columns import by_columns
from harness.store.files import StoreRoot
from harness.store.reader import Store
from harness.store.schema import FAILURE_TABLE


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_files_of_the_same_columns_are_one_group_in_their_order(tmp_path):
    a = write(tmp_path / "a.parquet", x=[1], y=["one"])
    b = write(tmp_path / "b.parquet", x=[2])
    c = write(tmp_path / "c.parquet", x=[3], y=["three"])
    other_type = write(tmp_path / "d.parquet", x=[4.0], y=["four"])
    assert by_columns([a, b, c, other_type]) == [[a, c], [b], [other_type]]
    assert by_columns([]) == []


def test_metadata_makes_no_group(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        pq.write_table(pa.table({"x": [1]}).replace_schema_metadata({"name": path.name}), path)
    assert by_columns(paths) == [paths]


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"no Parquet")
    with pytest.raises(StoreError, match=r"a\.parquet cannot be read: .*harness verify"):
        by_columns([path])


def test_a_column_that_some_files_lack_is_null_in_their_rows(tmp_path):
    root = StoreRoot.create(tmp_path / "store")
    folder = root.path / FAILURE_TABLE.folder
    folder.mkdir()
    write(folder / "new.parquet", arch_index=pa.array([1], pa.int32()), message=["why"])
    write(folder / "old.parquet", arch_index=pa.array([2], pa.int32()))
    rows = Store(root).sql("SELECT arch_index, message FROM committed_failures ORDER BY ALL").fetchall()
    assert rows == [(1, "why"), (2, None)]
