"""``harness export format=paper --out FOLDER``: our own rows, as the study published its tables or as a data set."""

import argparse
from pathlib import Path

from harness.cli.only import filters
from harness.cli.output import next_step, print_table, say
from harness.config import Settings
from harness.errors import ConfigError
from harness.exchange.paper import export_paper
from harness.exchange.release import export_release
from harness.store import open_store

FORMATS = ("paper", "release")


def export(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write the rows of the store that are our own in a format; return 0."""
    if arguments.format not in FORMATS:
        got = "nothing" if arguments.format is None else f"format={arguments.format}"
        raise ConfigError(f"format: expected {' or '.join(f'format={name}' for name in FORMATS)}, got {got}")
    if arguments.out is None:
        raise ConfigError("expected --out FOLDER, the folder to make")
    chosen, out = filters(arguments.only), Path(arguments.out)
    store = open_store(str(settings.store))
    if arguments.format == "paper":
        tables = export_paper(store, out, chosen)
        rows = [(table.name, table.space, table.dataset, table.n_rows, table.n_copies) for table in tables]
        print_table(f"written to {out}", ("file", "space", "dataset", "rows", "copies of isomorphic networks"), rows)
        say("columns of attacks and corruptions, which are other people's numbers, are empty")
        return 0
    parts = export_release(store, out, chosen)
    print_table(f"written to {out}", ("file", "rows", "networks", "conditions"), parts)
    next_step(f"add a licence to {out / 'README.md'} and croissant.json, and how the numbers should be cited")
    return 0
