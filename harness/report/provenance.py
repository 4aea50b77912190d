"""The page of where numbers come from: the runs that wrote the store, with configuration, versions and hardware."""

import html
import json

from harness.report.tables import html_table
from harness.store.reader import Store

TITLE = "Provenance"
_COLUMNS = ("run", "command", "started (UTC)", "rows", "commit", "changed")
_MOST = 100
_DETAILS = ("versions", "hardware", "config")


def provenance(store: Store) -> str:
    """Return the page's content, HTML: a line for each run, the newest first, and below it what each was made with."""
    written = store.sql("SELECT run_id, count(*) FROM all_measurements GROUP BY run_id").fetchall()
    n_rows = dict(written)
    runs = store.sql("FROM runs ORDER BY started_at DESC").df().to_dict("records")
    if not runs:
        return f"<h1>{TITLE}</h1><p>No runs are recorded: <code>harness run</code> records each.</p>"
    lines = [
        (
            *(str(run[name]) for name in ("run_id", "command", "started_at")),
            int(n_rows.get(run["run_id"], 0)),
            str(run["git_commit"] or "none")[:12],
            "yes" if run["git_dirty"] else "no",
        )
        for run in runs[:_MOST]
    ]
    known = {str(run["run_id"]) for run in runs}
    unknown = sum(n for run_id, n in written if run_id not in known)
    parts = [f"<h1>{TITLE}</h1>", "<p>Every row of the store names the run that wrote it (<code>run_id</code>).</p>"]
    parts.append(html_table(_COLUMNS, lines, "Runs, the newest first"))
    if len(runs) > _MOST:
        parts.append(f'<p>{_MOST} of {len(runs):,} runs; <code>harness query "FROM runs"</code> has all.</p>')
    if unknown:
        parts.append(f"<p>{unknown:,} rows are of runs without a record, such as one that was killed at its start.</p>")
    for run in runs[:_MOST]:
        parts.append(f"<h2>{html.escape(str(run['run_id']))}</h2>")
        parts += [_details(name, str(run[name])) for name in _DETAILS]
    return "".join(parts)


def _details(name: str, text: str) -> str:
    """Return JSON that is shown when asked for."""
    shown = html.escape(json.dumps(json.loads(text), indent=2))
    return f"<details><summary>{name}</summary><pre>{shown}</pre></details>"
