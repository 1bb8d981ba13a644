"""The page of a run, to look at: one HTML file that needs no other."""

import html
from collections.abc import Iterator

from millrace.components.artifacts import (
    Anomalies,
    Evaluation,
    Examples,
    PushedModel,
    RawFiles,
    Statistics,
    TrainedModel,
)
from millrace.components.display import artifacts as display
from millrace.components.display.html import plots, table
from millrace.pipeline.records import ExecutionRecord, RunRecord
from millrace.pipeline.results import RunResult
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

_SECTIONS = {  # the artifacts that have one, by its title
    "Statistics": Statistics,
    "Anomalies": Anomalies,
    "Training": TrainedModel,
}
# Their pictures have a place of their own, or are the data itself.
_SHOWN_ABOVE = (Evaluation, RawFiles)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
       color: #1c2733; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .25rem .8rem .25rem 0; text-align: left;
       border-bottom: 1px solid #e3e8ee; vertical-align: top }
code, pre { font: 13px ui-monospace, monospace; white-space: pre-wrap } img { max-width: 100% }
.failed, .no { color: #b3261e } .ran, .yes { color: #1b6e3c } .cached, .skipped { color: #5b6b7b }
"""


def write(root: Root, store: Store, result: RunResult) -> None:
    """Write the page of a run: `runs/<run>/report.html`, one file that needs no other."""
    with store.session() as session:
        run = store.find_run(session, result.run)
        body = "".join(_sections(run, result))
        title = f"{html.escape(run.recipe)} · {run.id}"
        page = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
            f"<style>{_STYLE}</style><h1>{title}</h1>{body}</html>"
        )
    root.report(result.run).write_text(page)


def _sections(run: RunRecord, result: RunResult) -> Iterator[str]:
    state = {"done": "yes", "partial": "skipped", "running": "skipped"}.get(result.status, "no")
    yield f'<p class="{state}">{result.status}</p>'
    yield f"<p><code>{html.escape(run.arguments.get('command', ''))}</code></p>"
    if evaluation := result.output(Evaluation):
        yield f"<h2>Evaluation</h2>{display.body(evaluation)}"
    if pushed := result.output(PushedModel):
        yield f"<h2>Pushed</h2><p><code>{html.escape(pushed.outcome)}</code></p>"
    yield "<h2>Steps</h2>"
    yield table(
        ("step", "status", "seconds", "because", "output"),
        (
            (e.step, e.status, f"{e.seconds:.1f}", "; ".join(e.reasons), _uri(e) or e.error)
            for e in run.executions
        ),
    )
    yield from _artifacts(result)


def _artifacts(result: RunResult) -> Iterator[str]:
    """What the steps made, without what is shown above the steps."""
    for name, artifact in result.artifacts.items():
        if isinstance(artifact, Examples):
            yield f"<h2>Examples of {html.escape(name)}</h2>{display.body(artifact)}"
    for title, kind in _SECTIONS.items():
        if (found := result.output(kind)) and (body := display.body(found)):
            yield f"<h2>{title}</h2>{body}"
    for name, artifact in result.artifacts.items():
        if not isinstance(artifact, _SHOWN_ABOVE) and (drawn := plots(artifact.path)):
            yield f"<h2>{html.escape(name)}</h2>{drawn}"


def _uri(execution: ExecutionRecord) -> str:
    return execution.output.uri if execution.output else ""
