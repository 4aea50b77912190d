"""``harness report``: the notebooks of ``analysis/`` are executed on the store and become a site."""

import argparse
from pathlib import Path

from harness.cli.output import meter, say
from harness.config import Settings
from harness.report import Site
from harness.store import open_store
from harness.store.populations import require_whose

_ANALYSIS = Path(__file__).parents[2] / "analysis"


def _number(notebook: Path) -> int:
    """Return the number of a question, as in ``q3_agreement``."""
    return int(notebook.stem.partition("_")[0].removeprefix("q"))


def notebooks() -> tuple[Path, ...]:
    """Return the notebooks of the report in the order of its pages: the overview, then the questions."""
    return (_ANALYSIS / "overview.ipynb", *sorted(_ANALYSIS.glob("q*.ipynb"), key=_number))


def report(settings: Settings, arguments: argparse.Namespace) -> int:
    """Build the report and return 0, or 1 if a page cannot be shown."""
    store = open_store(str(settings.store))  # refuses early, with a better message than a notebook's traceback
    require_whose(store, arguments.whose)
    site = Site(notebooks(), store, arguments.whose, settings.report)
    faults = []
    with meter("pages", site.n_pages) as shown:
        for page in site.make():
            shown.advance(1, page.title)
            if page.fault is not None:
                faults.append(f"{page.title}: {page.fault}")
    site.write()
    for fault in faults:
        say(f"not shown: {fault}")
    say(f"report: {site.index.resolve().as_uri()}")
    return 1 if faults else 0
