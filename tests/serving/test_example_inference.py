"""Classify, Regress and MultiInference with a model made of arrays."""

import numpy as np
import pytest

from millrace.serving import example_inference, signature
from millrace.serving.errors import FailedPreconditionError, InvalidArgumentError
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.protos import signature_pb2
from millrace.serving.signature import CLASSIFY, REGRESS


class Table:
    """A model with given tensors; remembers its runs."""

    def __init__(self, signatures, **tensors):
        self.signatures = {name: signature.from_proto(name, p) for name, p in signatures.items()}
        self.tensors, self.runs = tensors, []

    def run(self, feeds, fetches, timeout):
        self.runs.append((feeds, fetches, timeout))
        return [self.tensors[name] for name in fetches]


def define(method, outputs, inputs=("inputs",)):
    proto = signature_pb2.SignatureDef(method_name=method)
    for alias in inputs:
        proto.inputs[alias].name = alias
    for alias in outputs:
        proto.outputs[alias].name = alias
    return proto


def classify(model, count=2):
    request = messages.ClassificationRequest()
    request.model_spec.signature_name = "c"
    request.input.example_list.examples.extend([b"e"] * count)
    return example_inference.classify(model, request).result


def regress(model, count=2):
    request = messages.RegressionRequest()
    request.model_spec.signature_name = "r"
    request.input.example_list.examples.extend([b"e"] * count)
    return example_inference.regress(model, request).result


LABELS = np.array([[b"a", b"b"], [b"c", b"d"]], object)
SCORES = np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)
VALUES = np.array([[1.5], [2.5]], np.float32)


def test_classes_alone_or_scores_alone_are_enough():
    labels = classify(Table({"c": define(CLASSIFY, ["classes"])}, classes=LABELS))
    assert [(c.label, c.score) for c in labels.classifications[0].classes] == [("a", 0), ("b", 0)]
    scores = classify(Table({"c": define(CLASSIFY, ["scores"])}, scores=SCORES))
    assert [(c.label, c.score) for c in scores.classifications[1].classes] == [("", 1), ("", 0)]


def test_regression_may_be_a_column_or_flat():
    for values in (VALUES, VALUES[:, 0]):
        result = regress(Table({"r": define(REGRESS, ["outputs"])}, outputs=values))
        assert [one.value for one in result.regressions] == [1.5, 2.5]


def test_multi_inference_is_one_run_over_one_input():
    signatures = {
        "c": define(CLASSIFY, ["classes", "scores"]),
        "r": define(REGRESS, ["outputs"]),
    }
    model = Table(signatures, classes=LABELS, scores=SCORES, outputs=VALUES)
    request = messages.MultiInferenceRequest()
    for name, method in (("c", CLASSIFY), ("r", REGRESS)):
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = "half", name
    request.input.example_list.examples.extend([b"one", b"two"])
    response = example_inference.multi_inference(model, request)
    ((feeds, fetches, _),) = model.runs
    assert feeds["inputs"].tolist() == [b"one", b"two"]
    assert fetches == ["classes", "scores", "outputs"]
    first, second = response.results
    assert first.model_spec.signature_name == "c"
    assert first.classification_result.classifications[1].classes[0].label == "c"
    assert second.regression_result.regressions[1].value == 2.5


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        (
            {"classes": LABELS[0], "scores": SCORES},
            "Expected Tensor shape: [batch_size num_classes] but got [2]",
        ),
        (
            {"classes": SCORES, "scores": SCORES},
            "Expected classes Tensor of DT_STRING. Got: DT_FLOAT",
        ),
        (
            {"classes": LABELS, "scores": SCORES.astype(np.float64)},
            "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE",
        ),
        (
            {"classes": LABELS[:1], "scores": SCORES},
            "Expected classes output batch size of 2. Got: 1",
        ),
        (
            {"classes": LABELS, "scores": SCORES[:, :1]},
            "Tensors class and score should match in dim_size(1). Got 2 vs. 1",
        ),
    ],
)
def test_invalid_classification_outputs_are_refused(tensors, text):
    with pytest.raises(InvalidArgumentError) as refusal:
        classify(Table({"c": define(CLASSIFY, ["classes", "scores"])}, **tensors))
    assert str(refusal.value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            SCORES,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            "but got [2,2]",
        ),
        (VALUES[:1], "Input batch size did not match output batch size: 2 vs. 1"),
        (VALUES.astype(int), "Expected output Tensor of DT_FLOAT.  Got: DT_INT64"),
    ],
)
def test_invalid_regression_outputs_are_refused(values, text):
    with pytest.raises(InvalidArgumentError) as refusal:
        regress(Table({"r": define(REGRESS, ["outputs"])}, outputs=values))
    assert str(refusal.value) == text


@pytest.mark.parametrize(
    ("proto", "error", "text"),
    [
        (
            define(CLASSIFY, ["scores"], ["inputs", "more"]),
            InvalidArgumentError,
            "Expected one input Tensor.",
        ),
        (
            define(CLASSIFY, ["classes", "scores", "more"]),
            InvalidArgumentError,
            "Expected one or two output Tensors, found 3",
        ),
        (
            define(CLASSIFY, ["scores"], ["x"]),
            FailedPreconditionError,
            "No classification inputs found in SignatureDef: inputs {",
        ),
        (
            define(CLASSIFY, ["y"]),
            FailedPreconditionError,
            "Expected classification signature outputs to contain at least one of "
            '"classes" or "scores". Signature was: inputs {',
        ),
    ],
)
def test_invalid_signatures_of_classify_are_refused(proto, error, text):
    with pytest.raises(error) as refusal:
        classify(Table({"c": proto}))
    assert str(refusal.value).startswith(text)


@pytest.mark.parametrize(
    ("proto", "error", "text"),
    [
        (
            define(REGRESS, ["outputs"], ["inputs", "more"]),
            InvalidArgumentError,
            "Expected one input Tensor.",
        ),
        (
            define(REGRESS, ["outputs", "more"]),
            InvalidArgumentError,
            "Expected one output Tensor.",
        ),
        (
            define(REGRESS, ["outputs"], ["x"]),
            FailedPreconditionError,
            "No regression inputs found in SignatureDef: inputs {",
        ),
        (
            define(REGRESS, ["y"]),
            FailedPreconditionError,
            "No regression outputs found in SignatureDef: inputs {",
        ),
    ],
)
def test_invalid_signatures_of_regress_are_refused(proto, error, text):
    with pytest.raises(error) as refusal:
        regress(Table({"r": proto}))
    assert str(refusal.value).startswith(text)
