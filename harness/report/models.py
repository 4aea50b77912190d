"""The page of models: a table to sort and filter, and of each network its cell and its reliability diagram.

All of it is in the page: the most accurate networks of each search space and data set, at most 500 together, as JSON,
and a script that needs neither a server nor a network. What is shown stands in the address, so that it can be sent on.
"""

import html
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

import numpy as np

from harness.figures.cells import OPERATION_COLOURS
from harness.figures.wording import described
from harness.statistics.population import POST, PRE, Population
from harness.store.filters import PROTOCOLS
from harness.store.populations import populations
from harness.store.reader import Store

TITLE = "Models"
MOST = 500
"""Networks that the table shows at most."""

_BINS = ("bin15_count", "bin15_confidence", "bin15_accuracy")
_SCORES = (
    ("acc", PRE, "accuracy (%)", 100.0),
    ("ECE_15", PRE, "ECE_15 before", 100.0),
    ("ECE_15", POST, "ECE_15 after", 100.0),
    ("NLL", PRE, "NLL before", 1.0),
    ("NLL", POST, "NLL after", 1.0),
    ("HCS", PRE, "HCS", 1.0),
)
"""Measurement, calibrator, heading and scale of each column of numbers."""

_COLUMNS = ("space", "dataset", "index", *(heading for _, _, heading, _ in _SCORES), "architecture")
_PAGE = """
<h1>{title}</h1>
<p>{shown:,} of {total:,} networks: the most accurate of each search space and data set, before and after temperature
scaling; ECE in points, NLL in nats. {rest}</p>
<ul>{which}</ul>
<noscript><p class="fault">Sorting and filtering need JavaScript, which this browser does not run:
<code>harness query "SELECT * FROM measurements"</code> lists the networks.</p></noscript>
<form id="filters" role="search">
<label>Search space <select name="space"></select></label>
<label>Data set <select name="dataset"></select></label>
<label>Architecture or index contains <input name="text" type="search" autocomplete="off"></label>
</form>
<section id="model" aria-live="polite"></section>
<p id="count" role="status"></p>
<div class="output_area"><table id="models"><caption>Networks; a heading sorts, an index shows the network</caption>
<thead><tr></tr></thead><tbody></tbody></table></div>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
"""


def models(store: Store, whose: str) -> str:
    """Return the page's content, HTML.

    Args:
        store: The store.
        whose: Whose numbers: a protocol, or the origin of an imported table.
    """
    found = populations(store, whose, columns=("acc", "ECE_15", "NLL", "HCS"))
    total = sum(map(len, found))
    chosen = [each.most_accurate(MOST // len(found)) for each in found]
    rows = [line for each in chosen for line in _lines(each)]
    diagrams = [line for each in chosen for line in _diagrams(store, each)]
    data = {"columns": _COLUMNS, "rows": rows, "diagrams": diagrams, "colours": OPERATION_COLOURS}
    query = f"<code>harness query \"SELECT * FROM measurements WHERE protocol = '{html.escape(whose)}'\"</code>"
    rest = f"{query} has the others." if total > len(rows) and whose in PROTOCOLS else ""
    return _PAGE.format(
        title=TITLE,
        shown=len(rows),
        total=total,
        which="".join(f"<li>{html.escape(_which(each))}</li>" for each in found),
        rest=rest or ("" if total else "<code>harness run</code> measures some."),
        data=json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        script=files("harness.report").joinpath("models.js").read_text(encoding="utf-8"),
    )


def _which(population: Population) -> str:
    """Return which networks the table is about: of one training run of each architecture, not of all."""
    setting = ", ".join(f"{name} {value}" for name, value in population.setting.items())
    return f"{described(population)}; {setting}" if setting else described(population)


def _lines(population: Population) -> Iterator[list[str | int | float | None]]:
    """Yield the cells of each network."""
    scores = [scale * population.values(name, calibrator) for name, calibrator, _, scale in _SCORES]
    for i, (index, arch_str) in enumerate(population.networks["arch_str"].items()):
        numbers = [_rounded(of_column[i]) for of_column in scores]
        yield [population.space, population.dataset, int(str(index)), *numbers, str(arch_str)]


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def _diagrams(store: Store, population: Population) -> Iterator[Mapping[str, Sequence[object]]]:
    """Yield of each network the bins of its reliability diagram, by calibrator; none of imported networks."""
    bins: dict[int, dict[str, list[object]]] = {}
    if population.whose in PROTOCOLS and len(population):
        filters = {**population.setting, "space": population.space, "dataset": population.dataset}
        rows = store.measurements(protocol=population.whose, fingerprint="commonest", **filters)
        shown = ", ".join(map(str, population.networks.index))
        rows = rows.filter(f"condition = 'unshifted' AND calibrator IN ('{PRE}', '{POST}') AND arch_index IN ({shown})")
        for index, calibrator, *lists in rows.project(f"arch_index, calibrator, {', '.join(_BINS)}").fetchall():
            if all(values is not None for values in lists):
                bins.setdefault(index, {})[calibrator] = [_short(values) for values in lists]
    for index in population.networks.index:
        yield bins.get(int(index), {})


def _short(values: Sequence[int | float | None]) -> list[int | float | None]:
    return [None if value is None or np.isnan(value) else round(value, 4) for value in values]
