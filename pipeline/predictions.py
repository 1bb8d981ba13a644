"""Questions to a served model, and its answers beside the truth where that is known."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from components.artifacts import Examples
from components.tfrecord import read_records
from pipeline.console import print_table
from pipeline.errors import UsageError
from pipeline.pushed import check_pushed
from pipeline.root import Root
from pipeline.store import Store
from serving.client import Client
from serving.example import decode
from serving.launch import launch


@dataclasses.dataclass(frozen=True)
class Question:
    """One image to ask about: the file's bytes, what to call it, its class if known."""

    name: str
    image: bytes
    truth: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """The model's answer to one question; `scores` by class, the likeliest first."""

    question: Question
    label: str
    score: float
    scores: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Answers:
    """What one version of a model answered."""

    model: str
    target: str
    answers: tuple[Answer, ...]

    def as_json(self) -> dict[str, Any]:
        """For `--json`: `model`, `target` and one object per prediction."""
        predictions = [
            {
                "input": answer.question.name,
                "class": answer.label,
                "score": answer.score,
                "scores": answer.scores,
                **({"truth": answer.question.truth} if answer.question.truth else {}),
            }
            for answer in self.answers
        ]
        return {"model": self.model, "target": self.target, "predictions": predictions}

    def show(self, console: Console) -> None:
        """A row per question, the truth beside the answer."""
        rows = []
        for answer in self.answers:
            truth = answer.question.truth
            verdict = "" if not truth else "right" if truth == answer.label else "WRONG"
            rows.append((answer.question.name, answer.label, f"{answer.score:.3f}", truth, verdict))
        known = any(answer.question.truth for answer in self.answers)
        columns = ("image", "answer", "score", "truth", "verdict")
        width = len(columns) if known else 3
        print_table(console, columns[:width], [row[:width] for row in rows])


def from_files(files: Sequence[Path]) -> list[Question]:
    """One question per image file.

    Raises:
        UsageError: a file cannot be read.
    """
    questions = []
    for file in files:
        try:
            questions.append(Question(str(file), file.read_bytes()))
        except OSError as error:
            raise UsageError(
                f"--image {file}: expected an image file. Received: {error.strerror}. "
                "Check its path and permissions."
            ) from None
    return questions


def from_last_run(store: Store, model: str, count: int) -> list[Question]:
    """`count` questions spread over the test split (else eval) that the model last met.

    Raises:
        UsageError: no run of `model` has examples.
    """
    with store.session() as session:
        execution = store.last_execution(session, model, "evaluator")
        record = execution.inputs.get("examples") if execution else None
    if record is None:
        raise UsageError(
            f"--sample: expected a finished run of {model!r}. Received: none under this root. "
            "Run it first, or ask about files with --image."
        )
    examples = Examples(record.uri)
    counts = examples.counts
    split = next((name for name in ("test", "eval") if counts.get(name)), examples.splits[0])
    step = max(1, counts[split] // count)
    records = itertools.chain.from_iterable(map(read_records, examples.files(split)))
    return [_question(decode(one)) for one in itertools.islice(records, 0, step * count, step)]


def ask(root: Root, model: str, questions: Sequence[Question], target: str) -> Answers:
    """Ask the server at `target`, or one started for this, about each question.

    Raises:
        UsageError: there is nothing to ask, or no such model has been pushed.
    """
    if not questions:
        raise UsageError(
            "predict: expected images. Received: none. Give --image FILE… or --sample N."
        )
    with _server(root, model, target) as address, Client(address) as client:
        images = [question.image for question in questions]
        outputs = client.predict(model, {"image_bytes": images})
    answers = tuple(
        _answer(question, {name: values[row] for name, values in outputs.items()})
        for row, question in enumerate(questions)
    )
    return Answers(model, target or "embedded", answers)


@contextlib.contextmanager
def _server(root: Root, model: str, target: str) -> Iterator[str]:
    if target:
        yield target
        return
    check_pushed(root, model)
    with launch(root.serving / model, model) as server:
        yield server.target


def _question(features: dict[str, Any]) -> Question:
    name, truth = (features[key][0].decode() for key in ("image/filename", "image/class/text"))
    return Question(name, features["image/encoded"][0], truth)


def _answer(question: Question, row: dict[str, Any]) -> Answer:
    pairs = sorted(
        zip(row["classes"], row["scores"], strict=True), key=lambda pair: pair[1], reverse=True
    )
    scores = {name.decode(): float(score) for name, score in pairs}
    return Answer(question, row["class"].decode(), float(row["score"]), scores)
