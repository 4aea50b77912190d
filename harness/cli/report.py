"""``harness report``: the notebooks of ``analysis/`` are executed on the store and become a page."""

import argparse
from pathlib import Path

from harness.cli.output import say
from harness.config import Settings
from harness.report import build_page
from harness.store import open_store

_ANALYSIS = Path(__file__).parents[2] / "analysis"


def report(settings: Settings, _: argparse.Namespace) -> int:
    """Build the report and return 0."""
    open_store(str(settings.store))  # refuses early, with a better message than a notebook's traceback
    page = build_page(_ANALYSIS / "overview.ipynb", settings.store, settings.report)
    say(f"report: {page.resolve().as_uri()}")
    return 0
