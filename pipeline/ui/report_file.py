"""The report of a run: what its pages show, as one HTML file that needs no other.

It has its style within, no script, and a content security policy by which it loads nothing: it can
be opened from a mail. The same as Markdown is for a pull request.
"""

import base64
import hashlib
import itertools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from millrace.components import artifacts as kinds
from millrace.components.artifacts import Artifact, Evaluation
from millrace.components.display import artifacts as display
from millrace.components.display import html, numbers
from millrace.components.display.html import Markup
from millrace.pipeline import explain
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.ui import templates
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
_LIBRARIES = ("tensorflow", "keras", "apache-beam", "numpy", "pyarrow", "pandas", "scikit-learn")


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
    """What the report of a run shows: plain values, and sections that are HTML already.

    Raises:
        UsageError: there is no such run.
    """
    with store.session() as session:
        record = store.find_run(session, run)
        made = {one.step: output for one in record.executions if (output := one.output)}
        return {
            **_facts(session, root, store, record),
            "steps": _steps(store.step_statuses(session, record, root), record.executions),
            "verdict": _verdict(made),
            "sections": [
                *_sections(made),
                *_examples(made),
                *_pictures(made),
            ],
            "settings": list(_settings(record)),
            "versions": _versions(record.executions),
            "sources": [
                {"name": _name(source), "path": source.uri, "digest": source.digest}
                for source in _sources(record.executions)
            ],
        }


def _facts(session: Session, root: Root, store: Store, record: RunRecord) -> dict[str, Any]:
    seconds = (record.ended - record.started).total_seconds() if record.ended else None
    seeds = {
        one.ingredients["options"].get("seed")
        for one in record.executions
        if "seed" in one.ingredients.get("options", {})
    }
    return {
        "run": record.id,
        "recipe": record.recipe,
        "model": record.pipeline,
        "root": root.name,
        "status": store.status(session, record, root),
        "started": record.started.isoformat(timespec="seconds"),
        "seconds": seconds,
        "command": record.arguments.get("command", ""),
        "commit": record.arguments.get("commit", ""),
        "tags": store.tags(session, [record.id])[record.id],
        "note": record.note or "",
        "seed": ", ".join(sorted(map(str, seeds))),
    }


def _steps(statuses: Mapping[int, str], executions: Sequence[ExecutionRecord]) -> dict[str, Any]:
    """The steps; that none has run before is said once, and not of each."""
    is_first = len(executions) > 1 and all(
        one.reasons == [explain.FIRST] for one in executions if one.status != "cached"
    )
    return {
        "is_first": is_first,
        "rows": [
            {
                "step": one.step,
                "status": statuses[one.id],
                "seconds": one.seconds,
                "reasons": [] if is_first and statuses[one.id] != "cached" else list(one.reasons),
                "error": one.error,
                "output": one.output.uri if one.output else "",
            }
            for one in executions
        ],
    }


def _verdict(made: Mapping[str, ArtifactRecord]) -> dict[str, Any] | None:
    """What the model was judged to be, and its first figure."""
    try:
        evaluation = _last(made, Evaluation)
        if not isinstance(evaluation, Evaluation):
            return None
        name, value = next(iter(evaluation.metrics.items()), ("", None))
        return {
            "is_blessed": evaluation.blessed,
            "reasons": evaluation.reasons,
            "name": name.replace("_", " "),
            "value": value,
            "interval": evaluation.intervals.get(name),
            "was": (evaluation.baseline or {}).get(name),
            "pushed": _pushed(made),
        }
    except (MillraceError, OSError):
        return None  # its section says why


def _pushed(made: Mapping[str, ArtifactRecord]) -> str:
    pushed = _last(made, kinds.PushedModel)
    return pushed.outcome if isinstance(pushed, kinds.PushedModel) else ""


def _last(made: Mapping[str, ArtifactRecord], kind: type[Artifact]) -> Artifact | None:
    """The output of type `kind` of the last step that has one."""
    found = [record for record in made.values() if record.type == kind.__name__]
    return kind(found[-1].fetch(_MOST)) if found else None


def _sections(made: Mapping[str, ArtifactRecord]) -> Iterator[dict[str, Any]]:
    for title, kind in _SECTIONS:
        if any(record.type == kind.__name__ for record in made.values()):
            yield _section(title, lambda kind=kind: _body(_last(made, kind)))


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
    return display.body(artifact) if artifact else Markup("")


def _typed(record: ArtifactRecord) -> Artifact:
    return _kind(record)(record.fetch(_MOST))


def _kind(record: ArtifactRecord) -> type[Artifact]:
    found: type[Artifact] = getattr(kinds, record.type, Artifact)
    return found


def _settings(record: RunRecord) -> Iterator[dict[str, str]]:
    """What the command has set, in its words."""
    try:
        words = shlex.split(record.arguments.get("command", ""))
    except ValueError:
        return
    for flag, word in itertools.pairwise(words):
        if flag == "--set":
            name, _, value = word.partition("=")
            yield {"name": name, "value": value}
        elif flag == "--with":
            yield {"name": "with", "value": word}


def _versions(executions: Sequence[ExecutionRecord]) -> dict[str, str]:
    """The versions of the libraries that the steps reach, the best known first."""
    found: dict[str, str] = {}
    for one in executions:
        found |= one.ingredients.get("versions", {})
    first = {name: found[name] for name in _LIBRARIES if name in found}
    return first | dict(sorted(found.items()))


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
        made = {one.step: output for one in record.executions if (output := one.output)}
        facts = _facts(session, root, store, record)
        steps = _steps(store.step_statuses(session, record, root), record.executions)
        verdict, settings = _verdict(made), list(_settings(record))
        evaluation = _last(made, Evaluation)
    lines = [f"### {_plain(facts['recipe'])} · {facts['run']} · {facts['status']}", ""]
    if verdict is not None and isinstance(evaluation, Evaluation):
        said = "blessed" if verdict["is_blessed"] else "not blessed"
        lines += [f"**{said}**: {_plain('; '.join(verdict['reasons']))}", ""]
        lines += [*_figure_lines(evaluation), ""]
    lines += [f"    {_one_line(facts['command'])}", ""]
    if settings:
        lines += ["| option | set to |", "|---|---|"]
        lines += [f"| {_plain(one['name'])} | {_plain(one['value'])} |" for one in settings]
        lines.append("")
    lines += ["| step | status | time | because |", "|---|---|--:|---|"]
    for row in steps["rows"]:
        because = _plain("; ".join(row["reasons"]) or row["error"])
        time = templates.seconds(row["seconds"])
        lines.append(f"| {row['step']} | {row['status']} | {time} | {because} |")
    return "\n".join(lines) + "\n"


def _figure_lines(evaluation: Evaluation) -> Iterator[str]:
    was, around = evaluation.baseline or {}, evaluation.intervals
    yield f"| metric | value | 95 % interval |{' was |' if was else ''}"
    yield f"|---|--:|--:|{'--:|' if was else ''}"
    for name, value in evaluation.metrics.items():
        interval = numbers.between(*around[name]) if name in around else ""
        before = f" {numbers.short(was[name]) if name in was else ''} |" if was else ""
        yield f"| {_plain(name)} | {numbers.short(value)} | {interval} |{before}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    """`text` as Markdown shows it: no markup of its own, no cell of its own, on a line."""
    escaped = html.escape(_one_line(text))
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#!|~" else letter for letter in escaped)
