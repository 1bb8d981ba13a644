"""The report of a run: what its pages show, as one HTML file that needs no other.

It has its style within, no script, and a content security policy by which it loads nothing: it can
be opened from a mail. The same as Markdown is for a pull request.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from millrace.components import artifacts as kinds
from millrace.components.artifacts import Artifact
from millrace.components.display import artifacts as display
from millrace.components.display import html, numbers
from millrace.components.display.html import Markup
from millrace.pipeline import report
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.ui import templates
from millrace.pipeline.ui.contents import run as run_contents
from millrace.serving.errors import MillraceError

_SECTIONS: tuple[tuple[str, type[Artifact]], ...] = (  # in this order, the last output of a type
    ("Evaluation", kinds.Evaluation),
    ("Training", kinds.TrainedModel),
    ("Statistics", kinds.Statistics),
    ("Anomalies", kinds.Anomalies),
    ("Predictions", kinds.InferenceResult),
)
_WITHOUT_PICTURES = (kinds.Evaluation, kinds.RawFiles, kinds.TrainedModel)  # or shown elsewhere
_MOST = 64 * 2**20  # bytes of a file that is fetched for it


def write(root: Root, store: Store, run: str) -> None:
    """Write the report of a run to its place under `root`: `runs/<run>/report.html`."""
    # A name of the data may hold what no encoding has.
    root.report(run).write_bytes(as_html(root, store, run).encode(errors="replace"))


def as_html(root: Root, store: Store, run: str) -> str:
    """The report of a run.

    Raises:
        UsageError: there is no such run.
    """
    style = templates.static("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return templates.render(
        "report.html",
        shown=gather(root, store, run),
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:",
    )


def gather(root: Root, store: Store, run: str) -> dict[str, Any]:
    """What the report of a run shows: the sections of its page, and what it made as HTML already.

    Raises:
        UsageError: there is no such run.
    """
    with store.session() as session:
        record = store.find_run(session, run)
        made = {one.step: output for one in record.executions if (output := one.output)}
        return {
            **run_contents.contents(store, session, root, record, _nowhere),
            "made": [*_sections(made), *_examples(made), *_pictures(made)],
            "sources": [
                {"name": _name(source), "path": source.uri, "digest": source.digest}
                for source in _sources(record.executions)
            ],
        }


def _nowhere(*_: object) -> str:
    """The address of a page, which one file has not."""
    return ""


def _last(made: Mapping[str, ArtifactRecord], kind: type[Artifact]) -> Artifact | None:
    """The output of type `kind` of the last step that has one."""
    found = [record for record in made.values() if record.type == kind.__name__]
    return kind(found[-1].fetch(_MOST)) if found else None


def _sections(made: Mapping[str, ArtifactRecord]) -> Iterator[dict[str, Any]]:
    for title, kind in _SECTIONS:
        if any(record.type == kind.__name__ for record in made.values()):
            section = _section(title, lambda kind=kind: _body(_last(made, kind)))
            if section["body"] or section["problem"]:
                yield section


def _examples(made: Mapping[str, ArtifactRecord]) -> Iterator[dict[str, Any]]:
    """The first records that were read; transformed ones are numbers."""
    for step, record in made.items():
        if record.type == "Examples":
            yield _section(f"Samples of {step}", lambda record=record: _body(_typed(record)))
            return


def _pictures(made: Mapping[str, ArtifactRecord]) -> Iterator[dict[str, Any]]:
    for step, record in made.items():
        if not issubclass(_kind(record), _WITHOUT_PICTURES):
            section = _section(step, lambda record=record: html.plots(_typed(record).path))
            if section["body"]:
                yield section


def _section(title: str, drawn: Any) -> dict[str, Any]:
    """A section with its HTML, or with why it cannot be shown: the rest of the report stands."""
    anchor = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    try:
        return {"title": title, "anchor": anchor, "body": drawn(), "problem": ""}
    except (MillraceError, OSError) as error:
        return {"title": title, "anchor": anchor, "body": "", "problem": str(error)}


def _body(artifact: Artifact | None) -> Markup:
    if isinstance(artifact, kinds.Evaluation):  # its verdict and figures stand at the top
        return display.behind_figures(artifact)
    return display.body(artifact) if artifact else Markup("")


def _typed(record: ArtifactRecord) -> Artifact:
    return _kind(record)(record.fetch(_MOST))


def _kind(record: ArtifactRecord) -> type[Artifact]:
    found: type[Artifact] = getattr(kinds, record.type, Artifact)
    return found


def _sources(executions: Sequence[ExecutionRecord]) -> list[ArtifactRecord]:
    """What was read that no step has made."""
    read = (record for one in executions for record in one.inputs.values())
    return list({record.id: record for record in read if record.maker is None}.values())


def _name(record: ArtifactRecord) -> str:
    return record.uri.rstrip("/").rpartition("/")[2]


def as_markdown(root: Root, store: Store, run: str) -> str:
    """The report of a run as Markdown: the verdict, the figures, what was set, the steps.

    Raises:
        UsageError: there is no such run.
    """
    with store.session() as session:
        record = store.find_run(session, run)
        shown = run_contents.contents(store, session, root, record, _nowhere)
        made = {one.step: output for one in record.executions if (output := one.output)}
        evaluation = _last(made, kinds.Evaluation)
    head, outcome = shown["head"], shown["outcome"]
    lines = [f"### {_plain(head['recipe'])} · {head['id']} · {head['status']}", ""]
    if outcome["verdict"]:
        lines += [f"**{outcome['verdict']}**: {_plain('; '.join(outcome['reasons']))}", ""]
    if outcome["figures"]:
        lines += [*_figure_lines(outcome["figures"]), ""]
    if isinstance(evaluation, kinds.Evaluation) and (told := report.goes_by(evaluation)):
        lines += [f"It goes by {_plain(told)}.", ""]
    lines += [f"    {_one_line(head['command'])}", ""]
    rows = [row for group in shown["options"]["groups"] for row in group["rows"]]
    if changed := [row for row in rows if row["is_changed"]]:
        lines += ["| option | set to |", "|---|---|"]
        lines += [f"| {_plain(row['option'])} | {_plain(row['value'])} |" for row in changed]
        lines.append("")
    lines += ["| step | status | time | because |", "|---|---|--:|---|"]
    lines += map(_step_line, shown["steps"]["rows"])
    return "\n".join(lines) + "\n"


def _step_line(row: Mapping[str, Any]) -> str:
    reused = f"unchanged since {row['reused']['id']}" if row["reused"] else ""
    because = _plain("; ".join(filter(None, [reused, *row["reasons"]])) or row["error"])
    time = templates.seconds(row["seconds"]) if row["seconds"] is not None else ""
    return f"| {row['step']} | {row['status']} | {time} | {because} |"


def _figure_lines(figures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    has_was = any(one["was"] is not None for one in figures)
    yield f"| metric | value | 95 % interval |{' was |' if has_was else ''}"
    yield f"|---|--:|--:|{'--:|' if has_was else ''}"
    for one in figures:
        interval = numbers.between(*one["interval"]) if one["interval"] else ""
        before = numbers.short(one["was"]) if one["was"] is not None else ""
        was = f" {before} |" if has_was else ""
        yield f"| {_plain(one['name'])} | {numbers.short(one['value'])} | {interval} |{was}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    """`text` as Markdown shows it: no markup of its own, no cell of its own, on a line."""
    line = _one_line(text)
    marked = (f"\\{letter}" if letter in "\\`*_{}[]()#!|~" else letter for letter in line)
    return html.escape("".join(marked))  # last: what it writes for an apostrophe has a # in it
