"""``harness store merge FROM INTO`` and ``harness store prune``: stores become one, and lose what nobody reads."""

import argparse
import itertools
from dataclasses import replace

import pyarrow as pa

from harness.cli.output import next_step, print_table, say
from harness.cli.verify import print_findings
from harness.config import Settings
from harness.networks import PRECISIONS
from harness.runner.wanted import wanted_settings
from harness.store import StoreRoot
from harness.store.audit import check_files
from harness.store.consistency import check_store
from harness.store.logits import DTYPES
from harness.store.merging import merge as merge_stores
from harness.store.pruning import SUPERSEDED, UNWANTED, find_prunable
from harness.store.pruning import prune as prune_store
from harness.store.reader import Store
from harness.store.writer import variant_columns


def merge(_: Settings, arguments: argparse.Namespace) -> int:
    """Take the files of one store into another and audit it; return 0, or 1 where the audit finds something."""
    source = StoreRoot.existing(arguments.source)
    target = StoreRoot.create(arguments.target)
    say(f"copied {merge_stores(source, target):,} files from {source.path} into {target.path}")
    if print_findings(check_files(target)) or print_findings(check_store(Store(target))):
        return 1
    say(f"merge: {target.path} is sound")
    next_step("`harness plan` with your study's settings and this store says what it has of the study")
    return 0


def prune(settings: Settings, arguments: argparse.Namespace) -> int:
    """List the rows that nobody reads any more, and remove them if told so; return 0."""
    root = StoreRoot.existing(settings.store)
    files = find_prunable(root, _wanted_fingerprints(settings))
    if not files:
        say(f"nothing to prune in {settings.store}")
        return 0
    rows = [(root.relative(file.path), file.count(UNWANTED), file.count(SUPERSEDED)) for file in files]
    print_table(f"rows to prune in {settings.store}", ("file", UNWANTED, SUPERSEDED), rows)
    number = sum(len(file.dropped) for file in files)
    if arguments.dry_run or not arguments.yes:
        say(f"{number:,} rows of {len(files):,} files would be removed; nothing was changed")
        next_step(f"{settings.command('store prune --yes')} removes them")
        return 0
    prune_store(root, files)
    say(f"removed {number:,} rows of {len(files):,} files")
    next_step(f"{settings.command('verify')} audits the store")
    return 0


def _wanted_fingerprints(settings: Settings) -> pa.Table:
    """Return the fingerprints that the study wants of every setting, in any precision and type of stored logits."""
    records = [
        {**setting._asdict(), **variant_columns(row.variant), "fingerprint": row.fingerprint}
        for precision, stored_as in itertools.product(PRECISIONS, DTYPES)
        for setting, unit in wanted_settings(
            replace(settings.study, precision=precision), settings.library, stored_as
        ).items()
        for row in unit.rows
    ]
    return pa.Table.from_pylist(records)
