"""The candidate behind a real server: what blesses it, and what speaks against it."""

import json
import shutil
import stat
from types import SimpleNamespace

import numpy as np
import pytest
from etils.epath import Path

from millrace.components import infra_validator as module
from millrace.components.artifacts import Model
from millrace.components.errors import DataError
from millrace.components.inference import serving_checks
from millrace.components.inference.serving_checks import Findings, Served, compare
from millrace.components.infra_validator import infra_validator
from millrace.serving import example
from millrace.serving.model import LoadedModel
from tests.components import classifiers


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    splits = {
        "train": [classifiers.record(9, "dark", "train.png")],
        "eval": [classifiers.record(30 * n, "grey", f"e{n}.png") for n in range(7)],
    }
    splits["eval"][2]["image/encoded"] = b"no image"
    return classifiers.write_examples(tmp_path_factory.mktemp("examples"), splits)


@pytest.fixture
def validate(tmp_path, examples):
    def run(model, records=examples, **options):
        out = Path(tmp_path / "out")
        out.mkdir()
        return infra_validator(model, records, out, **options)

    return run


@pytest.fixture(scope="module")
def loaded(grey_model):
    with LoadedModel(grey_model.saved_model) as model:
        yield model


class FakeClient:
    """Answers out of this process, through `twist` where a test wants it wrong."""

    def __init__(self, model, twist=None, state="AVAILABLE", version=1):
        self.model, self.twist = model, twist or (lambda outputs: outputs)
        self.state, self.version = state, version

    def status(self, name):
        return [SimpleNamespace(version=self.version, state=self.state)]

    def metadata(self, name):
        return SimpleNamespace(version=self.version, signatures=self.model.signatures)

    def predict(self, name, inputs, signature):
        return self.twist(self.model.predict(inputs, signature=signature))

    def classify(self, name, records, signature):
        found = self.model.predict({"inputs": records}, signature=signature)
        rows = zip(found["classes"], self.twist(found)["scores"], strict=True)
        return [
            [SimpleNamespace(label=c.decode(), score=s) for c, s in zip(*row, strict=True)]
            for row in rows
        ]


def check(loaded, records, **fake):
    served = Served(FakeClient(loaded, **fake), "candidate", 1, loaded, tolerance=1e-4)
    return serving_checks.check_all(served, records)


RECORDS = [example.encode(classifiers.record(mean, "grey", f"{mean}.png")) for mean in (30, 130)]


def test_a_sound_model_is_blessed_by_the_embedded_server(validate, grey_model):
    blessing = validate(grey_model, requests=6, engine="embedded")
    reasons = blessing.reasons
    assert reasons[0] == "served by engine 'embedded', 6 rows of split 'eval'"
    assert reasons[1].startswith("record 1 (e2.png) was not sent: Unknown image file format")
    assert [reason.split(":")[0] for reason in reasons[2:]] == [
        "Predict together",
        "Predict one by one",
        "Classify classification",
    ]
    assert blessing.blessed
    assert (blessing.path / "server.log").exists()


def test_a_server_that_ends_at_once_speaks_against_the_model(validate, grey_model, tmp_path):
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho cannot bind; exit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    blessing = validate(grey_model, binary=str(program))  # a named program is taken
    assert not blessing.blessed
    assert "it ended with status 3" in blessing.reasons[0]
    assert "cannot bind" in blessing.reasons[0]
    assert blessing.reasons[1] == "served by engine 'binary', 7 rows of split 'eval'"
    assert (blessing.path / "server.log").read_text() == "cannot bind\n"


def test_a_program_that_is_not_there_speaks_against_the_model(validate, grey_model):
    blessing = validate(grey_model, engine="binary", binary="no_such_server")
    assert not blessing.blessed
    assert "expected the program no_such_server on the PATH" in blessing.reasons[0]


def test_a_folder_that_is_no_model_speaks_against_it_without_a_server(validate, tmp_path):
    model = Model(Path(tmp_path / "broken"))
    model.saved_model.mkdir(parents=True)
    (model.saved_model / "saved_model.pb").write_bytes(b"not a SavedModel")
    blessing = validate(model, engine="embedded")
    assert not blessing.blessed
    assert "expected a SavedModel with tags {serve}" in blessing.reasons[0]


@pytest.mark.parametrize(
    ("engine", "binary", "installed", "chosen"),
    [
        ("auto", "tensorflow_model_server", False, "embedded"),
        ("auto", "tensorflow_model_server", True, "binary"),
        ("auto", "/opt/server", False, "binary"),
        ("embedded", "tensorflow_model_server", True, "embedded"),
        ("image", "tensorflow_model_server", True, "image"),
    ],
)
def test_the_binary_is_taken_where_it_is_installed_or_named(
    monkeypatch, engine, binary, installed, chosen
):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if installed else None)
    assert module._engine(engine, binary) == chosen


def test_requests_come_from_eval_else_test_else_train(tmp_path, examples):
    one, two = ([classifiers.record(9, "dark", name)] for name in "ab")
    assert module._records(examples, 3)[0] == "eval"
    for number, (splits, chosen) in enumerate(
        [
            ({"train": one, "test": two}, "test"),
            ({"test": one, "eval": two}, "eval"),
            ({"train": one, "eval": []}, "train"),
            ({"night": one}, "night"),
        ]
    ):
        written = classifiers.write_examples(tmp_path / str(number), splits)
        assert module._records(written, 3) == (chosen, [example.encode(splits[chosen][0])])


def test_examples_without_records_are_refused(validate, grey_model, tmp_path):
    empty = classifiers.write_examples(tmp_path / "empty", {"eval": []})
    with pytest.raises(DataError, match=r"expected at least one record .*splits eval\. Add"):
        validate(grey_model, empty)


def test_the_same_answers_raise_no_objection(loaded):
    findings = check(loaded, RECORDS)
    assert findings.objections == ()
    assert "Classify classification: largest difference 0" in findings.remarks


def test_other_scores_speak_against_the_model(loaded):
    findings = check(loaded, RECORDS, twist=lambda out: out | {"scores": out["scores"] + 0.01})
    assert [each.split(":")[0] for each in findings.objections] == [
        "Predict together, output 'scores'",
        "Predict one by one, output 'scores'",
        "Classify classification, output 'scores'",
    ]
    assert findings.objections[0].endswith("expected 0.0001 apart at most. Received: 0.01")


def test_a_class_that_is_not_among_the_models_speaks_against_it(loaded):
    def renamed(outputs):
        return outputs | {"class": np.array([b"mauve"] * len(outputs["scores"]), object)}

    objections = check(loaded, RECORDS, twist=renamed).objections
    assert objections[0] == (
        "Predict, output 'class': expected known classes. Received: [b'mauve']"
    )
    assert objections[1].startswith("Predict together, output 'class': expected b'dark'.")


def test_a_version_that_is_not_available_speaks_against_the_model(loaded):
    (objection,) = check(loaded, RECORDS, state="LOADING").objections
    assert objection == "GetModelStatus: expected version 1 AVAILABLE. Received: {1: 'LOADING'}"


def test_another_version_speaks_against_the_model(loaded):
    objections = check(loaded, RECORDS, version=2).objections
    assert objections[1] == "GetModelMetadata: expected version 1. Received: 2"


def test_other_signatures_speak_against_the_model(loaded):
    client = FakeClient(loaded)
    client.metadata = lambda name: SimpleNamespace(version=1, signatures={})
    served = Served(client, "candidate", 1, loaded, tolerance=1e-4)
    objections = serving_checks.check_metadata(served).objections
    assert len(objections) == len(loaded.signatures)
    assert any(
        "'serving_default': expected tensorflow/serving/predict: image_bytes string (None,) -> "
        in each
        and each.endswith("Received: no such signature")
        for each in objections
    )


def test_a_model_without_a_classify_signature_is_not_asked_to(loaded):
    only = {"serving_default": loaded.signatures["serving_default"]}
    served = Served(None, "candidate", 1, SimpleNamespace(signatures=only), tolerance=1e-4)
    assert serving_checks.check_classify(served, RECORDS) == Findings(
        remarks=("Classify: not called, the model has no signature for it",)
    )


def test_an_answer_that_is_not_finite_in_this_process_speaks_against_the_model(loaded):
    def predict(inputs, **options):
        outputs = loaded.predict(inputs, **options)
        outputs["scores"][0] = np.nan
        return outputs

    broken = SimpleNamespace(predict=predict, signatures=loaded.signatures)
    (objection,) = check(broken, RECORDS[:1]).objections[:1]
    assert objection == "record 0 (30.png) was not sent: the model's answer is not finite"


def test_records_without_the_models_input_are_not_sent(loaded):
    findings = check(loaded, [example.encode({"text": "words"})])
    assert findings.objections == ("no record could be sent",)
    assert findings.remarks[0].startswith("record 0 () was not sent: Input is empty")


@pytest.mark.parametrize(
    ("received", "objection"),
    [
        ({"a": np.array([1.0])}, "X: expected outputs ['a', 'b']. Received: ['a']"),
        (
            {"a": np.array([[1.0]]), "b": np.array([b"w"], object)},
            "X, output 'a': expected shape (1,). Received: (1, 1)",
        ),
        (
            {"a": np.array([np.nan]), "b": np.array([b"w"], object)},
            "X, output 'a': expected finite numbers. Received: [nan]",
        ),
        (
            {"a": np.array([1.0]), "b": np.array([b"v"], object)},
            "X, output 'b': expected b'w'. Received: b'v', and so for 1 of 1 values",
        ),
    ],
)
def test_what_differs_is_said(received, objection):
    expected = {"a": np.array([1.0]), "b": np.array([b"w"], object)}
    assert compare("X", expected, received, 1e-4).objections == (objection,)


def test_the_verdict_is_kept_as_json(validate, grey_model):
    blessing = validate(grey_model, engine="binary", binary="no_such_server")
    reasons = json.loads((blessing.path / "reasons.json").read_text())
    assert reasons == blessing.reasons
    assert blessing.properties() == {"blessed": False}
