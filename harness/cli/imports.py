"""``harness import published PATH`` and ``harness import robustness PATH``: other people's tables into the store."""

import argparse
from pathlib import Path

import pyarrow as pa

from harness.cli.output import next_step, print_table, say
from harness.config import Settings
from harness.errors import DataError
from harness.exchange.importing import check_origin, commit_tables
from harness.exchange.published import find_files, n_copies, read_published
from harness.exchange.robustness import read_robustness
from harness.store import StoreRoot
from harness.store.schema import PUBLISHED_TABLE, ROBUSTNESS_TABLE, Table


def published(settings: Settings, arguments: argparse.Namespace) -> int:
    """Import the published tables of the study, all that are at the path or none; return 0."""
    origin, path = check_origin(arguments.origin), _existing(arguments.path)
    tables = read_published(find_files(path), origin, is_partial=arguments.partial)
    return _commit(settings, PUBLISHED_TABLE, tables, origin)


def robustness(settings: Settings, arguments: argparse.Namespace) -> int:
    """Import accuracies under attacks and corruptions, all that are at the path or none; return 0."""
    origin, path = check_origin(arguments.origin), _existing(arguments.path)
    return _commit(settings, ROBUSTNESS_TABLE, read_robustness(path, origin), origin)


def _existing(path: str) -> Path:
    if not Path(path).exists():
        raise DataError(f"{path}: no such file or folder")
    return Path(path)


def _commit(settings: Settings, table: Table, tables: list[pa.Table], origin: str) -> int:
    root = StoreRoot.create(settings.store)
    new = commit_tables(root, table, tables)
    if not new:
        say(f"nothing to import: {settings.store} holds these files already")
        return 0
    rows = [(t["file"][0].as_py(), t["space"][0].as_py(), t["dataset"][0].as_py(), len(t), n_copies(t)) for t in new]
    columns = ("file", "space", "dataset", "rows", "copies of isomorphic networks")
    print_table(f"imported into {settings.store} as {origin}", columns, rows)
    if len(new) < len(tables):
        say(f"{len(tables) - len(new)} files were there already")
    next_step(f"{settings.command(f'compare paper {origin}')} sets your own rows of the same networks against them")
    return 0
