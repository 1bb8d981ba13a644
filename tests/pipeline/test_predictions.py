"""Answers of every kind of model: sorted, beside the truth, as a table or as JSON."""

import contextlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from millrace.components.artifacts import Rejected
from millrace.pipeline import predictions
from millrace.pipeline.cli.app import tell
from millrace.pipeline.errors import UsageError
from millrace.pipeline.questions import Question
from millrace.serving.client import Prediction
from millrace.serving.errors import NotFoundError
from millrace.serving.signature import Signature, TensorInfo


def signature(name="serving_default", **inputs):
    tensors = {alias: TensorInfo(alias, *tensor) for alias, tensor in inputs.items()}
    return Signature(name, "tensorflow/serving/predict", tensors, {}, {}, None)


TEXTS = ("string", (None,))
SCALARS = {"length": ("int32", ()), "temperature": ("float32", ())}
SIGNATURES = {
    "images": [signature(image_bytes=TEXTS)],
    "prices": [signature(rooms=("float32", (None,)), place=TEXTS)],
    "future": [signature(window=("float32", (None, 3, 1)))],
    "poet": [
        signature(prompt=TEXTS, **SCALARS),
        signature("generate", prompt=TEXTS, **SCALARS, seed=("int32", ())),
    ],
}


class Server:
    """Stands in for a client of models whose answers follow from what they are asked."""

    asked = None

    def __init__(self, target):
        self.target = target

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def metadata(self, model, version=None):
        return SimpleNamespace(
            signatures={one.name: one for one in SIGNATURES[model.removeprefix("sure_")]}
        )

    def predict(self, model, inputs, signature, version=None):
        Server.asked = {name: array.tolist() for name, array in inputs.items()} | {"as": signature}
        return Prediction(getattr(self, model)(inputs), version or 7)

    def images(self, inputs):
        count = len(inputs["image_bytes"])
        return {
            "class": np.array([b"bee"] * count, object),
            "score": np.array([0.75] * count),
            "scores": np.array([[0.25, 0.75]] * count),
            "classes": np.array([[b"ant", b"bee"]] * count, object),
        }

    def prices(self, inputs):
        return {"prediction": 2 * inputs["rooms"]}

    def sure_prices(self, inputs):
        found = 2 * inputs["rooms"]
        off = np.array([1.5, 4.0])
        around = {
            "prediction_lower": found[:, None] - off,
            "prediction_upper": found[:, None] + off,
        }
        return {"prediction": found, **around}

    def sure_future(self, inputs):
        found = self.future(inputs)["forecast"]
        off = np.array([1.5, 4.0])
        lower, upper = found[..., None] - off, found[..., None] + off
        return {"forecast": found, "forecast_lower": lower, "forecast_upper": upper}

    def future(self, inputs):
        last = inputs["window"][:, -1:, :]
        return {"forecast": np.concatenate([last, last + 1], axis=1)}

    def poet(self, inputs):
        return {"text": np.array([text + b" and on" for text in inputs["prompt"]], object)}


@pytest.fixture
def ask(toy, monkeypatch):
    monkeypatch.setattr(predictions, "Client", Server)

    def run(model, *asked, **given):
        return predictions.ask(toy.root, model, asked, "host:1", **given)

    return run


def shown(answers, capsys):
    answers.show(Console(width=200))
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_a_classifiers_answers_hold_the_likeliest_class_first_and_the_truth(ask, capsys):
    answers = ask(
        "images",
        Question("1.png", {"image/encoded": [b"1"]}, "bee"),
        Question("2.png", {"image/encoded": [b"2"]}, "ant"),
    )
    told = answers.as_json()["predictions"]
    assert list(told[0]["scores"].items()) == [("bee", 0.75), ("ant", 0.25)]
    assert [one["truth"] for one in told] == ["bee", "ant"]
    assert shown(answers, capsys) == [
        ["input", "answer", "score", "truth", "verdict"],
        ["1.png", "bee", "0.750", "bee", "right"],
        ["2.png", "bee", "0.750", "ant", "WRONG"],
    ]


def test_a_regressors_answer_stands_beside_the_truth_with_the_difference(ask, capsys):
    answers = ask(
        "prices", Question("row 1", {"rooms": "3"}, 5.0), Question("row 2", {"rooms": "4"})
    )
    assert shown(answers, capsys)[1:] == [
        ["row 1", "6", "5", "+1"],
        ["row 2", "8", "", ""],
    ]
    assert Server.asked["place"] == [b"", b""]


def test_a_forecast_has_a_line_per_step(ask, capsys):
    known = Question("north", {"window": np.array([1, 2, 3], np.float32)}, [3.5, 4.5])
    answers = ask("future", known)
    assert shown(answers, capsys) == [
        ["window", "step", "forecast", "truth"],
        ["north", "+1", "3", "3.5"],
        ["north", "+2", "4", "4.5"],
    ]
    lacking = Question("south", {"window": np.array([1, 2, 3], np.float32)}, [None, 4.5])
    assert shown(ask("future", lacking), capsys)[1] == ["south", "+1", "3", "not known"]
    late = [lambda signature: [Question("x", {"window": np.array([4, 5, 6], np.float32)})]]
    assert shown(ask("future", late=late), capsys)[1:] == [["x", "+1", "6"], ["x", "+2", "7"]]


def test_a_forecast_whose_times_are_known_is_told_by_them(ask, capsys):
    numbers = {"window": np.array([1, 2, 3], np.float32)}
    answers = ask("future", Question("north", numbers, times=("Mon", "Tue")))
    assert answers.as_json()["predictions"] == [
        {"input": "north", "forecast": [[3.0], [4.0]], "times": ["Mon", "Tue"]}
    ]
    assert shown(answers, capsys) == [
        ["window", "time", "forecast"],
        ["north", "Mon", "3"],
        ["north", "Tue", "4"],
    ]


def test_intervals_stand_beside_a_number_and_a_forecast(ask, capsys):
    answers = ask("sure_prices", Question("row 1", {"rooms": "3"}, 5.0))
    assert shown(answers, capsys) == [
        ["input", "answer", "80 %", "95 %", "truth", "verdict"],
        ["row 1", "6", "4.5 to 7.5", "2 to 10", "5", "+1"],
    ]
    known = Question("north", {"window": np.array([1, 2, 3], np.float32)}, [3.5, 4.5])
    assert shown(ask("sure_future", known), capsys) == [
        ["window", "step", "forecast", "80 %", "95 %", "truth"],
        ["north", "+1", "3", "1.5 to 4.5", "-1 to 7", "3.5"],
        ["north", "+2", "4", "2.5 to 5.5", "0 to 8", "4.5"],
    ]


def test_what_was_set_aside_is_told_beside_the_answers(ask):
    bad = Rejected("a.csv", "no number", "line 3")
    late = [lambda signature: [bad, Question("line 2", {"rooms": "3"})]]
    told = ask("prices", late=late).as_json()
    assert [one["input"] for one in told["predictions"]] == ["line 2"]
    assert told["rejected"] == [{"source": "a.csv", "reason": "no number", "position": "line 3"}]


def test_a_generated_text_is_shown_as_it_is(ask, capsys):
    answers = ask("poet", Question("p", {"text": [b"On [and]\non"]}))
    answers.show(Console(width=10))
    assert capsys.readouterr().out == "On [and]\non and on\n"
    assert Server.asked == {
        "prompt": [b"On [and]\non"],
        "length": 60,
        "temperature": pytest.approx(0.7),
        "as": "serving_default",
    }


def test_a_seed_asks_the_signature_that_takes_one(ask):
    ask("poet", Question("p", {"text": [b"On"]}), scalars={"seed": 7, "length": 5, "top_k": None})
    assert (Server.asked["as"], Server.asked["seed"], Server.asked["length"]) == ("generate", 7, 5)


def test_a_generators_option_is_refused_by_other_models(ask):
    with pytest.raises(UsageError, match=r"--top-k: expected a model that generates text\. Rec"):
        ask("images", scalars={"top_k": 3})


@pytest.mark.parametrize(
    ("model", "asked", "message"),
    [
        ("images", [], "takes: image_bytes. Received: nothing. Ask by --image FILE."),
        ("poet", [Question("a", {"image/encoded": [b""]})], "Received: image/encoded. Ask by --pr"),
        ("prices", [], "takes: rooms, place. Received: nothing. Ask by column=value … or --csv"),
        (
            "prices",
            [Question("a", {"rooms": "3", "plaice": "x"}, is_typed=True)],
            "takes no 'plaice'. Did you mean `place`?",
        ),
        (
            "prices",
            [Question("a", {"rooms": "many"})],
            "rooms: expected a number. Received: 'many'",
        ),
    ],
)
def test_a_question_that_the_model_does_not_take_is_refused(ask, model, asked, message):
    with pytest.raises(UsageError) as caught:
        ask(model, *asked)
    assert message in str(caught.value)


def test_a_model_that_the_server_lacks_is_told_with_its_words_and_those_that_are_pushed(
    toy, ask, monkeypatch
):
    def metadata(self, model, version=None):
        raise NotFoundError(f"Servable not found for request: Latest({model})")

    monkeypatch.setattr(Server, "metadata", metadata)
    for model in ("flowers", "birds"):
        (toy.root.serving / model / "1").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        ask("flower", Question("x", {"rooms": "3"}))
    assert str(caught.value) == (
        "predict --target host:1: expected the name of a model that this server has. Received: "
        "'flower'. The server: Servable not found for request: Latest(flower). Pushed under "
        f"{toy.root.path}: birds, flowers. Give the name that the server was started with "
        "(--model_name, or in its --model_config_file), or serve it: `millrace serve`."
    )


def test_a_person_is_told_what_a_server_started_for_the_question_takes_its_time_for(
    toy, monkeypatch
):
    told = []

    @contextlib.contextmanager
    def launch(*_):
        assert told == ["importing TensorFlow"]
        yield SimpleNamespace(target="host:1")

    monkeypatch.setattr(predictions, "Client", Server)
    monkeypatch.setattr(predictions, "launch", launch)
    (toy.root.serving / "prices" / "1").mkdir(parents=True)
    asked = [Question("x", {"rooms": "3", "place": "here"})]
    for target in ("", "host:1"):
        answers = predictions.ask(toy.root, "prices", asked, target, tell=told.append)
        assert answers[0]["prediction"] == 6.0
    assert told == ["importing TensorFlow"]


@pytest.mark.parametrize(("looks", "shown"), [(True, "importing\n"), (False, "")])
def test_progress_is_shown_on_standard_error_where_a_person_looks(
    capsys, monkeypatch, looks, shown
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: looks)
    tell("importing")
    assert capsys.readouterr() == ("", shown)
