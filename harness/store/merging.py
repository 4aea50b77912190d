"""Taking the files of another store into this one: names say what files hold, so equal names are the same file."""

from collections.abc import Iterator

from harness.errors import StoreError
from harness.store.audit import check_files, check_rows, require_sound
from harness.store.files import StorePath, StoreRoot, commit
from harness.store.live import live_runs
from harness.store.reader import Store
from harness.store.schema import MODEL_KEY, TABLES, key_names
from harness.values import Finding

_NO_HINDRANCE = ("leftovers", "foreign")  # they are not taken along


def merge(source: StoreRoot, target: StoreRoot) -> int:
    """Copy what ``source`` has and ``target`` has not into ``target``, and return the number of files.

    Logits come first and measurements last, so that no copied row lacks what it was made from. A merge that was
    stopped is merged again.

    Args:
        source: The store to take from; nothing in it is changed.
        target: The store to take into.

    Raises:
        StoreError: Nothing was changed: both are one store, a run is at work on ``source``, one of the stores is not
            sound, or rows of the two contradict one another. Or ``target`` cannot be written.
    """
    if source.path.resolve() == target.path.resolve():
        raise StoreError(f"expected two stores, got {source.path} twice")
    for run in live_runs(source):
        raise StoreError(f"run {run.run_id} is at work on {source.path}; merge when it has ended")
    for root in (source, target):
        hindrances = (finding for finding in check_files(root) if finding.check not in _NO_HINDRANCE)
        require_sound(hindrances, "nothing was merged")
    require_sound(check_together(Store(source), Store(target)), "nothing was merged")
    copied = 0
    for path in _files(source):
        new = target.path / source.relative(path)
        if not new.exists():
            commit(new, path.read_bytes(), "merge")
            copied += 1
    return copied


def check_together(source: Store, target: Store) -> Iterator[Finding]:
    """Yield what is wrong with the rows of two stores taken together, of the networks that both have."""
    model = ", ".join(key_names(MODEL_KEY))
    models = target.sql(f"SELECT DISTINCT {model} FROM committed_measurements").to_arrow_table()
    source.connection.register("models_of_target", models)
    shared = source.sql(
        f"SELECT * FROM committed_measurements SEMI JOIN models_of_target USING ({model})"
    ).to_arrow_table()
    together = Store(target.root)
    together.connection.register("incoming", shared)
    together.connection.execute("ALTER VIEW committed_measurements RENAME TO measurements_of_target")
    together.connection.execute(
        "CREATE VIEW committed_measurements AS SELECT * FROM measurements_of_target UNION ALL BY NAME FROM incoming"
    )
    return check_rows(together)


def _files(root: StoreRoot) -> list[StorePath]:
    """Return the committed files of a store: labels and logits, the description of runs, failures, measurements."""
    return [path for table in reversed(TABLES) for path in root.table_files(table.folder)]
