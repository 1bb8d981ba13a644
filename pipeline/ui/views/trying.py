"""Try it: a model is asked by what a person draws, types or uploads, and answers at once."""

import base64
import dataclasses
import functools
import io
import pathlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from millrace.components.models.certainty import LEVELS
from millrace.pipeline import given, predictions, pushed, question_files, questions, registry
from millrace.pipeline.errors import UsageError
from millrace.pipeline.origin import UNKNOWN, Origin, find
from millrace.pipeline.predictions import Answer, Answers, Late
from millrace.pipeline.questions import Question
from millrace.pipeline.ui import call_texts, forms
from millrace.pipeline.ui.site import Action, Asked, File, Sent, View
from millrace.serving.client import Client
from millrace.serving.errors import MillraceError

_MOST = 50  # answers of a page
_CLASSES = 10
_SAMPLE = 3  # records of the test split
_VERSIONS = 3  # side by side
_THUMBNAIL = 160  # pixels a side
_LETTERS = 2**20
_NUMBERS = re.compile(r"[\s\d.,;+\-eEnNaA]*")

Json = dict[str, Any]


def gather(asked: Asked) -> Json:
    """The form for a model, and how far its server is."""
    return _page(asked) | {"sent": {}, "answers": [], "error": None}


def _page(asked: Asked) -> Json:
    model, server = asked.parts["model"], asked.model_server
    if not server.given:
        pushed.check_pushed(asked.root, model)
    with asked.session() as session:
        known = registry.newest_of(session, asked.store, asked.root, [model])[model]
        form = forms.of_push(session, known[0].push if known else None)
    state = server.state(model)
    if form is None and state["state"] == "ready":
        with Client(server.target, timeout=10) as client:
            form = forms.of_signatures(predictions.signatures(client, asked.root, model))
    return {
        "model": model,
        "page": asked.address("models", model),
        "versions": [one.number for one in known][:_VERSIONS],
        "form": form or {"kind": "unknown"},
        "can_sample": bool(known and known[0].push and known[0].push.evaluation),
        "server": state,
        "given": server.given,
    }


def load(asked: Asked, sent: Sent) -> str | Json:
    """Begin to load the model, so that it is there once a question is."""
    del sent
    asked.model_server.begin(asked.parts["model"])
    return asked.address("models", asked.parts["model"], "try")


def answer(asked: Asked, sent: Sent) -> Json:
    """The page again, with the answers to what was sent, or why there are none."""
    fields = {name: value for name, value in sent.fields.items() if name != "form_secret"}
    try:
        answers = _answers(asked, sent)
        found: Json = {"answers": answers, "error": None}
    except MillraceError as error:
        found = {"answers": [], "error": str(error).replace("predict: ", "")}
    chosen = [int(each) for each in sent.several.get("version", ()) if each.isdecimal()]
    return _page(asked) | {"sent": fields | {"versions": chosen}} | found


def _answers(asked: Asked, sent: Sent) -> list[Json]:
    """What each version that was chosen answers."""
    model, server = asked.parts["model"], asked.model_server
    chosen: list[int | None] = [
        int(each) for each in sent.several.get("version", ()) if each.isdecimal()
    ]
    versions = chosen[:_VERSIONS] or [None]
    with tempfile.TemporaryDirectory(prefix="millrace_try_") as folder:
        found, late = _asked_about(asked, sent, pathlib.Path(folder))
        return [
            _of_version(asked, server.ready(model, version), version, sent, found, late)
            for version in versions
        ]


def _of_version(
    asked: Asked,
    target: str,
    version: int | None,
    sent: Sent,
    found: Sequence[Question],
    late: Sequence[Late],
) -> Json:
    model, server = asked.parts["model"], asked.model_server
    if version is None and not server.given:
        version = registry.numbers(asked.root, model)[0]  # the server may still have another
    with Client(target) as client:
        answers = predictions.ask_server(
            client,
            asked.root,
            model,
            found,
            late=late,
            scalars=_scalars(sent),
            version=version,
        )
    call = answers.call
    if call is None:
        raise UsageError("Nothing was asked.")
    is_newest = version is None or version == max(
        registry.numbers(asked.root, model), default=version
    )
    file = _name(sent.files["image"][0]) if "image" in sent.files else ""
    return {
        "version": call.version,
        "milliseconds": round(1000 * call.seconds, 1),
        "count": len(answers),
        "answers": [_shown(one, answers, n) for n, one in enumerate(answers.answers[:_MOST])],
        "rejected": [question_files.described(one) for one in answers.rejected[:_MOST]],
        "calls": call_texts.texts(
            model, call, target, server.rest, version=None if is_newest else version, file=file
        ),
    }


def _scalars(sent: Sent) -> dict[str, float | None]:
    """A generator's numbers; those left empty are left to it."""
    found: dict[str, float | None] = {}
    for name in ("length", "temperature", "top_k", "seed"):
        text = sent.fields.get(name, "").strip()
        if not text:
            continue
        try:
            number = float(text)
            found[name] = number if name == "temperature" else int(number)
        except (ValueError, OverflowError):
            raise UsageError(
                f"{name}: expected a number. Received: {text!r}. Correct it, or leave it empty."
            ) from None
        if (name != "seed" and not 0 <= number < 2**31) or abs(number) >= 2**31:
            raise UsageError(f"{name}: expected 0 to {2**31 - 1}. Received: {text}. Correct it.")
    # Those that the signature without a seed takes are left to it.
    return {name: each for name, each in found.items() if name != "top_k" or each}


def _asked_about(
    asked: Asked, sent: Sent, folder: pathlib.Path
) -> tuple[list[Question], list[Late]]:
    """The questions in a form, files in `folder`; and what gives more once the model is known.

    What is typed is never taken for the path of a file of this machine.
    """
    model = asked.parts["model"]
    if sent.fields.get("ask") == "sample":
        return questions.from_last_run(asked.store, model, _SAMPLE), []
    uploads = {name: each for name, each in sent.files.items() if each[1]}
    if "image" in uploads:
        file = _written(folder, *uploads["image"])
        (found,) = questions.from_files([str(file)])
        return [dataclasses.replace(found, name=file.name)], []
    if "file" in uploads:
        return [], [_rows(_written(folder, *uploads["file"]), sent, _origin(asked))]
    if window := sent.fields.get("window", "").strip():
        return [], [_window(window, folder, asked)]
    for name in ("text", "prompt"):
        if text := sent.fields.get(name, ""):
            encoded = given.utf8(text[:_LETTERS].replace("\r\n", "\n"), name).encode()
            return [Question(questions.shortened(text), {"text": [encoded]})], []
    row = {
        name.removeprefix("column:"): value.strip()
        for name, value in sent.fields.items()
        if name.startswith("column:") and value.strip()
    }
    return (question_files.from_rows([row], _origin(asked)) if row else []), []


def _origin(asked: Asked) -> Origin:
    """How the model's data was read; unknown where another's server is asked."""
    try:
        return find(asked.store, asked.parts["model"])
    except MillraceError:
        return UNKNOWN


def _rows(file: pathlib.Path, sent: Sent, origin: Origin) -> Late:
    if sent.fields.get("kind") == "window":
        return functools.partial(question_files.of_window, str(file), origin)
    return functools.partial(question_files.from_csv, file, origin)


def _window(text: str, folder: pathlib.Path, asked: Asked) -> Late:
    """Numbers as `1,2,3`, or one a line, or rows of a CSV."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _NUMBERS.fullmatch(text):
        typed = (";" if any("," in line for line in lines[1:]) else ",").join(lines)
        # A file of this machine may have just that name.
        return lambda signature: [questions.from_window(f" {typed}", signature)]
    file = _written(folder, "window.csv", text.encode())
    return functools.partial(question_files.of_window, str(file), _origin(asked))


def _name(name: str) -> str:
    """A file's own name, of plain letters."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name.replace("\\", "/").rpartition("/")[2])
    return plain.lstrip(".-")[-80:] or "upload"


def _written(folder: pathlib.Path, name: str, content: bytes) -> pathlib.Path:
    file = folder / _name(name)
    file.write_bytes(content)
    return file


def _shown(one: Answer, answers: Answers, number: int) -> Json:
    """An answer by its kind, with what was asked where that can be seen."""
    outputs, question = one.outputs, one.question
    found: Json = {"input": question.name, "truth": question.truth, "picture": _picture(question)}
    if "scores" in outputs and isinstance(outputs["scores"], dict):
        scores = list(outputs["scores"].items())
        kept = [{"name": name, "score": score} for name, score in scores[:_CLASSES]]
        more = len(scores) - len(kept)
        return found | {"kind": "class", "class": outputs["class"], "scores": kept, "more": more}
    if isinstance(outputs.get("prediction"), int | float):
        return found | {"kind": "number"} | _number(outputs)
    if "forecast" in outputs:
        return found | {"kind": "forecast"} | _forecast(one, answers, number)
    if list(outputs) == ["text"]:
        return found | {"kind": "text", "text": outputs["text"]}
    return found | {"kind": "values", "values": dict(outputs)}


def _number(outputs: Mapping[str, Any]) -> Json:
    lower, upper = outputs.get("prediction_lower", ()), outputs.get("prediction_upper", ())
    intervals = [
        {"level": level, "low": low, "high": high}
        for level, low, high in zip(LEVELS, lower, upper, strict=False)
    ]
    return {"value": outputs["prediction"], "intervals": intervals}


def _forecast(one: Answer, answers: Answers, number: int) -> Json:
    """A line for each target: its past, what is forecast, and the widest interval."""
    ahead = np.array(one.outputs["forecast"], np.float64)  # [steps, targets]
    steps = len(ahead)
    call = answers.call
    past = np.zeros((0, 0))
    if call and "window" in call.inputs:
        past = np.array(call.inputs["window"][number])  # [time, channels]
    lower, upper = (
        np.array(one.outputs[name], np.float64) if name in one.outputs else None
        for name in ("forecast_lower", "forecast_upper")
    )
    truth = one.question.truth if isinstance(one.question.truth, list) else []
    targets = []
    for place in range(ahead.shape[1]):
        intervals = [
            {
                "level": level,
                "low": _plain(lower[:, place, at]),
                "high": _plain(upper[:, place, at]),
            }
            for at, level in enumerate(LEVELS)
            if lower is not None and upper is not None
        ]
        is_known = past.ndim == 2 and past.shape[1] > place
        targets.append(
            {
                "past": _plain(past[-3 * max(steps, 10) :, place]) if is_known else [],
                "ahead": _plain(ahead[:, place]),
                "intervals": intervals,
                "truth": list(truth[place :: ahead.shape[1]]),
            }
        )
    times = list(one.question.times) or [f"+{step}" for step in range(1, steps + 1)]
    return {"times": times, "targets": [each | _lines(each, times) for each in targets]}


def _lines(target: Mapping[str, Any], times: Sequence[str]) -> Json:
    """The series of a chart: the past, then what is forecast from its end on."""
    past, ahead = target["past"], target["ahead"]
    gap: list[float | None] = [None] * len(past)
    joint = gap[:-1] + past[-1:]  # the line begins where the past ends
    line: Json = {"name": "forecast", "y": joint + ahead}
    if target["intervals"]:
        widest = target["intervals"][-1]
        line |= {"low": joint + widest["low"], "high": joint + widest["high"]}
    series = [{"name": "past", "y": past + [None] * len(ahead)}, line]
    if target["truth"]:
        series.append({"name": "truth", "y": joint + target["truth"]})
    return {"series": series, "names": [f"{n - len(past)}" for n in range(len(past))] + [*times]}


def _plain(values: np.ndarray) -> list[float | None]:
    """Numbers as JSON has them: none for NaN."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _picture(question: Question) -> str | None:
    """What was asked about, as a picture within the page."""
    content = question.features.get("image/encoded")
    if not content:
        return None
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content[0])) as image:
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    way = Image.Resampling.NEAREST if max(upright.size) < 64 else Image.Resampling.BICUBIC
    file = io.BytesIO()
    ImageOps.contain(upright, (_THUMBNAIL, _THUMBNAIL), way).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


VIEWS = (View("models/{model}/try", "try.html", gather),)
FILES: tuple[File, ...] = ()
ACTIONS = (
    Action("models/{model}/try/load", load),
    Action("models/{model}/try", answer, "try.html"),
)
