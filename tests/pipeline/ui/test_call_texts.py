"""Calls as a person makes them: whole, and quoted for the shell that they are pasted into."""

import base64
import json
import math
import subprocess

import numpy as np
import pytest

from millrace.pipeline.predictions import Call
from millrace.pipeline.ui import call_texts

PNG = b"\x89PNG" + bytes(7000)


def texts(inputs, signature="serving_default", **more):
    call = Call(signature, inputs, 3, 0.1)
    return call_texts.texts("m", call, "host:1", "http://host:2", **more)


def sent(text):
    """The command of a shell's text, and the JSON below it."""
    command, _, body = text.partition(" <<'JSON'\n")
    return command, json.loads(body.removesuffix("\nJSON\n"))


def python_inputs(text):
    """What the Python text gives its client."""
    start = text.index("predict('m', ") + len("predict('m', ")
    return eval(text[start : text.index("})") + 1], {"images": list})  # noqa: S307


@pytest.mark.parametrize("said", ['it\'s "$(id)" `id` \\ <b>', "two\nlines\tJSON\n", ""])
def test_a_text_stands_in_each_call_as_it_was_typed(said):
    cells = np.array([said.encode()], object)
    found = texts({"text": cells})
    assert python_inputs(found["python"]) == {"text": [said]}
    assert sent(found["curl"])[1] == {"inputs": {"text": [said]}}
    tensor = sent(found["grpcurl"])[1]["inputs"]["text"]
    assert (tensor["dtype"], tensor["tensorShape"]) == ("DT_STRING", {"dim": [{"size": "1"}]})


def test_numbers_have_the_digits_that_give_them_again_and_missing_ones_are_told():
    found = texts({"x": np.array([[0.1, math.nan]], np.float32), "k": np.array(4, np.int64)})
    inputs = python_inputs(found["python"].replace("float('nan')", "None"))
    assert inputs == {"x": [[0.1, None]], "k": 4}
    body = sent(found["grpcurl"])[1]["inputs"]
    assert body["x"]["floatVal"] == [0.1, "NaN"]
    assert body["k"] == {"dtype": "DT_INT64", "tensorShape": {}, "int64Val": ["4"]}


def test_a_version_and_a_signature_are_named_where_they_were_chosen():
    found = texts({"x": np.zeros(1)}, "generate", version=7)
    assert "signature='generate', version=7)" in found["python"]
    command, body = sent(found["curl"])
    assert command == "curl -s -d @- http://host:2/v1/models/m/versions/7:predict"
    assert body["signature_name"] == "generate"
    spec = {"name": "m", "signatureName": "generate", "version": "7"}
    assert sent(found["grpcurl"])[1]["modelSpec"] == spec


def test_a_large_picture_is_read_from_its_file(tmp_path):
    found = texts({"image_bytes": np.array([PNG], object)}, file="a.png")
    assert "images(['a.png'])" in found["python"]
    (tmp_path / "a.png").write_bytes(PNG)
    for name in ("curl", "grpcurl"):
        heredoc = found[name].partition(" <<JSON\n")[2]
        done = subprocess.run(
            ["sh", "-c", f"cat <<JSON\n{heredoc}"], cwd=tmp_path, capture_output=True, check=True
        )
        body = json.loads(done.stdout)["inputs"]["image_bytes"]
        encoded = body[0]["b64"] if name == "curl" else body["stringVal"][0]
        assert base64.b64decode(encoded) == PNG


def test_of_many_rows_the_first_are_written():
    found = texts({"x": np.arange(50)})
    assert python_inputs(found["python"]) == {"x": list(range(20))}
