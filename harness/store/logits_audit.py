"""Proof that stored logits are sound: every row is what was written, every file is what its name says."""

from collections.abc import Iterator

from harness.errors import StoreError
from harness.store.file_checks import check_folder, check_name, check_values
from harness.store.files import StorePath, StoreRoot
from harness.store.labels import LABELS_IDENTITY
from harness.store.logits import LOGITS_PARTITION
from harness.store.logits_reader import LogitsFile
from harness.store.reader import Store
from harness.store.schema import LOGITS_IDENTITY, MODEL_KEY, key_names
from harness.values import Finding


def check_logits_file(root: StoreRoot, path: StorePath) -> Iterator[Finding]:
    """Yield what is wrong with a file of logits whose seal is whole: each of its rows, its name, its folder."""
    try:
        file = LogitsFile(root, root.relative(path))
        rows = [dict(file.row(i).columns) for i in range(len(file))]
    except StoreError as error:
        yield Finding("bytes", str(path), str(error))
        return
    yield from check_name(path, rows, LOGITS_IDENTITY)
    yield from check_folder(path, rows, LOGITS_PARTITION)


def check_labels_file(path: StorePath) -> Iterator[Finding]:
    """Yield what is wrong with a file of labels whose seal is whole: its values, its name."""
    read = yield from check_values(path)
    if read is not None:
        yield from check_name(path, read.to_pylist(), LABELS_IDENTITY)


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
