"""Scans of a dataset of objects, several at once; in a process of their own, for what goes wrong there ends it."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SCANS = """
import sys, threading
from pathlib import Path
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem
from harness.store.object_dataset import ObjectDataset

files, local, parquet = sorted(Path(sys.argv[1]).iterdir()), LocalFileSystem(), ds.ParquetFileFormat()

def make_fragments():
    return [parquet.make_fragment(str(file), filesystem=local, file_size=file.stat().st_size) for file in files]

dataset = ObjectDataset(make_fragments, ds.dataset(files[0]).schema, parquet, local)
found = []

def scan():
    for _ in range(100):
        found.append(dataset.scanner(columns=["b"], filter=ds.field("a") >= 0.5).to_table().num_rows)

threads = [threading.Thread(target=scan) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(len(found), *set(found))
"""


def test_scans_at_the_same_time_share_nothing(tmp_path):
    rng = np.random.default_rng(0)
    tables = [pa.table({name: rng.random(5_000) for name in "abcdef"}) for _ in range(4)]
    for i, table in enumerate(tables):
        pq.write_table(table, tmp_path / f"{i}.parquet", row_group_size=500)
    done = subprocess.run([sys.executable, "-c", SCANS, tmp_path], capture_output=True, text=True)
    expected = sum(int((table["a"].to_numpy() >= 0.5).sum()) for table in tables)
    assert (done.returncode, done.stdout) == (0, f"800 {expected}\n"), done.stderr
