"""The REST API over a real socket: Predict, Classify, Regress, status and metadata."""

import base64

import pytest

from tests.serving.rest.conftest import serve_rest


def b64(raw):
    return {"b64": base64.b64encode(raw).decode()}


# Predict


def test_rows_are_answered_as_predictions(rest):
    answer = rest.post("half:predict", {"instances": [1.0, 2.0, 5.0]})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text == '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'


def test_columns_are_answered_as_outputs(rest):
    assert rest.post("half:predict", {"inputs": [1.0, 5.0]}).json == {"outputs": [2.5, 4.5]}
    answer = rest.post("half:predict", {"inputs": {"x": [1.0]}})
    assert answer.json == {"outputs": [2.5]}


def test_several_outputs_are_objects_and_rows_must_agree(rest):
    body = {"signature_name": "multiply", "inputs": {"a": [[1, 2]], "b": [[1, 0, 0], [0, 1, 0]]}}
    answer = rest.post("half:predict", body)
    assert answer.json == {"outputs": {"product": [[1.0, 2.0, 0.0]], "rows": 1}}
    body = {"signature_name": "multiply", "instances": [{"a": [1, 2], "b": [1, 0, 0]}] * 2}
    assert rest.post("half:predict", body).error == (
        400,
        "Tensor name: rows has no shape information ",
    )


def test_text_and_bytes_go_in_and_come_out(rest):
    body = {"signature_name": "look_up", "instances": ["one", b64(b"two"), "ten"]}
    assert rest.post("half:predict", body).json == {
        "predictions": [
            {"value": 1.0, "word": "ONE"},
            {"value": 2.0, "word": "TWO"},
            {"value": -1.0, "word": "TEN"},
        ]
    }


def test_nan_and_infinity_are_read_and_written_bare(rest):
    answer = rest.post("half:predict", b'{"instances": [NaN, Infinity, -Infinity]}')
    assert answer.text == '{\n    "predictions": [NaN, Infinity, -Infinity\n    ]\n}'


def test_a_version_a_label_and_a_signature_may_be_given(rest):
    for path in ("half/versions/7", "half/versions/00000123", "half/labels/stable"):
        assert rest.post(f"{path}:predict", {"instances": [1.0]}).json == {"predictions": [2.5]}
    named = {"signature_name": "serving_default", "instances": [1.0]}
    assert rest.post("half:predict", named).status == 200


def test_paths_are_case_insensitive_and_names_are_decoded(rest):
    answer = rest.ask("POST", "/V1/Models/%68alf:Predict", {"instances": [1.0]})
    assert answer.json == {"predictions": [2.5]}
    assert rest.get("/h%61lf/Metadata").status == 200


PREDICT_REFUSALS = {
    "unknown model": (
        ("none:predict", {"instances": [1]}),
        (404, "Servable not found for request: Latest(none)"),
    ),
    "unknown version": (
        ("half/versions/8:predict", {"instances": [1]}),
        (404, "Servable not found for request: Specific(half, 8)"),
    ),
    "unknown label": (
        ("half/labels/canary:predict", {"instances": [1]}),
        (400, "Unrecognized servable version label: canary"),
    ),
    "unknown signature": (
        ("half:predict", {"signature_name": "S", "instances": [1]}),
        (400, 'Serving signature name: "S" not found in signature def'),
    ),
    "a signature that is not text": (
        ("half:predict", {"signature_name": 5}),
        (
            400,
            'JSON Value: {\n    "signature_name": 5\n} not formatted correctly. '
            "'signature_name' key must be a string value.",
        ),
    ),
    "no body": (("half:predict", b""), (400, "JSON Parse error: The document is empty")),
    "no json": (
        ("half:predict", b'{"instances": [1 2]}'),
        (400, "JSON Parse error: Expecting ',' delimiter at offset: 17"),
    ),
    "json before the model": (
        ("none:predict", b"{"),
        (
            400,
            "JSON Parse error: Expecting property name enclosed in double quotes at offset: 1",
        ),
    ),
    "neither format": (
        ("half:predict", {}),
        (400, "Missing 'inputs' or 'instances' key"),
    ),
    "wrong type": (
        ("half:predict", {"inputs": ["a"]}),
        (400, 'JSON Value: "a" Type: String is not of expected type: float'),
    ),
    "a default is not for rest": (
        ("half:predict", {"signature_name": "biased", "inputs": {"x": [1.0]}}),
        (400, "Missing named input: bias in 'inputs' object."),
    ),
    "a version of more than 63 bits": (
        ("half/versions/9223372036854775808:predict", {"instances": [1]}),
        (400, "Failed to convert version: 9223372036854775808 to numeric."),
    ),
}


@pytest.mark.parametrize("case", PREDICT_REFUSALS)
def test_predict_refuses_with_the_real_servers_text(rest, case):
    (path, body), expected = PREDICT_REFUSALS[case]
    assert rest.post(path, body).error == expected


def test_an_input_with_a_default_is_still_required(rest):
    body = {"signature_name": "biased", "inputs": {"x": [1.0]}}
    assert rest.post("half:predict", body).error == (
        400,
        "Missing named input: bias in 'inputs' object.",
    )
    status, text = rest.post(
        "half:predict", {"signature_name": "biased", "instances": [{"x": 1.0}]}
    ).error
    assert status == 400
    assert text.endswith("keys must be equal to: bias,x")


def test_errors_of_the_kernels_are_returned(rest):
    body = {"signature_name": "multiply", "inputs": {"a": [[1, 2]], "b": [[1, 2, 3]]}}
    status, text = rest.post("half:predict", body).error
    assert (status, text.split("\n")[0]) == (
        400,
        "Matrix size-incompatible: In[0]: [1,2], In[1]: [1,3]",
    )


def test_a_request_is_stopped_after_the_time_in_the_flag(half_plus_two, tmp_path):
    server, rest = serve_rest(half_plus_two, tmp_path, rest_api_timeout_in_ms=200)
    try:
        status, text = rest.post(
            "half:predict", {"signature_name": "count", "inputs": 2**31 - 1}
        ).error
    finally:
        server.stop()
    assert status == 504
    assert "imed out" in text or "eadline" in text


# Classify and Regress


def test_classify_answers_pairs_of_label_and_score(rest):
    body = {"signature_name": "classify", "examples": [{"x": 1.0}, {"x": [2.5]}]}
    assert rest.post("half:classify", body).text == (
        '{\n    "results": [[["up", 1.0], ["down", -1.0]], [["up", 2.5], ["down", -2.5]]\n    ]\n}'
    )


def test_regress_answers_values(rest):
    body = {"signature_name": "regress", "examples": [{"x": 1.0}, {"x": [2.5]}]}
    assert rest.post("half:regress", body).text == '{\n    "results": [2.5, 3.25]\n}'


def test_a_context_is_put_before_each_example(rest):
    body = {"signature_name": "regress", "context": {"x": 5.0}, "examples": [{}, {"x": 1.0}]}
    assert rest.post("half:regress", body).json == {"results": [4.5, 2.5]}


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_classify_and_regress_refuse_with_the_real_servers_text(rest, method):
    examples = {"examples": [{"x": 1.0}]}
    assert rest.post(f"half:{method}", {**examples, "signature_name": "S"}).error == (
        400,
        "No signature was found with the name: S",
    )
    assert rest.post(f"none:{method}", examples).error == (
        404,
        "Servable not found for request: Latest(none)",
    )
    kind = {"classify": "classification", "regress": "regression"}[method]
    status, text = rest.post(f"half:{method}", examples).error
    assert status == 400
    assert text.startswith(f"No {kind} inputs found in SignatureDef: inputs {{")
    assert rest.post(f"half:{method}", {"examples": [{"x": [1, 1.5]}]}).error == (
        400,
        "Unexpected element type in feature: x expecting type: int64",
    )


# Status and metadata


def test_status_is_protobufs_json(rest):
    assert rest.get("/half/versions/7").text == (
        '{\n "model_version_status": [\n  {\n   "version": "7",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )
    versions = rest.get("/half").json["model_version_status"]
    assert [one["version"] for one in versions] == ["123", "7"]
    assert rest.get("/half/labels/stable").json["model_version_status"] == versions


def test_status_of_unknown_models_is_refused(rest):
    assert rest.get("/none").error == (404, "Could not find any versions of model none")
    assert rest.get("/half/versions/8").error == (404, "Could not find version 8 of model half")
    assert rest.get("").error == (400, "Missing model name in request.")


def test_metadata_has_the_signatures(rest):
    answer = rest.get("/half/metadata")
    assert answer.text.startswith(
        '{\n"model_spec":{\n "name": "half",\n "signature_name": "",\n "version": "123"\n}\n,\n'
        '"metadata": {"signature_def": {\n "signature_def": {\n'
    )
    signatures = answer.json["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"] == {
        "inputs": {
            "x": {
                "dtype": "DT_FLOAT",
                "name": "serving_default_x:0",
                "tensor_shape": {"dim": [{"name": "", "size": "-1"}], "unknown_rank": False},
            }
        },
        "outputs": {
            "y": {
                "dtype": "DT_FLOAT",
                "name": signatures["serving_default"]["outputs"]["y"]["name"],
                "tensor_shape": {"dim": [{"name": "", "size": "-1"}], "unknown_rank": False},
            }
        },
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    assert rest.get("/half/versions/7/metadata").json["model_spec"]["version"] == "7"
    assert rest.get("/half/labels/stable/metadata").json["model_spec"]["version"] == "7"


def test_metadata_of_unknown_models_is_refused(rest):
    assert rest.get("/none/metadata").error == (
        404,
        "Servable not found for request: Latest(none)",
    )
    assert rest.get("/half/labels/canary/metadata").error == (
        400,
        "Unrecognized servable version label: canary",
    )
