"""The page of what is left out of every figure: networks that fail the accuracy gate, and units that failed."""

import html

from harness.report.tables import html_table
from harness.store.causes import find_causes
from harness.store.reader import Store

TITLE = "Gate and failures"
_MOST = 500
_VERDICTS = ("pass", "warn", "fail", "unrecorded")
_GATE = """
<p>Each network's accuracy and loss on all test images are held against what its archive recorded. <em>Pass</em>:
within 0.1 points and 1 % of the loss; <em>warn</em>: within 0.5 points; <em>fail</em>: further off. Networks that fail
are left out of every figure and query unless asked for (<code>all_measurements</code>).</p>
"""


def gate_and_failures(store: Store) -> str:
    """Return the page's content, HTML: counts of the gate, networks that fail it, causes of failures, absences."""
    parts = [f"<h1>{TITLE}</h1>", "<h2>Do networks reproduce their recorded accuracy?</h2>", _GATE, _counts(store)]
    parts += ["<h2>Networks that fail the gate</h2>", _failing(store)]
    parts += ["<h2>Units that failed</h2>", _causes(store)]
    return "".join([*parts, "<h2>Units that are absent</h2>", _absent(store)])


def _counts(store: Store) -> str:
    counted = ", ".join(f"count(*) FILTER (gate = '{verdict}')" for verdict in _VERDICTS)
    found = store.sql(f"SELECT source, space, dataset, hp, {counted} FROM models GROUP BY ALL ORDER BY ALL").fetchall()
    if not found:
        return "<p>No networks: <code>harness run</code> measures them.</p>"
    return html_table(("archive", "space", "data set", "budget", *_VERDICTS), found, "Networks by verdict of the gate")


def _failing(store: Store) -> str:
    key = "source, space, arch_index, dataset, hp, seed"
    rows = store.sql(
        f"SELECT {key}, 100 * recorded_accuracy, 100 * recomputed_accuracy FROM models WHERE gate = 'fail' ORDER BY ALL"
    ).fetchall()
    if not rows:
        return "<p>None.</p>"
    columns = ("archive", "space", "index", "data set", "budget", "seed", "recorded (%)", "recomputed (%)")
    shown = [(*row[:2], str(row[2]), *row[3:5], str(row[5]), *row[6:]) for row in rows[:_MOST]]
    query = f"SELECT {key}, recorded_accuracy, recomputed_accuracy FROM models WHERE gate = 'fail'"
    return html_table(columns, shown, "Networks that fail the gate") + _rest(len(rows), query)


def _causes(store: Store) -> str:
    causes = find_causes(store)
    if not causes:
        return "<p>None.</p>"
    rows = [(cause.n_units, cause.n_networks, cause.stage, cause.type, cause.first, cause.message) for cause in causes]
    columns = ("units", "networks", "stage", "type", "the first of them", "message")
    retry = "<p><code>harness retry</code> tries them again once the cause is mended.</p>"
    shown = html_table(columns, rows[:_MOST], "Causes of failures, the commonest first")
    return shown + _rest(len(rows), "FROM failures WHERE kind = 'failed'") + retry


def _absent(store: Store) -> str:
    key = "source, space, dataset, hp, seed"
    query = f"SELECT {key}, count(*) FROM failures WHERE kind = 'absent' GROUP BY ALL ORDER BY ALL"
    rows = store.sql(query).fetchall()
    if not rows:
        return "<p>None.</p>"
    columns = ("archive", "space", "data set", "budget", "seed", "units")
    shown = [(*row[:4], str(row[4]), row[5]) for row in rows[:_MOST]]
    why = "<p>Wanted, and not in the archive: recorded as such, never imputed.</p>"
    return why + html_table(columns, shown, "Absent units by seed") + _rest(len(rows), query)


def _rest(n_rows: int, query: str) -> str:
    """Return how to see the rows of a table that is too long to be shown whole."""
    if n_rows <= _MOST:
        return ""
    command = html.escape(f'harness query "{query}"')
    return f"<p>{_MOST} of {n_rows:,} rows; <code>{command}</code> has all.</p>"
