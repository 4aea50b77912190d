"""The labels beside stored logits: which image sets were shown, and the class of each of their images."""

from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq

from harness.store.files import StoreRoot, commit, readable
from harness.store.logits import DAMAGE, damaged
from harness.store.schema import LABELS_TABLE
from harness.store.writer import Row, content_name, to_parquet

LABELS_IDENTITY = ("dataset", "condition", "severity", "test_set", "images_hash", "labels_hash")


def write_labels(root: StoreRoot, rows: Sequence[Row], run_id: str) -> None:
    """Commit what tells the images of inferences apart, and their labels; what is there is not written again.

    Raises:
        StoreError: The store cannot be written.
    """
    for row in rows:
        path = root.path / LABELS_TABLE.folder / f"{content_name([row], LABELS_IDENTITY)}.parquet"
        if not path.exists():
            commit(path, to_parquet([row], LABELS_TABLE), run_id)


def read_labels(root: StoreRoot) -> list[dict[str, Any]]:
    """Return the table of image sets and their labels.

    Raises:
        StoreError: A file is damaged.
    """
    rows: list[dict[str, Any]] = []
    for path in root.table_files(LABELS_TABLE.folder):
        try:
            rows += pq.ParquetFile(readable(path), page_checksum_verification=True).read().to_pylist()
        except DAMAGE as error:
            raise damaged(path, error) from error
    return rows
