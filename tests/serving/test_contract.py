"""The server's answers, codes and texts, requested with TensorFlow Serving's own stubs."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import any_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from millrace.serving.grpc_server import servicer

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def predict_request(signature="", *, model="half", version=None, label=None, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return request


def example(x):
    record = tf.train.Example()
    record.features.feature["x"].float_list.value.append(x)
    return record


def example_request(kind, signature, *values):
    request = kind()
    request.model_spec.name = "half"
    request.model_spec.signature_name = signature
    request.input.example_list.examples.extend(map(example, values))
    return request


def refusal(method, request):
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=20)
    return caught.value.code().name, caught.value.details()


def floats(*values):
    return np.array(values, np.float32)


# Predict


def test_predict_answers_in_typed_fields_and_names_the_effective_model(stub):
    response = stub.Predict(predict_request(x=[1.0, 5.0]))
    assert list(response.outputs) == ["y"]
    assert list(response.outputs["y"].float_val) == [2.5, 4.5]
    assert response.outputs["y"].tensor_content == b""
    assert tf.make_ndarray(response.outputs["y"]).shape == (2,)
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half", 123, "serving_default")


@pytest.mark.parametrize(("spec", "version"), [({"version": 7}, 7), ({"label": "stable"}, 7)])
def test_predict_answers_from_the_requested_version(stub, spec, version):
    assert stub.Predict(predict_request(x=[1.0], **spec)).model_spec.version.value == version


def test_strings_and_tables_are_served(stub):
    response = stub.Predict(predict_request("look_up", word=["one", "ten"]))
    assert list(response.outputs["value"].float_val) == [1.0, -1.0]
    assert list(response.outputs["word"].string_val) == [b"ONE", b"TEN"]


def test_an_output_filter_selects_outputs(stub):
    request = predict_request("multiply", a=np.ones((2, 2), "f4"), b=np.ones((2, 3), "f4"))
    request.output_filter.append("rows")
    assert list(stub.Predict(request).outputs) == ["rows"]


def test_an_input_with_a_default_may_be_left_out(stub):
    assert list(stub.Predict(predict_request("biased", x=[1.0])).outputs["y"].float_val) == [2.5]
    given = stub.Predict(predict_request("biased", x=[1.0], bias=floats(0)[0]))
    assert list(given.outputs["y"].float_val) == [0.5]


PREDICT_REFUSALS = {
    "no model_spec": (
        predict_pb2.PredictRequest(),
        ("INVALID_ARGUMENT", "Missing ModelSpec"),
    ),
    "empty name": (
        predict_request(model=""),
        ("INVALID_ARGUMENT", "ModelSpec has no name specified."),
    ),
    "unknown model": (
        predict_request(model="none"),
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    "unknown version": (
        predict_request(version=8),
        ("NOT_FOUND", "Servable not found for request: Specific(half, 8)"),
    ),
    "unknown label": (
        predict_request(label="canary"),
        ("INVALID_ARGUMENT", "Unrecognized servable version label: canary"),
    ),
    "label of an unknown model": (
        predict_request(model="none", label="canary"),
        ("INVALID_ARGUMENT", "Unrecognized servable version label: canary"),
    ),
    "unknown signature": (
        predict_request("S"),
        ("FAILED_PRECONDITION", 'Serving signature key "S" not found.'),
    ),
    "extra input": (
        predict_request(x=[1.0], z=[2.0]),
        (
            "INVALID_ARGUMENT",
            "input size does not match signature: 2!=1 len({x,z}) != len({x}). "
            "Sent extra: {z}. Missing but required: {}.",
        ),
    ),
    "missing input": (
        predict_request("multiply", a=[1.0]),
        (
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
            "Sent extra: {}. Missing but required: {b}.",
        ),
    ),
    "wrong name": (
        predict_request(z=[1.0]),
        (
            "INVALID_ARGUMENT",
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and "
            "no default value provided. Inputs expected to be in the request {z}, "
            "or default input alias set: ",
        ),
    ),
    "wrong name beside a default": (
        predict_request("biased", z=[1.0]),
        (
            "INVALID_ARGUMENT",
            "Signature input alias: x(feed name: biased_x:0) not found in request and "
            "no default value provided. Inputs expected to be in the request {z}, "
            "or default input alias set: bias",
        ),
    ),
    "another name where a default would do": (
        predict_request("biased", x=[1.0], z=[1.0]),
        (
            "INVALID_ARGUMENT",
            "Inputs contains invalid name. Used request inputs: x, request input: x,z",
        ),
    ),
    "wrong dtype": (
        predict_request(x=np.array([1.0])),
        ("INVALID_ARGUMENT", "Expects arg[0] to be float but double is provided"),
    ),
    "text for a number": (
        predict_request(x=[b"1"]),
        ("INVALID_ARGUMENT", "Expects arg[0] to be float but string is provided"),
    ),
}


@pytest.mark.parametrize("case", PREDICT_REFUSALS)
def test_predict_refuses_with_the_real_servers_text(stub, case):
    request, expected = PREDICT_REFUSALS[case]
    assert refusal(stub.Predict, request) == expected


def test_a_signature_that_names_an_operation_is_refused_as_a_session_does(stub):
    assert refusal(stub.Predict, predict_request("__saved_model_init_op")) == (
        "INVALID_ARGUMENT",
        "Tensor NoOp, specified in either feed_devices or fetch_devices was not found in the Graph",
    )


def test_a_wrong_shape_gets_the_kernels_own_text(stub):
    request = predict_request("multiply", a=np.ones((2, 2), "f4"), b=np.ones((3, 3), "f4"))
    code, text = refusal(stub.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("Matrix size-incompatible: In[0]: [2,2], In[1]: [3,3]\n\t [[{{node ")


def test_a_shape_that_the_kernels_accept_is_served_even_if_the_signature_differs(stub):
    request = predict_request("multiply", a=np.ones((1, 5), "f4"), b=np.ones((5, 1), "f4"))
    assert list(stub.Predict(request).outputs["product"].float_val) == [5.0]


def bad_tensors():
    content = predict_request(x=[1.0])
    content.inputs["x"].ClearField("float_val")
    content.inputs["x"].tensor_content = b"\0\0\0"
    dtype = predict_request(x=[1.0])
    dtype.inputs["x"].dtype = 0
    rank = predict_request(x=[1.0])
    rank.inputs["x"].tensor_shape.unknown_rank = True
    size = predict_request(x=[1.0])
    size.inputs["x"].tensor_shape.dim[0].size = -1
    return {"content": content, "dtype": dtype, "rank": rank, "size": size}


@pytest.mark.parametrize("case", bad_tensors())
def test_a_tensor_that_does_not_parse_is_named(stub, case):
    expected = ("INVALID_ARGUMENT", "tensor parsing error: x")
    assert refusal(stub.Predict, bad_tensors()[case]) == expected


def test_invalid_output_filters_are_refused(stub):
    unknown, twice = predict_request(x=[1.0]), predict_request(x=[1.0])
    unknown.output_filter.append("q")
    twice.output_filter.extend(["y", "y"])
    assert refusal(stub.Predict, unknown) == (
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: q Outputs expected to be in the set {y}.",
    )
    assert refusal(stub.Predict, twice) == (
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    )


def test_the_callers_deadline_ends_the_run(stub, client):
    request = predict_request("count", n=np.int32(2**31 - 1))
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request, timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert client.predict("half", {"x": [1.0]}, timeout=5)["y"] == 2.5


def test_messages_over_four_mebibytes_pass_both_ways(stub):
    x = np.ones(3_000_000, np.float32)
    response = stub.Predict(predict_request(x=x))
    assert (tf.make_ndarray(response.outputs["y"]) == 2.5).all()


# Classify, Regress, MultiInference


def test_classify_answers_labels_and_scores(stub):
    response = stub.Classify(
        example_request(classification_pb2.ClassificationRequest, "classify", 1.0, 3.0)
    )
    found = [[(c.label, c.score) for c in one.classes] for one in response.result.classifications]
    assert found == [[("up", 1.0), ("down", -1.0)], [("up", 3.0), ("down", -3.0)]]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half", 123, "classify")


def test_regress_answers_one_value_an_example(stub):
    response = stub.Regress(example_request(regression_pb2.RegressionRequest, "regress", 1.0, 3.0))
    assert [one.value for one in response.result.regressions] == [2.5, 3.5]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half", 123, "regress")


def test_context_features_come_before_each_examples_own(stub):
    request = example_request(regression_pb2.RegressionRequest, "regress")
    shared = request.input.example_list_with_context
    shared.context.CopyFrom(example(5.0))
    shared.examples.extend([tf.train.Example(), example(1.0)])
    values = [one.value for one in stub.Regress(request).result.regressions]
    assert values == [4.5, 2.5]


EXAMPLE_REFUSALS = {
    "unknown signature": (
        "S",
        [1.0],
        "INVALID_ARGUMENT",
        "No signature was found with the name: S",
    ),
    "default signature": (
        "",
        [1.0],
        "FAILED_PRECONDITION",
        'No {kind} inputs found in SignatureDef: inputs {{\n  key: "x"\n  value {{\n',
    ),
    "empty list": ("{own}", [], "INVALID_ARGUMENT", "Input is empty."),
}


@pytest.mark.parametrize("case", EXAMPLE_REFUSALS)
@pytest.mark.parametrize("own", ["classify", "regress"])
def test_classify_and_regress_refuse_with_the_real_servers_text(stub, case, own):
    kinds = {
        "classify": (classification_pb2.ClassificationRequest, stub.Classify, "classification"),
        "regress": (regression_pb2.RegressionRequest, stub.Regress, "regression"),
    }
    message, method, kind = kinds[own]
    signature, values, expected, text = EXAMPLE_REFUSALS[case]
    request = example_request(message, signature.format(own=own), *values)
    code, details = refusal(method, request)
    assert code == expected
    assert details.startswith(text.format(kind=kind))


def test_an_example_that_lacks_a_feature_gets_the_kernels_text(stub):
    request = example_request(regression_pb2.RegressionRequest, "regress")
    request.input.example_list.examples.add()
    code, text = refusal(stub.Regress, request)
    assert code == "INVALID_ARGUMENT"
    assert "Feature: x (data type: float) is required but could not be found." in text


def test_bytes_that_are_not_an_example_get_the_kernels_text(channel):
    head = example_request(regression_pb2.RegressionRequest, "regress").SerializeToString()
    example_list = b"\n\x02\xc5\xff"  # one Example, two bytes that stock messages refuse
    kind = b"\n" + bytes([len(example_list)]) + example_list
    request = head + b"\x12" + bytes([len(kind)]) + kind
    ask = channel.unary_unary(f"/{servicer.PREDICTION_SERVICE}/Regress")
    code, text = refusal(ask, request)
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("Could not parse example input, value: '")


def multi(*tasks, values=(1.0,)):
    request = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = model, signature
    request.input.example_list.examples.extend(map(example, values))
    return request


def test_multi_inference_gives_every_signature_the_same_examples(stub):
    tasks = (("half", "classify", CLASSIFY), ("half", "regress", REGRESS))
    first, second = stub.MultiInference(multi(*tasks, values=(1.0, 3.0))).results
    rows = first.classification_result.classifications
    assert [[one.score for one in row.classes] for row in rows] == [[1.0, -1.0], [3.0, -3.0]]
    assert [one.value for one in second.regression_result.regressions] == [2.5, 3.5]
    names = [one.model_spec.signature_name for one in (first, second)]
    assert names == ["classify", "regress"]


def test_multi_inference_answers_each_task(stub):
    response = stub.MultiInference(multi(("half", "regress", REGRESS), values=(1.0, 3.0)))
    (result,) = response.results
    assert [one.value for one in result.regression_result.regressions] == [2.5, 3.5]
    assert (result.model_spec.signature_name, result.model_spec.version.value) == ("regress", 123)


@pytest.mark.parametrize(
    ("tasks", "code", "text"),
    [
        ([], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            [("half", "regress", REGRESS), ("", "classify", CLASSIFY)],
            "INVALID_ARGUMENT",
            "Found ModelSpec with an empty model name.",
        ),
        (
            [("half", "regress", REGRESS), ("other", "classify", CLASSIFY)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("half", "regress", REGRESS), ("half", "regress", REGRESS)],
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress",
        ),
        (
            [("half", "S", REGRESS)],
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: S",
        ),
        (
            [("half", "regress", "other")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: other",
        ),
    ],
)
def test_multi_inference_refuses_with_the_real_servers_text(stub, tasks, code, text):
    assert refusal(stub.MultiInference, multi(*tasks)) == (code, text)


# GetModelMetadata, GetModelStatus, health


def metadata_request(*fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = "half"
    return request


def test_metadata_holds_the_signatures_under_the_real_type(stub):
    response = stub.GetModelMetadata(metadata_request("signature_def"))
    packed = response.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    found = get_model_metadata_pb2.SignatureDefMap()
    assert any_pb2.Any(type_url=packed.type_url, value=packed.value).Unpack(found)
    info = found.signature_def["serving_default"].inputs["x"]
    assert (info.name, info.dtype, info.tensor_shape.dim[0].size) == ("serving_default_x:0", 1, -1)
    assert found.signature_def["classify"].method_name == CLASSIFY
    assert (response.model_spec.name, response.model_spec.version.value) == ("half", 123)
    assert response.model_spec.signature_name == ""


def test_metadata_fields_are_checked(stub):
    assert refusal(stub.GetModelMetadata, metadata_request()) == (
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    assert refusal(stub.GetModelMetadata, metadata_request("x")) == (
        "INVALID_ARGUMENT",
        "Metadata field %s is not supportedx",
    )
    assert refusal(stub.GetModelMetadata, get_model_metadata_pb2.GetModelMetadataRequest()) == (
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    )


def status_request(model, version=None, label=None):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return request


@pytest.mark.parametrize(
    ("version", "label", "found"), [(None, None, [123, 7]), (7, None, [7]), (None, "x", [123, 7])]
)
def test_status_lists_versions_the_highest_first_and_ignores_labels(
    model_stub, version, label, found
):
    statuses = model_stub.GetModelStatus(status_request("half", version, label))
    assert [one.version for one in statuses.model_version_status] == found
    for one in statuses.model_version_status:
        assert (one.state, one.status.error_code, one.status.error_message) == (30, 0, "")


def test_the_status_of_unknown_models_is_not_found(model_stub):
    assert refusal(model_stub.GetModelStatus, status_request("none")) == (
        "NOT_FOUND",
        "Could not find any versions of model none",
    )
    assert refusal(model_stub.GetModelStatus, status_request("half", 8)) == (
        "NOT_FOUND",
        "Could not find version 8 of model half",
    )
    assert refusal(model_stub.GetModelStatus, get_model_status_pb2.GetModelStatusRequest()) == (
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    )


def test_long_status_texts_are_cut_at_1024_bytes(stub):
    assert servicer.truncate("a" * 1024) == "a" * 1024
    assert servicer.truncate("a" * 1025) == "a" * 1024 + "...TRUNCATED"
    assert servicer.truncate("é" * 513) == "é" * 512 + "...TRUNCATED"
    code, text = refusal(stub.Predict, predict_request("S" * 2000))
    assert code == "FAILED_PRECONDITION"
    assert text == 'Serving signature key "' + "S" * 1001 + "...TRUNCATED"
