"""Proof that stored logits are sound: every row is what was written, every file is what its name says."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.store.files import StorePath, StoreRoot, readable
from harness.store.labels import LABELS_IDENTITY
from harness.store.logits import LOGITS_PARTITION
from harness.store.logits_reader import LogitsFile
from harness.store.reader import Store
from harness.store.schema import LOGITS_IDENTITY, MODEL_KEY, key_names
from harness.store.writer import DIGEST_KEY, content_digest, content_name
from harness.values import Finding


def check_logits_file(root: StoreRoot, path: StorePath) -> Iterator[Finding]:
    """Yield what is wrong with a file of logits whose seal is whole: each of its rows, its name, its folder."""
    try:
        file = LogitsFile(root, root.relative(path))
        rows = [dict(file.row(i).columns) for i in range(len(file))]
    except StoreError as error:
        yield Finding("bytes", str(path), str(error))
        return
    yield from _check_name(path, rows, LOGITS_IDENTITY)
    folders = dict(part.split("=", 1) for part in path.parts if "=" in part)
    if any(str(row[column]) != folders.get(column) for row in rows for column in LOGITS_PARTITION):
        yield Finding("folder", str(path), "the file holds logits of another partition than its folder")


def check_labels_file(path: StorePath) -> Iterator[Finding]:
    """Yield what is wrong with a file of labels whose seal is whole: its values, its name."""
    source = readable(path)
    try:
        read = pq.ParquetFile(source, page_checksum_verification=True).read()
    except (OSError, ValueError, pa.ArrowException) as error:
        yield Finding("bytes", str(path), f"damaged, delete it and run again: {error}")
        return
    if content_digest(read) != (read.schema.metadata or {}).get(DIGEST_KEY):
        yield Finding("content", str(path), "the values are not those that were written; delete it and run again")
    yield from _check_name(path, read.to_pylist(), LABELS_IDENTITY)


def _check_name(path: StorePath, rows: Sequence[dict[str, object]], identity: Sequence[str]) -> Iterator[Finding]:
    if content_name(rows, identity) != path.stem:
        yield Finding("name", str(path), "the name is not the hash of what the file holds")


def check_logits_rows(store: Store) -> Iterator[Finding]:
    """Yield the models whose logits come from other weights than their rows, and the logits without labels."""
    model = ", ".join(key_names(MODEL_KEY))
    weights = f"SELECT {model}, weights_hash FROM "
    both = f"{weights} committed_logits UNION ALL {weights} committed_measurements"
    query = (
        f"SELECT {model} FROM ({both}) SEMI JOIN committed_logits USING ({model}) GROUP BY {model} "
        "HAVING count(DISTINCT weights_hash) > 1"
    )
    for row in store.sql(query).fetchall():
        yield Finding("weights", "/".join(map(str, row)), "stored logits and rows come from different weights")
    images = "dataset, condition, severity, test_set, images_hash"
    query = f"SELECT DISTINCT {images} FROM committed_logits ANTI JOIN committed_labels USING ({images})"
    for row in store.sql(query).fetchall():
        message = "the labels of stored logits are missing; delete the logits of these images and run again"
        yield Finding("labels", "/".join(map(str, row)), message)
