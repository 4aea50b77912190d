"""The store of results: immutable Parquet files under one root, the only code that knows their layout.

``schema`` lists the columns, ``files`` commits and lists files, ``object_path`` reaches those of an object store,
``writer`` makes them, ``reader`` queries them with DuckDB, ``audit`` proves that they are sound, ``logits`` and its
neighbours keep what networks said of the images, ``live`` holds the heartbeats of running workers.
"""

from typing import TYPE_CHECKING

from harness.store.files import StoreRoot

if TYPE_CHECKING:
    from harness.store.reader import Store

__all__ = ["StoreRoot", "open_store"]


def open_store(root: str) -> "Store":
    """Open the store at ``root`` for reading.

    Args:
        root: Folder of the store, or ``s3://BUCKET/PATH``.

    Raises:
        StoreError: There is no store at ``root``, it cannot be reached, or it has another schema version.
    """
    from harness.store.reader import Store  # DuckDB is heavy, and workers write but never query

    return Store(StoreRoot.existing(root))
