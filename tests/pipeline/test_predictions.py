"""Questions spread over the test split, answers sorted and beside the truth."""

import numpy as np
import pytest
from rich.console import Console

from pipeline import predictions
from pipeline.dag import Dag
from pipeline.errors import UsageError
from pipeline.predictions import Question
from pipeline.runner import Runner
from tests.pipeline import toys


class TwoClasses:
    """Stands in for a client: every image is an ant, by three to one."""

    def __init__(self, target):
        self.target = target

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def predict(self, model, inputs):
        count = len(inputs["image_bytes"])
        return {
            "class": np.array([b"bee"] * count, object),
            "score": np.array([0.75] * count),
            "scores": np.array([[0.25, 0.75]] * count),
            "classes": np.array([[b"ant", b"bee"]] * count, object),
        }


def test_a_sample_is_spread_over_the_test_split(toy):
    dag = Dag("toy")
    dag.step(toys.score, step_name="evaluator", examples=dag.step(toys.records))
    Runner(dag, toy.root, toy.store, toy.observer).run(recipe="toy", arguments={})
    questions = predictions.from_last_run(toy.store, "toy", 3)
    assert [one.name for one in questions] == ["0.png", "3.png", "6.png"]
    assert questions[1] == Question("3.png", b"3", "ant")
    assert len(predictions.from_last_run(toy.store, "toy", 99)) == 10


def test_a_model_without_a_run_has_no_sample(toy):
    with pytest.raises(UsageError, match=r"--sample: expected a finished run of 'toy'"):
        predictions.from_last_run(toy.store, "toy", 3)


def test_answers_hold_the_likeliest_class_first_and_the_truth(toy, monkeypatch, capsys):
    monkeypatch.setattr(predictions, "Client", TwoClasses)
    questions = [Question("1.png", b"1", "bee"), Question("2.png", b"2", "ant")]
    answers = predictions.ask(toy.root, "m", questions, "host:1")
    told = answers.as_json()["predictions"]
    assert list(told[0]["scores"].items()) == [("bee", 0.75), ("ant", 0.25)]
    assert [one["truth"] for one in told] == ["bee", "ant"]
    answers.show(Console(width=200))
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == [
        ["1.png", "bee", "0.750", "bee", "right"],
        ["2.png", "bee", "0.750", "ant", "WRONG"],
    ]


def test_nothing_to_ask_is_refused(toy):
    with pytest.raises(UsageError, match=r"predict: expected images\. Received: none"):
        predictions.ask(toy.root, "m", [], "host:1")
