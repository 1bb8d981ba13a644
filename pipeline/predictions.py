"""A served model's answers, beside the truth where that is known."""

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from rich.console import Console

from millrace.components.artifacts import Rejected
from millrace.components.display import html, numbers
from millrace.components.inference import requests
from millrace.components.inference.predictions import as_json
from millrace.components.models.certainty import LEVELS
from millrace.pipeline import questions
from millrace.pipeline.console import print_table
from millrace.pipeline.errors import UsageError
from millrace.pipeline.pushed import check_pushed, pushed_models
from millrace.pipeline.questions import Question
from millrace.pipeline.root import Root
from millrace.serving.client import Client
from millrace.serving.errors import LaunchError, NotFoundError
from millrace.serving.launch import Launched, launch
from millrace.serving.signature import DEFAULT, Signature

GENERATE = "generate"  # the signature of a generator that takes all its scalars

_Table = tuple[Sequence[str], list[tuple[str, ...]]]
Late = Callable[[Signature], Sequence[Question | Rejected]]

NO_SCALARS: Mapping[str, float | None] = {}
_DEFAULTS = {"length": 60, "temperature": 0.7}


@dataclasses.dataclass(frozen=True)
class Answer:
    """The model's answer to one question: its outputs as JSON values."""

    question: Question
    outputs: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The question's name, the outputs, and times and the truth where they are known."""
        truth = self.question.truth
        found = {"input": self.question.name, **self.outputs}
        if self.question.times:
            found["times"] = list(self.question.times)
        return found if truth is None else {**found, "truth": truth}


@dataclasses.dataclass(frozen=True)
class Call:
    """What a server was sent, and how it went.

    Attributes:
        signature: of the model.
        inputs: of that, by alias, all questions at once.
        version: that answered.
        seconds: between the request and its answer.
    """

    signature: str
    inputs: Mapping[str, np.ndarray]
    version: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Answers(Sequence[dict[str, Any]]):
    """What one version of a model answered: a sequence of answers as JSON values."""

    model: str
    target: str
    answers: tuple[Answer, ...]
    rejected: tuple[Rejected, ...] = ()
    call: Call | None = None

    def __len__(self) -> int:
        return len(self.answers)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """The answer, or the answers, at `index` as JSON values: see `Answer.as_json`."""
        if isinstance(index, slice):
            return [answer.as_json() for answer in self.answers[index]]
        return self.answers[index].as_json()

    def as_json(self) -> dict[str, Any]:
        """For `--json`: `model`, `target`, one object per prediction, and what was set aside."""
        found = {"model": self.model, "target": self.target, "predictions": [*self]}
        rejected = [dataclasses.asdict(item) for item in self.rejected]
        return {**found, "rejected": rejected} if rejected else found

    def show(self, console: Console) -> None:
        """As a table, the truth beside the answer; texts one after another."""
        if (shown := self._table()) is not None:
            print_table(console, *shown)
            return
        for answer in self.answers:
            _show_values(console, answer.outputs)

    def _repr_html_(self) -> str:
        columns = ("input", *self.answers[0].outputs)
        rows = ((answer.question.name, *answer.outputs.values()) for answer in self.answers)
        return html.table(*(self._table() or (columns, rows)))

    def _table(self) -> _Table | None:
        """Columns and rows; None for answers that are no row, such as texts."""
        outputs = self.answers[0].outputs
        if "scores" in outputs:
            return _rows(["answer", "score"], self.answers, _class_cells)
        if "prediction" in outputs:
            levels = _levels(outputs, "prediction")
            return _rows(["answer", *levels], self.answers, _number_cells)
        if "forecast" in outputs:
            return _forecasts(self.answers)
        return None


def ask(
    root: Root,
    model: str,
    asked: Sequence[Question],
    target: str,
    *,
    wait: float = 0.0,
    late: Sequence[Late] = (),
    scalars: Mapping[str, float | None] = NO_SCALARS,
    tell: Callable[[str], None] = lambda _: None,
) -> Answers:
    """Ask the server at `target`, or one started for this, about each question.

    Args:
        root: where the pushed models are.
        model: its name.
        asked: the questions.
        target: HOST:PORT, or nothing.
        wait: for how many seconds the server at `target` may not be up yet, or not have the model.
        late: what gives more questions once it is known what the model takes.
        scalars: a generator's inputs without a batch, where they are given.
        tell: shows a person what it is that takes a while.

    Raises:
        UsageError: there is nothing to ask, the model does not take it, or no such model has been
            pushed, or is at the `target`.
        DeadlineExceededError: the server did not have it within `wait` seconds.
    """
    with _server(root, model, target, tell) as address, Client(address) as client:
        if wait:
            client.wait_until_available(model, timeout=wait)
        found = ask_server(client, root, model, asked, late=late, scalars=scalars)
    return dataclasses.replace(found, target=target or "embedded")


def ask_server(
    client: Client,
    root: Root,
    model: str,
    asked: Sequence[Question],
    *,
    late: Sequence[Late] = (),
    scalars: Mapping[str, float | None] = NO_SCALARS,
    version: int | None = None,
) -> Answers:
    """Ask a server that is up, and has the model; see `ask`.

    Args:
        client: of the server.
        root: where models are pushed to.
        model: its name.
        asked: the questions.
        late: what gives more questions once it is known what the model takes.
        scalars: a generator's inputs without a batch, where they are given.
        version: to be asked; the newest by default.

    Raises:
        UsageError: there is nothing to ask, the model does not take it, or is not there.
    """
    given = {name: value for name, value in scalars.items() if value is not None}
    signature = _choose(signatures(client, root, model, version), given)
    found = [*asked, *itertools.chain.from_iterable(each(signature) for each in late)]
    rows = [item for item in found if isinstance(item, Question)]
    if not rows:
        raise questions.mismatch(signature, "")
    inputs = requests.inputs(signature, [questions.fit(row, signature) for row in rows])
    for name, value in (_DEFAULTS | given).items():
        if name in signature.inputs:
            inputs[name] = np.array(value, signature.inputs[name].dtype)
    start = time.monotonic()
    outputs = client.predict(model, inputs, signature=signature.name, version=version)
    call = Call(signature.name, inputs, outputs.version, time.monotonic() - start)
    pairs = zip(rows, as_json(outputs), strict=True)
    answers = tuple(Answer(row, _sorted(one)) for row, one in pairs)
    rejected = tuple(item for item in found if isinstance(item, Rejected))
    return Answers(model, client.target, answers, rejected, call)


def signatures(
    client: Client, root: Root, model: str, version: int | None = None
) -> Mapping[str, Signature]:
    """What the server says of `model`.

    Raises:
        UsageError: it has no such model.
    """
    try:
        return client.metadata(model, version=version).signatures
    except NotFoundError as error:
        pushed = ", ".join(pushed_models(root)) or "none"
        raise UsageError(
            f"predict --target {client.target}: expected the name of a model that this server has. "
            f"Received: {model!r}. The server: {error.details}. Pushed under {root.name}: "
            f"{pushed}. Give the name that the server was started with (--model_name, or in its "
            "--model_config_file), or serve it: `millrace serve`."
        ) from None


def _choose(signatures: Mapping[str, Signature], given: Mapping[str, float]) -> Signature:
    """The default signature, or the one that takes all that is `given`."""
    default = signatures[DEFAULT]
    signature = default if given.keys() <= default.inputs.keys() else signatures.get(GENERATE)
    if signature is None:
        name = next(name for name in given if name not in default.inputs)
        raise UsageError(
            f"--{name.replace('_', '-')}: expected a model that generates text. Received one "
            f"that takes {', '.join(default.inputs)}. Leave the option out."
        )
    return signature


@contextlib.contextmanager
def _server(root: Root, model: str, target: str, tell: Callable[[str], None]) -> Iterator[str]:
    if target:
        yield target
        return
    with launched(root, model, tell) as server:
        yield server.target


@contextlib.contextmanager
def launched(
    root: Root, model: str, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Launched]:
    """A server of the pushed `model`; `tell` shows a person what it is that takes a while.

    Raises:
        UsageError: it has not been pushed.
        LaunchError: its newest version cannot be loaded; says what to do about it.
    """
    check_pushed(root, model)
    tell("importing TensorFlow")
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(launch(root.serving / model, model))
        except LaunchError as error:
            if not error.reason:
                raise
            raise LaunchError(
                f"{root.serving / model}: expected a newest version that a model server can load. "
                f"Received: {error.reason.rstrip(', ')}\nGo back to the version before it with "
                f"`millrace rollback {model}`, or push it again: `millrace run … --force pusher`."
            ) from None
        yield server


def _sorted(outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs, a classifier's likeliest class first."""
    scores = outputs.get("scores")
    if isinstance(scores, dict):
        ranked = sorted(scores.items(), key=lambda pair: pair[1], reverse=True)
        return outputs | {"scores": dict(ranked)}
    return outputs


def _rows(
    columns: Sequence[str], answers: Sequence[Answer], cells: Callable[[Answer], tuple[str, ...]]
) -> _Table:
    names: tuple[str, ...] = ("input", *columns)
    rows = [(answer.question.name, *cells(answer)) for answer in answers]
    if any(answer.question.truth is not None for answer in answers):
        names = (*names, "truth", "verdict")
        rows = [(*row, *_beside(answer)) for row, answer in zip(rows, answers, strict=True)]
    return names, rows


def _class_cells(answer: Answer) -> tuple[str, ...]:
    return answer.outputs["class"], f"{answer.outputs['score']:.3f}"


def _number_cells(answer: Answer) -> tuple[str, ...]:
    outputs = answer.outputs
    shown = [numbers.exact(outputs["prediction"])]
    if _levels(outputs, "prediction"):
        shown += _intervals(outputs["prediction_lower"], outputs["prediction_upper"])
    return tuple(shown)


def _levels(outputs: Mapping[str, Any], name: str) -> list[str]:
    """The columns of a model's intervals around the output `name`; none where it has none."""
    ends = outputs.keys() >= {f"{name}_lower", f"{name}_upper"}
    return [f"{level:.0%}".replace("%", " %") for level in LEVELS] if ends else []


def _intervals(lower: Sequence[float], upper: Sequence[float]) -> list[str]:
    """An interval of each level."""
    pairs = zip(lower, upper, strict=True)
    return [f"{numbers.short(low)} to {numbers.short(high)}" for low, high in pairs]


def _beside(answer: Answer) -> tuple[str, str]:
    """The truth, and how the answer stands to it."""
    truth = answer.question.truth
    if truth is None:
        return "", ""
    if "prediction" in answer.outputs and isinstance(truth, float | int):
        error = answer.outputs["prediction"] - truth
        return numbers.exact(truth), f"{'+' if error >= 0 else ''}{numbers.short(error)}"
    return str(truth), "right" if str(truth) == answer.outputs["class"] else "WRONG"


def _forecasts(answers: Sequence[Answer]) -> _Table:
    """A line per step ahead of each window, by its time if that is known."""
    rows: list[tuple[str, ...]] = []
    levels = _levels(answers[0].outputs, "forecast")
    has_truth = any(answer.question.truth is not None for answer in answers)
    for answer in answers:
        truth = iter(answer.question.truth if isinstance(answer.question.truth, list) else [])
        for step, targets in enumerate(answer.outputs["forecast"], start=1):
            known = [_truth(value) for value in itertools.islice(truth, len(targets))]
            times = answer.question.times
            when = times[step - 1] if times else f"+{step}"
            row: tuple[str, ...] = (
                answer.question.name,
                when,
                ", ".join(map(numbers.exact, targets)),
            )
            if levels:
                row = (*row, *_around(answer.outputs, step - 1))
            rows.append((*row, ", ".join(known)) if has_truth else row)
    when = "time" if any(answer.question.times for answer in answers) else "step"
    names = ("window", when, "forecast", *levels)
    return ((*names, "truth") if has_truth else names), rows


def _around(outputs: Mapping[str, Any], step: int) -> list[str]:
    """Of each level, the intervals of all targets of a step."""
    ends = (outputs[f"forecast_{side}"][step] for side in ("lower", "upper"))
    by_target = (_intervals(*each) for each in zip(*ends, strict=True))
    return [", ".join(each) for each in zip(*by_target, strict=True)]


def _truth(value: float | None) -> str:
    return "not known" if value is None else numbers.exact(value)


def _show_values(console: Console, outputs: Mapping[str, Any]) -> None:
    """A text as it is, other outputs by name."""
    if list(outputs) == ["text"]:
        console.print(outputs["text"], markup=False, highlight=False, soft_wrap=True)
        return
    for name, value in outputs.items():
        console.print(f"{name}: {value}", markup=False, highlight=False, soft_wrap=True)
